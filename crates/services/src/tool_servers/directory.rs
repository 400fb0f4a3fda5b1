//! What is known of each workspace's tool servers, read once and kept until it changes.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;

use domain::{McpServerId, WorkspaceId};
use mcp::ArgumentCheck;
use mcp::gateway::Listing;
use serde_json::Value;
use store::Store;
use store::mcp_servers::StoredMcpServer;
use store::mcp_tools::ServerWithTools;
use store::panics::caught;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::KnownTool;
use crate::gateway::shown;

/// Workspaces that are kept; more than one process serves at a time.
const MAX_WORKSPACES: usize = 1_000;
/// How soon to listen again after the database was away.
const LISTEN_AGAIN: Duration = Duration::from_secs(1);

/// Every server of a workspace with its tools, as it was at one moment.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) servers: Vec<ServerWithTools>,
    by_id: HashMap<McpServerId, usize>,
    listing: OnceLock<Listing>,
    made: Vec<Made>,
}

/// What is made of a server when it is first needed.
#[derive(Debug)]
struct Made {
    /// The server alone.
    listing: OnceLock<Listing>,
    /// One for each tool.
    checks: Box<[OnceLock<ArgumentCheck>]>,
}

/// Keeps snapshots while the database tells of changes. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Directory {
    store: Store,
    kept: Arc<Mutex<Kept>>,
    changes: Arc<watch::Sender<u64>>,
}

#[derive(Default)]
struct Kept {
    snapshots: HashMap<WorkspaceId, Arc<Snapshot>>,
    /// Raised by each change: what was read before is not kept.
    epoch: u64,
    /// Whether changes are heard of; nothing is kept otherwise.
    hears: bool,
}

impl Directory {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            kept: Arc::default(),
            changes: Arc::new(watch::channel(0).0),
        }
    }

    /// Listens to the database until `stopping`.
    pub(crate) fn start(&self, stopping: CancellationToken) {
        let this = self.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = stopping.cancelled() => {}
                () = this.listen() => {}
            }
        });
    }

    async fn listen(&self) {
        loop {
            if let Err(error) = caught(self.follow()).await {
                tracing::warn!(error = %error, "cannot hear of changed tools; listening again");
            }
            self.lock().hears = false;
            self.forget(None);
            tokio::time::sleep(LISTEN_AGAIN).await;
        }
    }

    async fn follow(&self) -> store::Result<()> {
        let mut changes = self.store.listen_for_tool_changes().await?;
        self.forget(None);
        self.lock().hears = true;
        loop {
            let changed = changes.next().await?;
            self.forget(changed);
        }
    }

    /// Forgets a workspace, or all.
    pub(crate) fn forget(&self, workspace_id: Option<WorkspaceId>) {
        let mut kept = self.lock();
        kept.epoch += 1;
        match workspace_id {
            Some(id) => {
                kept.snapshots.remove(&id);
            }
            None => kept.snapshots.clear(),
        }
        drop(kept);
        self.changes.send_modify(|count| *count += 1);
    }

    /// Raised by each change.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    pub(crate) async fn snapshot(&self, workspace_id: WorkspaceId) -> store::Result<Arc<Snapshot>> {
        let epoch = {
            let kept = self.lock();
            if let Some(snapshot) = kept.snapshots.get(&workspace_id) {
                return Ok(snapshot.clone());
            }
            kept.epoch
        };
        let mut tx = self.store.begin_snapshot(workspace_id).await?;
        let servers = tx.list_servers_with_tools().await?;
        drop(tx);
        let snapshot = Arc::new(Snapshot::new(servers));
        let mut kept = self.lock();
        if kept.hears && kept.epoch == epoch {
            if kept.snapshots.len() >= MAX_WORKSPACES {
                kept.snapshots.clear();
            }
            kept.snapshots.insert(workspace_id, snapshot.clone());
        }
        Ok(snapshot)
    }

    fn lock(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Snapshot {
    fn new(servers: Vec<ServerWithTools>) -> Self {
        let by_id = servers
            .iter()
            .enumerate()
            .map(|(index, server)| (server.stored.server.id, index))
            .collect();
        let made = servers
            .iter()
            .map(|server| Made {
                listing: OnceLock::new(),
                checks: server.tools.iter().map(|_| OnceLock::new()).collect(),
            })
            .collect();
        Self {
            made,
            servers,
            by_id,
            listing: OnceLock::new(),
        }
    }

    pub(crate) fn server(&self, id: McpServerId) -> Option<&ServerWithTools> {
        self.by_id.get(&id).map(|index| &self.servers[*index])
    }

    /// The server that has a name, or had it before the others.
    pub(crate) fn server_named(&self, name: &str) -> Option<&ServerWithTools> {
        let has = |stored: &StoredMcpServer| stored.server.name == name;
        let had = |stored: &StoredMcpServer| stored.former_names.iter().any(|old| old == name);
        let find = |test: &dyn Fn(&StoredMcpServer) -> bool| {
            self.servers.iter().find(|server| test(&server.stored))
        };
        find(&has).or_else(|| find(&had))
    }

    /// All tools that may be called, as the gateway shows them.
    pub(crate) fn listing(&self) -> Listing {
        let make = || {
            let servers = self.servers.iter();
            Listing::new(servers.map(|server| shown(server, Some(&server.stored.server.name))))
        };
        self.listing.get_or_init(make).clone()
    }

    /// The tools of one server, as the gateway shows it alone.
    pub(crate) fn listing_of(&self, id: McpServerId) -> Listing {
        let Some(index) = self.by_id.get(&id) else {
            return Listing::new(std::iter::empty());
        };
        let make = || Listing::new(std::iter::once(shown(&self.servers[*index], None)));
        self.made[*index].listing.get_or_init(make).clone()
    }

    /// Checks the arguments of a call; a tool that is not known has none that are wrong.
    ///
    /// # Errors
    /// What is wrong with them.
    pub(crate) fn check_arguments(
        &self,
        id: McpServerId,
        tool: &str,
        arguments: &Value,
    ) -> Result<(), String> {
        let Some(index) = self.by_id.get(&id) else {
            return Ok(());
        };
        let tools = &self.servers[*index].tools;
        let Ok(place) = tools.binary_search_by(|it| it.definition.name.as_str().cmp(tool)) else {
            return Ok(());
        };
        let make = || ArgumentCheck::new(&tools[place].definition.input_schema);
        let check = self.made[*index].checks[place].get_or_init(make);
        check.check(arguments)
    }

    pub(crate) fn tool(&self, server_id: McpServerId, name: &str) -> Option<KnownTool> {
        let server = self.server(server_id)?;
        let tool = server.find(name)?;
        Some(KnownTool {
            server_id,
            server: server.stored.server.name.clone(),
            definition: tool.definition.clone(),
            definition_hash: tool.definition_hash.clone(),
            state: tool.state,
            call_price_usd_micros: server.stored.server.call_price_usd_micros.unwrap_or(0),
        })
    }
}
