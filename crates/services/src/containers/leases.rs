//! The right to run a server's one container: one process of the fleet has it at a time.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::mcp_servers::DesiredState;
use domain::{McpServerId, WorkspaceId};
use mcp::ConnectError;
use store::mcp_instances::{self, Claim, Held, Owner};

use super::Containers;
use crate::mint;

/// For how long a server is held without saying so again.
pub(crate) const LIFE: Duration = Duration::from_secs(10);

/// How long a lease is believed in without news: ended before another process may begin.
const BELIEF: Duration = LIFE.saturating_sub(Duration::from_secs(1));
/// Longest time for one word with the database, which may hang without an error.
pub(super) const PATIENCE: Duration = Duration::from_secs(3);

/// Which process is to run a server.
pub(crate) enum Turn {
    /// This one, with a fence of its own.
    Ours(InstanceLease),
    /// Another one, or none yet and that one is asked to.
    Theirs(Owner),
}

/// What this process holds.
#[derive(Default)]
pub(super) struct Leases {
    held: Mutex<HashMap<McpServerId, Lease>>,
    /// When the database last said so; everything counts as lost some time after.
    heard_at: Mutex<Option<Instant>>,
}

#[derive(Clone, Copy)]
struct Lease {
    fence: i64,
    revision: i32,
}

/// The right to one start of a server's container; given back when dropped.
pub(crate) struct InstanceLease {
    containers: Containers,
    pub(super) workspace_id: WorkspaceId,
    pub(super) id: McpServerId,
    pub(super) fence: i64,
}

/// A server that this process may not go on running.
pub(crate) struct Ending {
    pub(crate) id: McpServerId,
    pub(crate) fence: i64,
    /// Whether calls under way may come to their end: it is only to be started anew.
    pub(crate) is_gentle: bool,
}

impl Containers {
    /// Whether this process may run containers.
    pub(crate) fn runs_here(&self) -> bool {
        self.inner.config.is_some()
    }

    /// This process, as the others of the fleet know it.
    pub(crate) fn process(&self) -> uuid::Uuid {
        self.inner.process
    }

    /// Finds out who is to run a server, and takes it if nobody does.
    pub(crate) async fn take_turn(
        &self,
        server: (WorkspaceId, McpServerId),
        revision: i32,
    ) -> Result<Turn, ConnectError> {
        let taking = async {
            match self.runs_here() {
                true => self.claim(server, revision).await,
                false => self.find_runner(server).await,
            }
        };
        let taken = within(PATIENCE, Box::pin(taking)).await;
        taken.map_err(|error| {
            tracing::warn!(%error, "it cannot be found out who runs a container");
            ConnectError::Unreachable("our database does not answer".to_owned())
        })?
    }

    async fn claim(
        &self,
        (workspace_id, id): (WorkspaceId, McpServerId),
        revision: i32,
    ) -> store::Result<Result<Turn, ConnectError>> {
        self.introduce().await?;
        let begun = Instant::now();
        let mut db = self.inner.store.system().await?;
        if self.is_engine_away() {
            let manager = mcp_instances::find_manager(&mut db, mint::now()).await?;
            let other = manager.filter(|it| it.has_engine && it.owner.process != self.process());
            let owner = mcp_instances::find_owner(&mut db, (workspace_id, id)).await?;
            if let (Some(other), None) = (other, owner) {
                return Ok(Ok(Turn::Theirs(other.owner)));
            }
        }
        let process = self.inner.process;
        let claim = mcp_instances::claim(&mut db, (workspace_id, id), revision, process, LIFE);
        Ok(match claim.await? {
            Claim::Ours { fence } => {
                let lease = Lease { fence, revision };
                let mut held = self.inner.leases.held();
                if held.is_empty() {
                    self.inner.leases.hear(begun);
                }
                held.insert(id, lease);
                drop(held);
                Ok(Turn::Ours(InstanceLease {
                    containers: self.clone(),
                    workspace_id,
                    id,
                    fence,
                }))
            }
            Claim::Theirs(owner) => Ok(Turn::Theirs(owner)),
            Claim::Unwanted => Err(ConnectError::Protocol(
                "the server was stopped or changed just now; try again".to_owned(),
            )),
        })
    }

    async fn find_runner(
        &self,
        server: (WorkspaceId, McpServerId),
    ) -> store::Result<Result<Turn, ConnectError>> {
        let mut db = self.inner.store.system().await?;
        let owner = match mcp_instances::find_owner(&mut db, server).await? {
            Some(owner) => Some(owner),
            None => mcp_instances::find_manager(&mut db, mint::now())
                .await?
                .map(|manager| manager.owner),
        };
        Ok(owner.map(Turn::Theirs).ok_or_else(|| {
            let none = "no process with the role mcp-manager is there to run containers";
            ConnectError::Unavailable(none.to_owned())
        }))
    }

    /// The process that runs a server right now.
    pub(crate) async fn owner(
        &self,
        server: (WorkspaceId, McpServerId),
    ) -> store::Result<Option<Owner>> {
        let found = async {
            let mut db = self.inner.store.system().await?;
            mcp_instances::find_owner(&mut db, server).await
        };
        within(PATIENCE, Box::pin(found)).await
    }

    /// The process that runs a server or was the last to, and lives.
    pub(crate) async fn last_owner(
        &self,
        server: (WorkspaceId, McpServerId),
    ) -> store::Result<Option<Owner>> {
        let found = async {
            let mut db = self.inner.store.system().await?;
            mcp_instances::find_last_owner(&mut db, server, mint::now()).await
        };
        within(PATIENCE, Box::pin(found)).await
    }

    /// Says again what this process holds; what it may not go on running comes back.
    pub(crate) async fn prolong(&self) -> Vec<Ending> {
        let leases: Vec<(McpServerId, Lease)> = {
            let held = self.inner.leases.held();
            held.iter().map(|(id, lease)| (*id, *lease)).collect()
        };
        if leases.is_empty() {
            return Vec::new();
        }
        let begun = Instant::now();
        let starts: Vec<_> = leases.iter().map(|(id, it)| (*id, it.fence)).collect();
        let prolonged = async {
            let mut db = self.inner.store.system().await?;
            mcp_instances::prolong(&mut db, self.inner.process, &starts, LIFE).await
        };
        let patience = self.inner.leases.belief().max(Duration::from_secs(1));
        let held: HashMap<McpServerId, Held> =
            match within(PATIENCE.min(patience), Box::pin(prolonged)).await {
                Ok(held) => held
                    .into_iter()
                    .map(|held| (held.server_id, held))
                    .collect(),
                Err(error) => {
                    tracing::warn!(%error, "cannot say that containers are held");
                    if !self.inner.leases.belief().is_zero() {
                        return Vec::new();
                    }
                    HashMap::new()
                }
            };
        self.inner.leases.hear(begun);
        let ends = |(id, lease): (McpServerId, Lease)| {
            let ending = |is_gentle| {
                let fence = lease.fence;
                Some(Ending {
                    id,
                    fence,
                    is_gentle,
                })
            };
            match held.get(&id) {
                // Unless it was started anew meanwhile.
                None => self
                    .inner
                    .leases
                    .lose(id, lease.fence)
                    .then(|| ending(false))?,
                Some(_) if !self.is_held(id, lease.fence) => None,
                Some(held) if held.desired == DesiredState::Stopped => ending(false),
                Some(held) if held.revision != lease.revision => ending(true),
                Some(_) => None,
            }
        };
        leases.into_iter().filter_map(ends).collect()
    }

    /// Whether a start of a server is still the one that counts.
    pub(super) fn is_held(&self, id: McpServerId, fence: i64) -> bool {
        let held = self.inner.leases.held();
        held.get(&id).is_some_and(|lease| lease.fence == fence)
    }

    /// Whether this process runs a server.
    pub(crate) fn holds(&self, id: McpServerId) -> bool {
        self.inner.leases.held().contains_key(&id)
    }

    /// Gives everything up, and the lead: the process ends.
    pub(super) async fn release_all(&self) -> store::Result<()> {
        let mut db = self.inner.store.system().await?;
        mcp_instances::release_all(&mut db, self.inner.process).await
    }
}

/// What the database says within a time; as if it had failed otherwise. The question is boxed, so
/// that it does not weigh on the future of whoever asks.
pub(super) async fn within<T>(
    patience: Duration,
    asked: Pin<Box<impl Future<Output = store::Result<T>>>>,
) -> store::Result<T> {
    let hangs = |_| anyhow::anyhow!("the database does not answer within {patience:?}");
    tokio::time::timeout(patience, asked).await.map_err(hangs)?
}

impl Leases {
    fn held(&self) -> MutexGuard<'_, HashMap<McpServerId, Lease>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn hear(&self, at: Instant) {
        let mut heard_at = self.heard_at.lock().unwrap_or_else(PoisonError::into_inner);
        *heard_at = Some(at);
    }

    /// For how long what is held may still be believed in.
    fn belief(&self) -> Duration {
        let heard_at = self.heard_at.lock().unwrap_or_else(PoisonError::into_inner);
        heard_at.map_or(BELIEF, |at| BELIEF.saturating_sub(at.elapsed()))
    }

    /// Tells whether it was held.
    fn lose(&self, id: McpServerId, fence: i64) -> bool {
        let mut held = self.held();
        let is_held = held.get(&id).is_some_and(|lease| lease.fence == fence);
        if is_held {
            held.remove(&id);
        }
        is_held
    }
}

impl InstanceLease {
    /// Gives the right back.
    pub(super) async fn release(self) {
        self.containers.inner.leases.lose(self.id, self.fence);
        self.give_back().await;
    }

    fn give_back(&self) -> impl Future<Output = ()> + Send + 'static + use<> {
        let inner = self.containers.inner.clone();
        let (workspace_id, id, fence) = (self.workspace_id, self.id, self.fence);
        async move {
            let released = async {
                let mut db = inner.store.system().await?;
                mcp_instances::release(&mut db, (workspace_id, id), inner.process, fence).await
            };
            if let Err(error) = released.await {
                tracing::debug!(%error, "a container's lease is left to run out");
            }
        }
    }
}

impl Drop for InstanceLease {
    fn drop(&mut self) {
        if !self.containers.inner.leases.lose(self.id, self.fence) {
            return;
        }
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(self.give_back());
        }
    }
}
