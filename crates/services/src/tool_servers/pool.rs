//! Connections to tool servers: one per server and process, made when needed, closed when idle.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::{McpServerId, WorkspaceId};
use mcp::{ConnectError, Connection};
use store::panics::{panics, unless_panicking};
use tokio::sync::Semaphore;
use tokio::task::AbortHandle;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::connecting::{Connector, Opened};
use super::health::{Health, HealthConfig};
use super::leasing::Lease;
use crate::containers::ContainerGuard;

/// Calls of one server at once, those that wait for its connection included.
const MAX_CALLS: usize = 128;
/// How long it is remembered that a server is left alone.
const HALTED: Duration = Duration::from_secs(3600);
/// Longest time between two looks for idle connections.
const SWEEP: Duration = Duration::from_secs(30);
/// For how long a server that failed is not tried again by calls.
pub(super) const REST: Duration = Duration::from_secs(2);
/// Shortest time between two listings that a server's notices cause.
const NOTICE_REST: Duration = Duration::from_secs(1);

/// The connections of this process. Cheap to clone.
#[derive(Clone)]
pub(super) struct Pool {
    pub(super) connector: Connector,
    pub(super) health: HealthConfig,
    slots: Arc<Mutex<HashMap<McpServerId, Arc<Slot>>>>,
}

/// The place of one server's connection.
pub(super) struct Slot {
    pub(super) calls: Arc<Semaphore>,
    /// Held by whoever needs the connection without calling.
    pub(super) held: Arc<()>,
    pub(super) used_at: Mutex<Instant>,
    pub(super) health: Mutex<Health>,
    /// Starts the server anew while it is unhealthy.
    pub(super) recovery: Mutex<Option<AbortHandle>>,
    /// Locked while connecting, so that all who need the connection wait for the same one.
    pub(super) state: tokio::sync::Mutex<SlotState>,
}

#[derive(Default)]
pub(super) struct SlotState {
    pub(super) live: Option<Arc<Live>>,
    /// When, with which settings and why connecting failed the last time.
    pub(super) failed: Option<(Instant, i32, ConnectError)>,
}

/// A connection and the task that follows its notices.
pub(super) struct Live {
    pub(super) workspace_id: WorkspaceId,
    pub(super) connection: Arc<Connection>,
    pub(super) revision: i32,
    follower: Option<AbortHandle>,
    /// The process of the fleet that it goes through.
    pub(super) through: Option<Uuid>,
    watcher: Option<AbortHandle>,
    /// Its container goes with the connection.
    pub(super) container: Option<ContainerGuard>,
}

impl Pool {
    pub(super) fn new(connector: Connector, health: HealthConfig) -> Self {
        Self {
            connector,
            health,
            slots: Arc::default(),
        }
    }

    /// Closes idle connections, and all when `stopping`.
    pub(super) fn start(&self, stopping: CancellationToken) {
        let this = self.clone();
        tokio::spawn(async move {
            let sweeping = async {
                let pause = SWEEP.min(this.health.idle / 4);
                loop {
                    tokio::time::sleep(pause).await;
                    panics(async { this.sweep() }).await;
                }
            };
            tokio::select! {
                () = stopping.cancelled() => {}
                () = this.look_after(&stopping) => {}
                () = sweeping => {}
            }
            this.disconnect_all();
        });
    }

    /// Ends every connection.
    pub(super) fn disconnect_all(&self) {
        for (_, slot) in self.lock().drain() {
            slot.give_up();
        }
    }

    /// Connects anew, whatever there is; an attempt that is under way is not waited for.
    pub(super) async fn reconnect(
        &self,
        workspace_id: WorkspaceId,
        server_id: McpServerId,
    ) -> Result<(), ConnectError> {
        self.disconnect(server_id);
        let slot = self.slot(server_id);
        let mut state = slot.state.lock().await;
        let opened = self.open(&mut state, workspace_id, server_id, 0).await;
        opened.map(drop)
    }

    pub(super) async fn open(
        &self,
        state: &mut SlotState,
        workspace_id: WorkspaceId,
        server_id: McpServerId,
        revision: i32,
    ) -> Result<Arc<Live>, ConnectError> {
        if let Some(old) = state.live.take()
            && old.connection.is_closed()
        {
            // An end that nobody has noticed yet counts, too, however fast the next call comes.
            old.ends_soon().await;
        }
        match self.connector.open(workspace_id, server_id).await {
            Ok(opened) => {
                let live = Arc::new(self.live(workspace_id, server_id, opened));
                state.live = Some(live.clone());
                state.failed = None;
                Ok(live)
            }
            Err(error) => {
                state.failed = Some((Instant::now(), revision, error.clone()));
                Err(error)
            }
        }
    }

    fn live(&self, workspace_id: WorkspaceId, server_id: McpServerId, opened: Opened) -> Live {
        let Opened {
            connection,
            revision,
            container,
            through,
        } = opened;
        let watcher = container.as_ref().map(|container| {
            let (this, ended) = (self.clone(), container.ended());
            let watch = async move {
                if let Some(reason) = ended.await {
                    let server = (workspace_id, server_id);
                    this.restart_behind(server, revision, reason);
                }
            };
            tokio::spawn(watch).abort_handle()
        });
        let (connector, followed) = (self.connector.clone(), connection.clone());
        let following = async move {
            loop {
                followed.changed().await;
                let kept = connector.keep_tools(workspace_id, server_id, revision, &followed);
                if let Some(Err(error)) = unless_panicking(kept).await {
                    tracing::info!(
                        mcp_server.id = %server_id,
                        error = %error,
                        "a tool server's changed tools cannot be listed"
                    );
                }
                tokio::time::sleep(NOTICE_REST).await;
            }
        };
        let follower = match through {
            // The process that runs it follows it.
            Some(_) => None,
            None => Some(tokio::spawn(following).abort_handle()),
        };
        Live {
            workspace_id,
            connection,
            revision,
            follower,
            through,
            watcher,
            container,
        }
    }

    /// Notes that a server wants more rights than it was given.
    pub(super) async fn want_rights(&self, lease: &Lease, scope: &str) {
        let live = &lease.live;
        self.connector
            .want_rights(live.workspace_id, lease.server_id, live.revision, scope)
            .await;
    }

    /// Lets no further call use a connection by which one had no answer. A container goes with its
    /// connection and other calls are under way in it, so it is asked first whether it is there.
    pub(super) fn doubt(&self, lease: &Lease) {
        let (server_id, live) = (lease.server_id, lease.live.clone());
        if live.container.is_none() {
            return self.forget_connection(server_id, &live);
        }
        let this = self.clone();
        tokio::spawn(async move {
            let answer = live.connection.ping(this.health.timeout).await;
            if let Err(ConnectError::Timeout { .. } | ConnectError::Unreachable(_)) = answer
                // Whoever watches the container sees to what comes after its end.
                && !live.ends_soon().await
            {
                this.forget_connection(server_id, &live);
            }
        });
    }

    fn forget_connection(&self, server_id: McpServerId, live: &Arc<Live>) {
        let slot = self.lock().get(&server_id).cloned();
        let Some(slot) = slot else { return };
        // Somebody who holds the lock is connecting anew already.
        if let Ok(mut state) = slot.state.try_lock() {
            let is_same = |other: &Arc<Live>| Arc::ptr_eq(other, live);
            if state.live.as_ref().is_some_and(is_same) {
                state.live = None;
            }
        }
    }

    /// Ends the connection to a server; calls that use it may go on to their end.
    pub(super) fn disconnect(&self, server_id: McpServerId) {
        let slot = self.lock().remove(&server_id);
        if let Some(slot) = slot {
            slot.give_up();
        }
    }

    fn sweep(&self) {
        self.lock().retain(|_, slot| {
            // One that is left alone is remembered for as long as its loop would last.
            let is_halted = lock(&slot.health).halted.is_some();
            let idle = match is_halted {
                true => HALTED,
                false => self.health.idle,
            };
            slot.is_busy() || slot.is_held() || lock(&slot.used_at).elapsed() < idle
        });
    }

    pub(super) fn slot(&self, server_id: McpServerId) -> Arc<Slot> {
        let mut slots = self.lock();
        let slot = slots.entry(server_id).or_insert_with(|| {
            Arc::new(Slot {
                calls: Arc::new(Semaphore::new(MAX_CALLS)),
                held: Arc::default(),
                used_at: Mutex::new(Instant::now()),
                health: Mutex::default(),
                recovery: Mutex::default(),
                state: tokio::sync::Mutex::default(),
            })
        });
        *lock(&slot.used_at) = Instant::now();
        slot.clone()
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, HashMap<McpServerId, Arc<Slot>>> {
        lock(&self.slots)
    }
}

impl Live {
    /// Whether it can still be used, as far as is known.
    pub(super) fn runs(&self) -> bool {
        let has_ended = |container: &ContainerGuard| container.has_ended();
        !self.connection.is_closed() && !self.container.as_ref().is_some_and(has_ended)
    }

    async fn ends_soon(&self) -> bool {
        match &self.container {
            Some(container) => container.ends_soon().await,
            None => false,
        }
    }
}

impl Slot {
    /// Whether a call is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.calls.available_permits() < MAX_CALLS
    }

    /// Whether somebody needs the connection without calling.
    fn is_held(&self) -> bool {
        Arc::strong_count(&self.held) > 1
    }

    /// Has somebody start the server anew, unless somebody is at it. Whoever disconnects the server
    /// ends that.
    pub(super) fn recover_by(self: &Arc<Self>, work: impl Future<Output = ()> + Send + 'static) {
        if std::mem::replace(&mut lock(&self.health).is_recovering, true) {
            return;
        }
        let slot = self.clone();
        let recovering = tokio::spawn(async move {
            panics(work).await;
            lock(&slot.health).is_recovering = false;
        });
        *lock(&self.recovery) = Some(recovering.abort_handle());
    }

    /// Lets nobody start the server anew from here.
    fn give_up(&self) {
        if let Some(recovery) = lock(&self.recovery).take() {
            recovery.abort();
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Live {
    fn drop(&mut self) {
        if let Some(follower) = &self.follower {
            follower.abort();
        }
        // Before the container goes: its end is no crash then.
        if let Some(watcher) = &self.watcher {
            watcher.abort();
        }
    }
}
