//! The services, and a session: services plus the authenticated actor.

use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use domain::{Action, Actor, Error, McpServerId, WorkspaceId};
use outbound::Outbound;
use store::blobs::Blobs;
use store::bus::{Bus, Reach};
use store::cache::Cache;
use store::redis::Redis;
use store::vault::Vault;
use store::{Store, TenantTx};
use tokio_util::sync::CancellationToken;

use crate::access::AccessBell;
use crate::agent_cache::AgentCache;
use crate::authentication::{Credential, Principals};
use crate::budgets::BudgetedWorkspaces;
use crate::call_audit::CallAudit;
use crate::containers::{Containers, ContainersConfig, Quota};
use crate::fault::OrFault;
use crate::files::{Extractor, Limits as FileLimits};
use crate::markdown::{LiveHtml, Markdown};
use crate::models::ModelPool;
use crate::passwords::Passwords;
use crate::recents::Recents;
use crate::session_cache::SessionCache;
use crate::throttle::Throttle;
use crate::tool_servers::{HealthConfig, HeldServer, Peers, ToolServers};
use crate::tools::Builtins;
use crate::worker::Worker;

/// What the services need to know.
#[derive(Clone, Debug)]
pub struct Config {
    /// Runs of one workspace that run at once; more wait in the queue.
    pub runs_per_workspace: u32,
    /// Runs that this process runs at once.
    pub runs_per_worker: usize,
    /// How long a question about a tool call waits for a person.
    pub approval_time: Duration,
    /// File with the built-in model's weights, if it was found.
    pub local_model: Option<PathBuf>,
    /// How long to wait for models.
    pub model_deadlines: llm::Deadlines,
    /// How much of files there may be.
    pub files: FileLimits,
    /// This program and the command of its that calls [`crate::extract_pdf_text`].
    pub pdf_reader: Option<(PathBuf, &'static str)>,
    /// Origin that users see, without a slash at the end.
    pub public_url: String,
    /// Where authorization servers read who this platform is, if that is at a public address.
    pub client_metadata_url: Option<String>,
    /// The client of the tool that reads the web; it never reaches this machine by itself.
    pub web: Outbound,
    /// What processes of one installation share besides the database, if there is one.
    pub redis: Option<Redis>,
    /// Whether no other process can be running agents on this database: every lease left over
    /// belongs to a dead process then.
    pub is_alone: bool,
    /// How the set-up page names the database.
    pub database_label: String,
    /// How the set-up page says where the master key is.
    pub key_label: String,
    /// How containers are run; `None` where this process runs none.
    pub containers: Option<ContainersConfig>,
    /// How tool servers are looked after.
    pub health: HealthConfig,
    /// What one workspace's containers may use together.
    pub container_quota: Quota,
    /// Where the other processes of the fleet reach this one, a URL.
    pub address: String,
    /// The client for them.
    pub inside: Outbound,
}

/// The product's operations, before anybody is signed in. Cheap to clone: every request does.
#[derive(Clone)]
pub struct Services(Arc<Parts>);

/// What the services are made of.
pub struct Parts {
    pub(crate) store: Store,
    pub(crate) vault: Vault,
    pub(crate) outbound: Outbound,
    pub(crate) blobs: Blobs,
    pub(crate) extractor: Arc<Extractor>,
    pub(crate) bus: Bus,
    pub(crate) models: Arc<ModelPool>,
    pub(crate) budgeted: Arc<BudgetedWorkspaces>,
    pub(crate) tool_servers: ToolServers,
    pub(crate) call_audit: CallAudit,
    pub(crate) passwords: Arc<Passwords>,
    pub(crate) worker: Worker,
    pub(crate) principals: Principals,
    pub(crate) sessions: SessionCache,
    pub(crate) agents: AgentCache,
    pub(crate) recents: Recents,
    pub(crate) markdown: Markdown,
    pub(crate) live_html: LiveHtml,
    pub(crate) throttle: Throttle,
    pub(crate) access: AccessBell,
    pub(crate) config: Arc<Config>,
}

/// The product's operations for one actor: the implementation of `domain::Platform`.
#[derive(Clone)]
pub struct Session {
    pub(crate) services: Services,
    pub(crate) actor: Actor,
    pub(crate) credential: Credential,
}

impl Services {
    /// Wires the services together. Nothing runs until [`Services::start_jobs`].
    pub fn new(
        store: Store,
        vault: Vault,
        blobs: Blobs,
        outbound: Outbound,
        config: Config,
    ) -> Self {
        let bus = Bus::new(match &config.redis {
            Some(redis) => Reach::Redis(redis.clone()),
            None if config.is_alone => Reach::Process,
            None => Reach::Database,
        });
        let cache = Cache::new(config.redis.clone());
        let agents = AgentCache::new(cache.clone());
        let containers = Containers::new(
            store.clone(),
            config.containers.clone(),
            config.address.clone(),
        );
        let peers = Peers::new(config.inside.clone(), vault.clone());
        let tool_servers = ToolServers::new(
            store.clone(),
            vault.clone(),
            outbound.clone(),
            containers,
            peers,
            config.health,
        );
        let models = Arc::new(ModelPool::new(
            vault.clone(),
            outbound.clone(),
            config.local_model.clone(),
            config.model_deadlines,
        ));
        let config = Arc::new(config);
        let recents = Recents::new();
        let budgeted = Arc::<BudgetedWorkspaces>::default();
        let worker = Worker::new(
            store.clone(),
            blobs.clone(),
            bus.clone(),
            models.clone(),
            budgeted.clone(),
            recents.clone(),
            Arc::new(Builtins::new(config.web.clone())),
            tool_servers.clone(),
            agents.clone(),
            &config,
        );
        Self(Arc::new(Parts {
            blobs,
            extractor: Arc::new(Extractor::new(config.pdf_reader.clone())),
            vault,
            outbound,
            bus,
            models,
            budgeted,
            tool_servers,
            call_audit: CallAudit::new(),
            passwords: Arc::new(Passwords::new()),
            worker,
            principals: Principals::default(),
            sessions: SessionCache::new(cache),
            agents,
            recents,
            markdown: Markdown::new(),
            live_html: LiveHtml::default(),
            throttle: Throttle::new(store.clone()),
            access: AccessBell::new(),
            config,
            store,
        }))
    }

    /// Hears what other processes say, until `stopping`.
    pub fn start(&self, stopping: &CancellationToken) {
        self.listen(stopping);
        self.tool_servers.start(stopping);
        self.call_audit.start(self.store.clone());
        let (store, stopping) = (self.store.clone(), stopping.clone());
        tokio::spawn(async move { store.watch_replicas(&stopping).await });
    }

    /// Starts taking runs, and the housekeeping; they stop when `stopping` is cancelled.
    pub fn start_jobs(&self, stopping: &CancellationToken) {
        self.worker.start(stopping, self.config.is_alone);
        crate::housekeeping::start(self.clone(), stopping.clone());
        let approval_time = self.config.approval_time;
        crate::housekeeping::start_expiring(self.clone(), approval_time, stopping.clone());
    }

    /// Waits for the worker's runs to be handed back after `stopping` was cancelled.
    pub async fn finish_jobs(&self) {
        self.worker.finish().await;
    }

    /// Gives up what this process holds and writes what is still to be written, after the last
    /// request was answered.
    pub async fn finish(&self) {
        self.tool_servers.finish().await;
        self.call_audit.finish().await;
    }

    /// A tool server that another process of the fleet asks this one for; `None` if the ticket was
    /// not made for that, by somebody with the master key.
    pub fn held_server(
        &self,
        workspace_id: WorkspaceId,
        id: McpServerId,
        ticket: &str,
    ) -> Option<HeldServer> {
        self.tool_servers.held_server(workspace_id, id, ticket)
    }

    /// Redis, if it is used.
    pub fn redis(&self) -> Option<&Redis> {
        self.config.redis.as_ref()
    }

    /// The database, for health checks and metrics.
    pub fn store(&self) -> &Store {
        &self.store
    }
}

impl Deref for Services {
    type Target = Parts;

    fn deref(&self) -> &Parts {
        &self.0
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Session").field(&self.actor).finish()
    }
}

impl Session {
    /// Who acts.
    pub fn actor(&self) -> &Actor {
        &self.actor
    }

    /// Authorizes, then begins a transaction in the actor's workspace.
    pub(crate) async fn begin(&self, action: Action) -> Result<TenantTx, Error> {
        self.actor.require(action)?;
        self.services
            .store
            .begin(self.actor.workspace_id)
            .await
            .or_fault()
    }

    /// Authorizes, then begins a transaction for a list or a report; see
    /// [`Store::begin_reading`].
    pub(crate) async fn begin_reading(&self, action: Action) -> Result<TenantTx, Error> {
        self.actor.require(action)?;
        self.services
            .store
            .begin_reading(self.actor.workspace_id)
            .await
            .or_fault()
    }
}
