//! Tools of tool servers, for agents and the gateway: what there is, and calling it.

mod asking;
mod connecting;
mod directory;
mod grants;
mod health;
mod held;
mod leasing;
mod noting;
mod peers;
mod pool;
mod reconciling;
mod refused;
mod restarting;
mod seeing;

use std::time::Instant;

use domain::mcp_servers::{McpToolState, ToolDefinition};
use domain::{McpServerId, WorkspaceId};
use mcp::{
    Answer, Ask, CallError, ConnectError, Following, LogLine, Patience, Progress, Question,
    Subject, ToolOutput,
};
use outbound::Outbound;
use serde_json::Value;
use store::Store;
use store::vault::Vault;
use tokio_util::sync::CancellationToken;

use self::asking::{ask_through, told_meanwhile};
use self::connecting::Connector;
use self::directory::Directory;
pub(crate) use self::directory::Snapshot;
pub use self::health::HealthConfig;
pub use self::held::{HeldServer, NotHere};
pub(crate) use self::peers::Peers;
pub use self::peers::Seen;
use self::pool::Pool;
use crate::containers::Containers;

/// A tool as it was last listed.
#[derive(Clone, Debug)]
pub struct KnownTool {
    /// Its server.
    pub server_id: McpServerId,
    /// The server's name, which models see in front of the tool's.
    pub server: String,
    /// What the server says of it.
    pub definition: ToolDefinition,
    /// Hash of that.
    pub definition_hash: String,
    /// Whether it may be called.
    pub state: McpToolState,
    /// What a call costs.
    pub call_price_usd_micros: u64,
}

/// How a tool of a server is called.
pub struct ToolCallOptions<'a> {
    /// How long to wait; the longest time counts connecting in.
    pub patience: Patience,
    /// Ends the call; the server is told.
    pub cancel: &'a CancellationToken,
    /// Is told of each step; must not block.
    pub on_progress: Option<&'a (dyn Fn(Progress) + Send + Sync)>,
    /// Is told what the server logs about it, where that is plain; must not block.
    pub on_log: Option<&'a (dyn Fn(LogLine) + Send + Sync)>,
    /// Is given what a server of 2025 asks back; must not block. Without it nothing is answered.
    pub on_question: Option<&'a (dyn Fn(Question) + Send + Sync)>,
}

/// The tool servers of all workspaces, as one process uses them. Cheap to clone.
#[derive(Clone)]
pub struct ToolServers {
    store: Store,
    directory: Directory,
    pool: Pool,
    peers: Peers,
    pub(crate) containers: Containers,
}

impl ToolServers {
    pub(crate) fn new(
        store: Store,
        vault: Vault,
        outbound: Outbound,
        containers: Containers,
        peers: Peers,
        health: HealthConfig,
    ) -> Self {
        let directory = Directory::new(store.clone());
        let connector = Connector::new(
            store.clone(),
            vault,
            outbound,
            directory.clone(),
            containers.clone(),
            peers.clone(),
        );
        Self {
            store,
            peers,
            directory,
            containers,
            pool: Pool::new(connector, health),
        }
    }

    /// Follows changes that other processes make, and closes idle connections, until `stopping`.
    pub(crate) fn start(&self, stopping: &CancellationToken) {
        self.directory.start(stopping.clone());
        self.pool.start(stopping.clone());
        self.reconcile(stopping.clone());
    }

    /// Ends every connection and gives up what this process runs; within some 10 s.
    pub(crate) async fn finish(&self) {
        self.pool.disconnect_all();
        self.containers.finish().await;
    }

    /// Connects to a server by its settings as they are now, if there is no such connection.
    pub(crate) async fn wake(
        &self,
        workspace_id: WorkspaceId,
        server_id: McpServerId,
    ) -> Result<(), CallError> {
        let read = async {
            let mut tx = self.store.begin(workspace_id).await?;
            tx.find_mcp_server(server_id).await
        };
        let found: store::Result<_> = read.await;
        let found = found.map_err(|_| CallError::Unavailable)?;
        let revision = found.ok_or(CallError::NoSuchTool)?.revision;
        self.directory.forget(Some(workspace_id));
        let connected = self.pool.connection(workspace_id, server_id, revision);
        connected.await.map(drop)
    }

    /// A server that another process asks this one for, if it is one of the fleet.
    pub(crate) fn held_server(
        &self,
        workspace_id: WorkspaceId,
        id: McpServerId,
        ticket: &str,
    ) -> Option<HeldServer> {
        let process = self.containers.process();
        let is_admitted = self.peers.admits(process, (workspace_id, id), ticket);
        is_admitted.then(|| HeldServer {
            servers: self.clone(),
            workspace_id,
            id,
        })
    }

    /// What is known of some tools, each by its server and bare name. Tools that are not offered are
    /// left out. Asks no server.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn definitions(
        &self,
        workspace_id: WorkspaceId,
        wanted: &[(McpServerId, String)],
    ) -> store::Result<Vec<KnownTool>> {
        if wanted.is_empty() {
            return Ok(Vec::new());
        }
        let snapshot = self.directory.snapshot(workspace_id).await?;
        Ok(wanted
            .iter()
            .filter_map(|(server_id, name)| snapshot.tool(*server_id, name))
            .collect())
    }

    /// Every server of a workspace with its tools, as last listed.
    pub(crate) async fn snapshot(
        &self,
        workspace_id: WorkspaceId,
    ) -> store::Result<std::sync::Arc<Snapshot>> {
        self.directory.snapshot(workspace_id).await
    }

    /// Calls a tool: checks that it may be called and the arguments against its schema, connects if
    /// there is no connection, and waits for the answer, which is at most 4 MiB.
    ///
    /// # Errors
    /// See [`CallError`]; [`CallError::may_have_acted`] tells whether the tool may have been at work.
    pub async fn call(
        &self,
        workspace_id: WorkspaceId,
        server_id: McpServerId,
        tool: &str,
        arguments: Value,
        options: ToolCallOptions<'_>,
    ) -> Result<ToolOutput, CallError> {
        let ask = Ask::tool(tool, arguments);
        let answer = self.ask(workspace_id, server_id, ask, options).await?;
        answer.into_tool()
    }

    /// Asks a server for something; a tool is called as by [`ToolServers::call`].
    ///
    /// # Errors
    /// As there.
    pub async fn ask(
        &self,
        workspace_id: WorkspaceId,
        server_id: McpServerId,
        ask: Ask,
        options: ToolCallOptions<'_>,
    ) -> Result<Answer, CallError> {
        let is_call = ask.subject() == Subject::Tool;
        let started = Instant::now();
        let result = self.ask_within(workspace_id, server_id, ask, options).await;
        if is_call {
            let outcome = match &result {
                Ok(answer) if answer.is_tool_error() => "tool_error",
                Ok(_) => "ok",
                Err(_) => "error",
            };
            metrics::counter!("agentarea_mcp_tool_calls_total", "outcome" => outcome).increment(1);
            metrics::histogram!("agentarea_mcp_tool_call_duration_seconds")
                .record(started.elapsed().as_secs_f64());
        }
        result
    }

    async fn ask_within(
        &self,
        workspace_id: WorkspaceId,
        server_id: McpServerId,
        mut ask: Ask,
        options: ToolCallOptions<'_>,
    ) -> Result<Answer, CallError> {
        let longest = options.patience.longest;
        let deadline = Instant::now() + longest;
        let too_late = || CallError::Timeout {
            seconds: longest.as_secs(),
        };
        loop {
            let revision = self.check(workspace_id, server_id, &ask).await?;
            let lease = match self.pool.at_hand(server_id, revision) {
                Some(lease) => lease,
                None => {
                    // Starting a server is a long way; its future would weigh on every caller's.
                    let opening = self.pool.connection(workspace_id, server_id, revision);
                    let left = deadline.saturating_duration_since(Instant::now());
                    let opening = tokio::time::timeout(left, Box::pin(opening));
                    let lease = Box::pin(told_meanwhile(opening, &options)).await?;
                    lease.map_err(|_| too_late())??
                }
            };
            if lease.is_new {
                // The server was asked for its tools just now: they may be others.
                self.check(workspace_id, server_id, &ask).await?;
            }
            let again = lease.is_through().then(|| ask.clone());
            let result = ask_through(&lease, ask, &options, deadline).await;
            let Err(error) = &result else {
                return result;
            };
            if let CallError::Connect(ConnectError::MoreRightsNeeded { scope }) = error {
                self.pool.want_rights(&lease, scope).await;
            }
            if error.spoils_connection() {
                self.pool.doubt(&lease);
            }
            let is_untried = matches!(error, CallError::Connect(ConnectError::Unreachable(_)));
            match again {
                // The process that runs the server has just died, and another one will.
                Some(again) if is_untried && Instant::now() < deadline => ask = again,
                _ => return result,
            }
        }
    }

    /// Whether something may be asked for; gives the revision of its server.
    async fn check(
        &self,
        workspace_id: WorkspaceId,
        server_id: McpServerId,
        ask: &Ask,
    ) -> Result<i32, CallError> {
        let snapshot = self.directory.snapshot(workspace_id).await;
        let snapshot = snapshot.map_err(|error| {
            tracing::warn!(error = %error, "the tools of a workspace cannot be read");
            CallError::Unavailable
        })?;
        let server = snapshot.server(server_id).ok_or(CallError::NoSuchTool)?;
        if ask.subject() != Subject::Tool {
            return Ok(server.stored.revision);
        }
        let known = server.find(ask.name()).ok_or(CallError::NoSuchTool)?;
        if known.state == McpToolState::Quarantined {
            return Err(CallError::Quarantined);
        }
        snapshot
            .check_arguments(server_id, ask.name(), ask.arguments())
            .map_err(CallError::InvalidArguments)?;
        Ok(server.stored.revision)
    }

    /// Connects to a server anew, asks it for its tools and keeps what it says. What comes of it is
    /// in the database, too.
    ///
    /// # Errors
    /// See [`ConnectError`].
    pub(crate) async fn reconnect(
        &self,
        workspace_id: WorkspaceId,
        server_id: McpServerId,
    ) -> Result<(), ConnectError> {
        self.pool.reconnect(workspace_id, server_id).await
    }

    /// Ends the connection to a server that is gone.
    pub(crate) fn disconnect(&self, server_id: McpServerId) {
        self.pool.disconnect(server_id);
    }

    /// Follows a resource; the connection is kept for as long as what comes with it.
    ///
    /// # Errors
    /// See [`CallError`].
    pub(crate) async fn follow(
        &self,
        workspace_id: WorkspaceId,
        server_id: McpServerId,
        uri: &str,
    ) -> Result<(Following, leasing::Hold), CallError> {
        let snapshot = self.directory.snapshot(workspace_id).await;
        let snapshot = snapshot.map_err(|_| CallError::Unavailable)?;
        let server = snapshot.server(server_id).ok_or(CallError::NoSuchTool)?;
        let revision = server.stored.revision;
        let lease = self
            .pool
            .connection(workspace_id, server_id, revision)
            .await?;
        let following = lease.connection().follow(uri).await?;
        Ok((following, lease.into_hold()))
    }

    /// How long one call of a tool may take.
    pub(crate) fn call_patience(&self) -> Patience {
        self.pool.health.call
    }

    /// Raised whenever what is known of any workspace may be another.
    pub(crate) fn changes(&self) -> tokio::sync::watch::Receiver<u64> {
        self.directory.changes()
    }

    /// Forgets what is known of a workspace, so that the next look reads the database.
    pub(crate) fn forget(&self, workspace_id: WorkspaceId) {
        self.directory.forget(Some(workspace_id));
    }
}

impl KnownTool {
    /// Whether the server claims that the tool changes nothing.
    pub fn is_read_only(&self) -> bool {
        self.definition.is_read_only()
    }

    /// Whether the server claims that calling it twice is as good as once.
    pub fn is_idempotent(&self) -> bool {
        self.definition.is_idempotent()
    }

    /// Whether the tool may destroy something; true unless the server says otherwise.
    pub fn is_destructive(&self) -> bool {
        self.definition.is_destructive()
    }
}
