//! The worker: executes runs under leases, renews them, adopts those of dead workers.

mod adopt;
mod execute;
mod log;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::agents::AgentConfig;
use domain::{ConversationId, MessageId, RunId, Timestamp};
use llm::ModelMessage;
use store::Store;
use store::bus::Bus;
use store::events::LoggedEvent;
use store::runs::Lease;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use uuid::Uuid;

use crate::models::ModelPool;
use crate::watch;

/// A lease lasts 10 s and is renewed three times in that.
const RENEW_EVERY: Duration = Duration::from_secs(3);
/// How often the queue is looked at when nobody wakes the worker.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long runs may go on when the process is told to stop.
const GRACE: Duration = Duration::from_secs(2);

/// Runs agents. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Worker {
    inner: Arc<Inner>,
}

struct Inner {
    id: Uuid,
    store: Store,
    bus: Bus,
    models: Arc<ModelPool>,
    slots: Arc<Semaphore>,
    runs_per_workspace: u32,
    active: Mutex<HashMap<RunId, ActiveRun>>,
    waker: Notify,
    /// Whether a run may be waiting in the queue for one of this process to end.
    may_be_queued: AtomicBool,
    tasks: TaskTracker,
    /// Ends every run's task without ending the run: another worker takes it over.
    handing_back: CancellationToken,
}

struct ActiveRun {
    lease: Lease,
    cancel: CancellationToken,
    abandon: CancellationToken,
}

/// The two ways to stop a run early.
struct Stops {
    /// A person wants no more; the run is ended.
    cancel: CancellationToken,
    /// The run is somebody else's, or shall be; it is left as it is.
    abandon: CancellationToken,
}

/// Room for one run.
pub(crate) struct Slot {
    _permit: OwnedSemaphorePermit,
}

/// A run whose beginning is written.
pub(crate) struct StartedRun {
    pub(crate) lease: Lease,
    pub(crate) answer_id: MessageId,
    pub(crate) config: AgentConfig,
    /// Version of the connection, to find its client without asking the database.
    pub(crate) connection_updated_at: Option<Timestamp>,
    /// The conversation up to the question, oldest first.
    pub(crate) messages: Vec<ModelMessage>,
    pub(crate) is_cancel_requested: bool,
}

impl Worker {
    pub(crate) fn new(
        store: Store,
        bus: Bus,
        models: Arc<ModelPool>,
        capacity: usize,
        runs_per_workspace: u32,
    ) -> Self {
        let inner = Inner {
            id: Uuid::now_v7(),
            store,
            bus,
            models,
            slots: Arc::new(Semaphore::new(capacity)),
            runs_per_workspace,
            active: Mutex::default(),
            waker: Notify::new(),
            may_be_queued: AtomicBool::new(false),
            tasks: TaskTracker::new(),
            handing_back: CancellationToken::new(),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Names this process in leases.
    pub(crate) fn id(&self) -> Uuid {
        self.inner.id
    }

    /// Room for one more run, if there is any.
    pub(crate) fn try_reserve(&self) -> Option<Slot> {
        if self.inner.handing_back.is_cancelled() {
            return None;
        }
        let permit = self.inner.slots.clone().try_acquire_owned().ok()?;
        Some(Slot { _permit: permit })
    }

    /// Has the queue looked at soon, and again when a run ends.
    pub(crate) fn wake(&self) {
        self.inner.may_be_queued.store(true, Ordering::Release);
        self.inner.waker.notify_one();
    }

    /// Executes a run in a task of its own; shows `logged`, its beginning, first.
    pub(crate) fn execute(&self, slot: Slot, run: StartedRun, logged: &[LoggedEvent]) {
        let publisher = self.inner.bus.publisher(run.lease.conversation_id);
        let active = ActiveRun {
            lease: run.lease,
            cancel: CancellationToken::new(),
            abandon: self.inner.handing_back.child_token(),
        };
        if run.is_cancel_requested {
            active.cancel.cancel();
        }
        let (cancel, abandon) = (active.cancel.clone(), active.abandon.clone());
        let run_id = run.lease.run_id;
        self.lock().insert(run_id, active);
        metrics::gauge!("agentarea_runs_active").increment(1);
        watch::publish(&publisher, logged);
        let worker = self.clone();
        self.inner.tasks.spawn(async move {
            execute::execute(&worker, run, publisher, Stops { cancel, abandon }).await;
            worker.lock().remove(&run_id);
            metrics::gauge!("agentarea_runs_active").decrement(1);
            drop(slot);
            if worker.inner.may_be_queued.load(Ordering::Acquire) {
                worker.inner.waker.notify_one();
            }
        });
    }

    /// Stops a run of this process; one of another process hears of it with its next renewal.
    pub(crate) fn cancel(&self, run_id: RunId) {
        if let Some(run) = self.lock().get(&run_id) {
            run.cancel.cancel();
        }
        // A queued run is taken at once, to be ended as cancelled.
        self.wake();
    }

    /// Drops the runs of a conversation that is gone.
    pub(crate) fn abandon_conversation(&self, id: ConversationId) {
        for run in self.lock().values() {
            if run.lease.conversation_id == id {
                run.abandon.cancel();
            }
        }
    }

    /// Starts taking runs until `stopping`.
    pub(crate) fn start(&self, stopping: &CancellationToken, is_alone: bool) {
        tokio::spawn(adopt::take_runs(self.clone(), stopping.clone(), is_alone));
        tokio::spawn(adopt::renew_leases(
            self.clone(),
            self.inner.handing_back.clone(),
        ));
    }

    /// Gives runs a moment to end, then hands the rest back to the queue.
    pub(crate) async fn finish(&self) {
        self.inner.tasks.close();
        let _ = tokio::time::timeout(GRACE, self.inner.tasks.wait()).await;
        self.inner.handing_back.cancel();
        self.inner.tasks.wait().await;
        adopt::release_leases(self).await;
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, ActiveRun>> {
        self.inner.active.lock().expect("no holder panics")
    }
}
