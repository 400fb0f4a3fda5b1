//! The worker: executes runs under leases, renews them, adopts those of dead workers.

mod adopt;
mod artifacts;
mod begin;
mod budget;
mod calls;
mod end;
mod execute;
mod giving_up;
mod log;
mod stage;
mod texts;
mod title;

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use domain::runs::Usage;
use domain::{ConversationId, Error, MessageId, RunId};
use engine::{AskedCall, Spent};
use llm::ModelMessage;
use store::blobs::Blobs;
use store::bus::{Bus, Signal};
use store::events::LoggedEvent;
use store::panics::panics;
use store::runs::{AnsweringAgent, Lease};
use store::{Store, TenantTx};
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::Instrument;
use uuid::Uuid;

pub(crate) use self::calls::asked_call;
use self::stage::Stage;
use self::texts::Texts;
use self::title::Titles;
use crate::agent_cache::AgentCache;
use crate::attachments::Picture;
use crate::budgets::BudgetedWorkspaces;
use crate::models::ModelPool;
use crate::recents::Recents;
use crate::session::Config;
use crate::tool_servers::ToolServers;
use crate::tools::Builtins;

/// A lease lasts 10 s and is renewed three times in that.
const RENEW_EVERY: Duration = Duration::from_secs(3);
/// How often the queue is looked at when nobody wakes the worker.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// How long runs may go on when the process is told to stop.
const GRACE: Duration = Duration::from_secs(2);
/// How long handing back the rest may take.
const HAND_BACK: Duration = Duration::from_secs(10);

/// Runs agents. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Worker {
    inner: Arc<Inner>,
}

struct Inner {
    id: Uuid,
    store: Store,
    blobs: Blobs,
    bus: Bus,
    models: Arc<ModelPool>,
    budgeted: Arc<BudgetedWorkspaces>,
    recents: Recents,
    builtins: Arc<Builtins>,
    tool_servers: ToolServers,
    agents: AgentCache,
    slots: Arc<Semaphore>,
    runs_per_workspace: u32,
    /// How long questions wait for people.
    approval_time: Duration,
    /// Bytes that all files of a workspace may have.
    workspace_file_bytes: u64,
    /// Whether this process takes runs.
    is_taking: AtomicBool,
    active: Mutex<HashMap<RunId, ActiveRun>>,
    waker: Notify,
    /// Whether a run may be waiting in the queue for one of this process to end.
    may_be_queued: AtomicBool,
    tasks: TaskTracker,
    titles: Titles,
    texts: Texts,
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

/// A run of this process.
pub(crate) struct StartedRun {
    pub(crate) lease: Lease,
    /// The message that is open, or asked for `pending`.
    pub(crate) answer_id: MessageId,
    pub(crate) agent: Arc<AnsweringAgent>,
    /// The conversation up to where the run stands, oldest first.
    pub(crate) messages: Vec<ModelMessage>,
    /// Pictures of them that are not loaded yet.
    pub(crate) pictures: Vec<Picture>,
    /// Tool calls to go on with; empty if the model is to be asked next.
    pub(crate) pending: Vec<AskedCall>,
    /// What earlier attempts used up.
    pub(crate) spent: Spent,
    pub(crate) attempt: u32,
    pub(crate) is_cancel_requested: bool,
    /// Number of the log's last event if `messages` are all that came before it.
    pub(crate) whole_log_until: Option<u64>,
}

/// A run whose model is being called already, but which is not known to be written.
pub(crate) struct Begun {
    worker: Worker,
    stage: Arc<Stage>,
    active: Option<ActiveRun>,
}

impl Begun {
    /// The run is written: shows `logged`, its beginning, and the answer as far as it came.
    pub(crate) fn written(mut self, logged: &[LoggedEvent]) {
        let Some(active) = self.active.take() else {
            return;
        };
        let mut runs = self.worker.lock();
        let other = runs.get(&active.lease.run_id);
        // This process itself may have taken over a run that it held under a lower fence.
        if other.is_some_and(|other| other.lease.fence > active.lease.fence) {
            active.abandon.cancel();
            return;
        }
        match runs.insert(active.lease.run_id, active) {
            Some(former) => former.abandon.cancel(),
            None => metrics::gauge!("agentarea_runs_active").increment(1),
        }
        drop(runs);
        self.stage.open(logged);
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        // Still here only if the run was never written.
        if let Some(active) = &self.active {
            active.abandon.cancel();
        }
    }
}

impl Worker {
    #[allow(
        clippy::too_many_arguments,
        reason = "made in one place, of what that place made"
    )]
    pub(crate) fn new(
        store: Store,
        blobs: Blobs,
        bus: Bus,
        models: Arc<ModelPool>,
        budgeted: Arc<BudgetedWorkspaces>,
        recents: Recents,
        builtins: Arc<Builtins>,
        tool_servers: ToolServers,
        agents: AgentCache,
        config: &Config,
    ) -> Self {
        let texts = Texts::new(store.clone());
        let inner = Inner {
            id: Uuid::now_v7(),
            store,
            blobs,
            bus,
            models,
            budgeted,
            recents,
            builtins,
            tool_servers,
            agents,
            slots: Arc::new(Semaphore::new(config.runs_per_worker)),
            runs_per_workspace: config.runs_per_workspace,
            approval_time: config.approval_time,
            workspace_file_bytes: config.files.workspace_bytes,
            is_taking: AtomicBool::new(false),
            active: Mutex::default(),
            waker: Notify::new(),
            may_be_queued: AtomicBool::new(false),
            tasks: TaskTracker::new(),
            titles: Titles::new(),
            texts,
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
        let is_taking = self.inner.is_taking.load(Ordering::Acquire);
        if !is_taking || self.inner.handing_back.is_cancelled() {
            return None;
        }
        let permit = self.inner.slots.clone().try_acquire_owned().ok()?;
        Some(Slot { _permit: permit })
    }

    /// Has every process look at the queue soon, and again when one of its runs ends.
    pub(crate) fn wake_all(&self) {
        self.look();
        self.inner.bus.signal(Signal::QueueGrown);
    }

    /// Has this process look at the queue soon, and again when one of its runs ends.
    pub(crate) fn look(&self) {
        self.inner.may_be_queued.store(true, Ordering::Release);
        self.inner.waker.notify_one();
    }

    /// Starts a run's model call in a task of its own, while the run is being written.
    ///
    /// The call has no effect but its cost, so it need not wait for the write. Its answer does: it
    /// is shown and kept only from [`Begun::written`] on; dropping the [`Begun`] drops the call.
    pub(crate) fn begin(&self, slot: Slot, run: StartedRun) -> Begun {
        let stage = Arc::new(Stage::new(
            self.inner.bus.publisher(run.lease.conversation_id),
        ));
        let active = ActiveRun {
            lease: run.lease,
            cancel: CancellationToken::new(),
            abandon: self.inner.handing_back.child_token(),
        };
        if run.is_cancel_requested {
            active.cancel.cancel();
        }
        let stops = Stops {
            cancel: active.cancel.clone(),
            abandon: active.abandon.clone(),
        };
        let begun = Begun {
            worker: self.clone(),
            stage: stage.clone(),
            active: Some(active),
        };
        let worker = self.clone();
        let span = tracing::info_span!(
            target: "agentarea::trace", "run",
            run.id = %run.lease.run_id, conversation.id = %run.lease.conversation_id,
            workspace.id = %run.lease.workspace_id, agent.id = %run.agent.id,
            gen_ai.request.model = run.agent.config.model.name,
        );
        let executing = async move {
            let (lease, answer_id) = (run.lease, run.answer_id);
            let (opened, abandon) = (stage.clone(), stops.abandon.clone());
            let executed = execute::execute(&worker, run, stage, stops);
            if panics(executed).await {
                // Its lease would be renewed for ever, and its conversation wait as long.
                panics(worker.end_panicked(lease, answer_id, &opened, &abandon)).await;
            }
            worker.forget(lease);
            drop(slot);
            if worker.inner.may_be_queued.load(Ordering::Acquire) {
                worker.inner.waker.notify_one();
            }
        };
        self.inner.tasks.spawn(executing.instrument(span));
        begun
    }

    /// Ends a run whose task hit a fault of this program; if that cannot be written, the run is taken
    /// again once its lease has run out.
    async fn end_panicked(
        &self,
        lease: Lease,
        answer_id: MessageId,
        stage: &Stage,
        abandon: &CancellationToken,
    ) {
        tracing::error!(run.id = %lease.run_id, "panic in a run");
        tokio::select! {
            () = abandon.cancelled() => return,
            () = stage.opened() => {}
        }
        let error = Some(giving_up::internal_fault());
        let given_up = giving_up::give_up(self, lease, answer_id, error);
        if let Err(error) = given_up.await {
            tracing::warn!(run.id = %lease.run_id, error = %error, "end a run after a panic");
        }
    }

    /// Renews a lease no more; one of the same run with a higher fence stays.
    fn forget(&self, lease: Lease) {
        let mut active = self.lock();
        if active
            .get(&lease.run_id)
            .is_some_and(|run| run.lease.fence == lease.fence)
        {
            active.remove(&lease.run_id);
            metrics::gauge!("agentarea_runs_active").decrement(1);
        }
    }

    /// Stops a run, wherever it runs; a process that does not hear of it does so with its next
    /// renewal.
    pub(crate) fn cancel(&self, run_id: RunId) {
        if self.cancel_here(run_id) {
            return;
        }
        self.inner.bus.signal(Signal::CancelRun(run_id));
        // A queued run is taken at once, to be ended as cancelled.
        self.wake_all();
    }

    /// Stops a run if it is one of this process.
    pub(crate) fn cancel_here(&self, run_id: RunId) -> bool {
        let active = self.lock();
        let run = active.get(&run_id);
        if let Some(run) = run {
            run.cancel.cancel();
        }
        run.is_some()
    }

    /// What the model call used up that is under way in a conversation, as far as one can tell.
    pub(crate) async fn used_so_far(
        &self,
        tx: &mut TenantTx,
        id: ConversationId,
    ) -> Result<Usage, Error> {
        let used = begin::used_so_far(self, tx, id).await?;
        Ok(used.unwrap_or_default())
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
        self.inner.is_taking.store(true, Ordering::Release);
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
        // Where the database has gone without a word nothing can be handed back: leases run out.
        let handed_back = async {
            self.inner.tasks.wait().await;
            self.inner.titles.stop().await;
            adopt::release_leases(self).await;
        };
        if tokio::time::timeout(HAND_BACK, handed_back).await.is_err() {
            tracing::warn!("runs are not handed back in time; their leases run out");
        }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<RunId, ActiveRun>> {
        self.inner.active.lock().expect("no holder panics")
    }
}
