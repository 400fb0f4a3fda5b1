//! Where a run writes what it does: watchers at once, journal and log in transactions.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use domain::events::{EventBody, ModelSwitched, TextDelta, ToolCallStarted};
use domain::runs::Usage;
use domain::{AgentId, CallId, MessageId};
use engine::{AskedCall, AskingMessage, CallResult, CallState, LeaseLost, Pieces, RunLog, Verdict};
use llm::chain::{LastAsked, Switch};
use store::Store;
use store::approvals::NewApproval;
use store::events::{LoggedEvent, NewEvent};
use store::runs::{Attempt, Lease, NewStep, StartedCall, WholeMessage};
use store::tool_calls::{CallOutcome, StoredCall};

use super::artifacts::Artifacts;
use super::calls::{asked, asked_call, completed, question, stored};
use super::stage::Stage;
use super::texts::Texts;
use crate::conversations::{answer_created, new_event};
use crate::mint;

/// Pauses between tries while the database is away: about 30 s in all.
const PAUSES_MS: [u64; 9] = [50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 10_000];

/// Longest wait for one try: a connection may have died without a word.
const TRY_LASTS: Duration = Duration::from_secs(15);

/// The log of one run.
pub(super) struct Log {
    pub(super) store: Store,
    pub(super) texts: Texts,
    pub(super) lease: Lease,
    pub(super) begun: Instant,
    pub(super) agent_id: AgentId,
    /// How long its questions wait for people.
    pub(super) approval_time: Duration,
    /// The model's name, for the journal.
    pub(super) target: String,
    pub(super) attempt: u32,
    /// The message that is open, or was last.
    pub(super) message_id: Mutex<MessageId>,
    pub(super) stage: Arc<Stage>,
    /// Models that took over and are not logged yet.
    pub(super) switches: Arc<Mutex<Vec<Switch>>>,
    /// The model that was asked last.
    pub(super) asked: LastAsked,
    pub(super) artifacts: Artifacts,
    /// What else the log shall tell and does not yet.
    pub(super) notices: Arc<Mutex<Vec<EventBody>>>,
    /// Number of the log's last event while nobody else has written into it during the run.
    pub(super) whole_until: Mutex<Option<u64>>,
}

/// One transaction of the journal.
#[derive(Clone, Copy)]
enum Entry<'a> {
    Text,
    AskingMessage {
        message: WholeMessage<'a>,
        calls: &'a [StoredCall],
        approvals: &'a [NewApproval],
    },
    NewMessage {
        id: MessageId,
        attempt: Attempt<'a>,
    },
    StartedCalls(&'a [StartedCall<'a>]),
    FinishedCall(CallOutcome<'a>),
}

impl Log {
    /// Takes notice of this run's own events.
    pub(super) fn note(&self, logged: &[LoggedEvent]) {
        let (Some(first), Some(last)) = (logged.first(), logged.last()) else {
            return;
        };
        let mut whole_until = self.whole_until.lock().expect("no holder panics");
        *whole_until = whole_until
            .is_some_and(|until| until + 1 == first.seq)
            .then_some(last.seq);
    }

    pub(super) fn whole_until(&self) -> Option<u64> {
        *self.whole_until.lock().expect("no holder panics")
    }

    pub(super) fn message_id(&self) -> MessageId {
        *self.message_id.lock().expect("no holder panics")
    }

    /// The name of the model that answers, or was to.
    pub(super) fn answerer(&self) -> String {
        match self.asked.get() {
            Some(asked) => asked.name,
            None => self.target.clone(),
        }
    }

    /// The events of what was said and is not logged yet.
    pub(super) fn said(&self, pieces: Pieces) -> Vec<NewEvent> {
        let message_id = self.message_id();
        let mut events = self.switched(message_id);
        let notices = std::mem::take(&mut *self.notices.lock().expect("no holder panics"));
        events.extend(notices.into_iter().map(new_event));
        if !pieces.reasoning.is_empty() {
            events.push(new_event(EventBody::ReasoningDelta(TextDelta {
                message_id,
                offset: pieces.reasoning_offset as u64,
                text: pieces.reasoning,
            })));
        }
        if !pieces.text.is_empty() {
            events.push(new_event(EventBody::TextDelta(TextDelta {
                message_id,
                offset: pieces.offset as u64,
                text: pieces.text,
            })));
        }
        events
    }

    /// The events of models that took over and are not logged yet.
    fn switched(&self, message_id: MessageId) -> Vec<NewEvent> {
        let switches = std::mem::take(&mut *self.switches.lock().expect("no holder panics"));
        let events = switches.into_iter().map(|switch| {
            new_event(EventBody::ModelSwitched(ModelSwitched {
                message_id,
                from: switch.from,
                to: switch.to,
                reason: switch.reason,
            }))
        });
        events.collect()
    }

    /// Ends and pays what is under way when the run ends between two messages; gives what the run
    /// used up in all, or `None` if it is somebody else's by now.
    pub(super) async fn close_calls(&self) -> Option<Usage> {
        let closed = retrying(|| async {
            let mut tx = self.store.begin(self.lease.workspace_id).await?;
            let total = tx.close_calls(&self.lease, mint::now()).await?;
            tx.commit().await?;
            Ok(total)
        });
        match closed.await {
            Ok(total) => Some(total),
            Err(error) => {
                tracing::warn!(run.id = %self.lease.run_id, error = %error, "close a run's calls");
                None
            }
        }
    }

    /// Writes an entry in a transaction, again while the database is away, and shows its events.
    async fn write(&self, entry: Entry<'_>, events: &[NewEvent]) -> Result<(), LeaseLost> {
        self.stage.opened().await;
        let now = mint::now();
        let lease = &self.lease;
        let written = retrying(|| async {
            let mut tx = self.store.begin(lease.workspace_id).await?;
            let logged = match entry {
                Entry::Text => tx.append_events(lease, events, now).await?,
                Entry::AskingMessage {
                    message,
                    calls,
                    approvals,
                } => {
                    tx.end_asking_message(lease, message, calls, approvals, events, now)
                        .await?
                }
                Entry::NewMessage { id, attempt } => {
                    tx.begin_message(lease, id, attempt, events).await?
                }
                Entry::StartedCalls(calls) => tx.start_calls(lease, calls, events, now).await?,
                Entry::FinishedCall(outcome) => tx.finish_call(lease, outcome, events, now).await?,
            };
            tx.commit().await?;
            Ok(logged)
        });
        match written.await {
            Ok(logged) => {
                self.note(&logged);
                self.stage.publish(&logged);
                Ok(())
            }
            // An earlier try did get through; watchers find its events in the log.
            Err(store::Error::Constraint(name)) if name == "events_id_key" => {
                self.stage.tell_grown();
                Ok(())
            }
            Err(error) => {
                tracing::warn!(run.id = %lease.run_id, error = %error, "a run cannot be written");
                Err(LeaseLost)
            }
        }
    }
}

#[async_trait]
impl RunLog for Log {
    fn show(&self, offset: usize, text: &str) {
        self.stage.show(self.message_id(), offset, text);
    }

    async fn persist(&self, pieces: Pieces) -> Result<(), LeaseLost> {
        let events = self.said(pieces);
        self.stage.opened().await;
        match self.texts.append(self.lease, &events).await {
            Some(logged) => {
                self.note(&logged);
                self.stage.publish(&logged);
                Ok(())
            }
            None => self.write(Entry::Text, &events).await,
        }
    }

    async fn end_message(
        &self,
        message: AskingMessage<'_>,
        calls: &[AskedCall],
    ) -> Result<(), LeaseLost> {
        let now = mint::now();
        let message_id = self.message_id();
        let said = message.said;
        let mut events = self.said(said.rest());
        events.push(new_event(EventBody::MessageCompleted {
            message_id,
            text: said.text.clone(),
            finish_reason: message.finish_reason,
            usage: message.usage,
        }));
        let mut approvals = Vec::new();
        for call in calls {
            match (&call.state, &call.plan.verdict) {
                (CallState::Waiting, Verdict::Ask(reason)) => {
                    let approval = question(self.agent_id, self.approval_time, call, *reason, now);
                    events.push(asked(&approval, message_id));
                    approvals.push(approval);
                }
                (CallState::Done(result), _) => events.push(completed(call.id, result, None)),
                _ => {}
            }
        }
        let stored: Vec<StoredCall> = calls.iter().map(|call| stored(call, message_id)).collect();
        let answerer = self.answerer();
        let whole = WholeMessage {
            answerer: Some(&answerer),
            id: message_id,
            text: &said.text,
            reasoning: &said.reasoning,
            carry: said.carry.as_deref(),
            finish_reason: message.finish_reason,
            usage: message.usage,
        };
        let entry = Entry::AskingMessage {
            message: whole,
            calls: &stored,
            approvals: &approvals,
        };
        self.write(entry, &events).await
    }

    async fn begin_message(&self) -> Result<(), LeaseLost> {
        let id = mint::id();
        let events = [answer_created(id)];
        let attempt = Attempt {
            number: self.attempt,
            step: Some(NewStep {
                id: mint::id(),
                target: &self.target,
            }),
            new_message: Some(id),
            now: mint::now(),
        };
        self.write(Entry::NewMessage { id, attempt }, &events)
            .await?;
        *self.message_id.lock().expect("no holder panics") = id;
        Ok(())
    }

    async fn start_calls(&self, calls: &[AskedCall]) -> Result<(), LeaseLost> {
        let message_id = self.message_id();
        let events: Vec<NewEvent> = calls
            .iter()
            .map(|call| {
                new_event(EventBody::ToolCallStarted(ToolCallStarted {
                    call_id: call.id,
                    message_id,
                    server: call.plan.server.clone(),
                    tool: call.plan.tool.clone(),
                    arguments: call.plan.arguments.clone(),
                }))
            })
            .collect();
        let started: Vec<StartedCall<'_>> = calls
            .iter()
            .map(|call| StartedCall {
                id: call.id,
                target: &call.asked.name,
                attempt: self.attempt,
            })
            .collect();
        self.write(Entry::StartedCalls(&started), &events).await
    }

    async fn finish_call(&self, id: CallId, result: &CallResult) -> Result<(), LeaseLost> {
        let artifact_id = match &result.whole {
            Some(whole) => self.artifacts.keep(&self.lease, id, whole).await,
            None => None,
        };
        let events = [completed(id, result, artifact_id)];
        let outcome = CallOutcome {
            id,
            is_error: result.is_error,
            result: &result.text,
            artifact_id,
            duration_ms: result.duration_ms,
            cost_usd_micros: result.cost_usd_micros,
        };
        self.write(Entry::FinishedCall(outcome), &events).await
    }

    async fn wait_for_people(&self) -> Result<bool, LeaseLost> {
        self.stage.opened().await;
        let waited = retrying(|| async {
            let mut tx = self.store.begin(self.lease.workspace_id).await?;
            let is_waiting = tx.wait_for_people(&self.lease).await?;
            tx.commit().await?;
            Ok(is_waiting)
        });
        waited.await.map_err(|error| {
            tracing::warn!(run.id = %self.lease.run_id, error = %error, "wait for people");
            LeaseLost
        })
    }

    async fn read_calls(&self) -> Result<Vec<AskedCall>, LeaseLost> {
        let message_id = self.message_id();
        let read = retrying(|| async {
            let mut tx = self.store.begin(self.lease.workspace_id).await?;
            tx.list_calls_of_messages(&[message_id]).await
        });
        let calls = read.await.map_err(|error| {
            tracing::warn!(run.id = %self.lease.run_id, error = %error, "read tool calls");
            LeaseLost
        })?;
        Ok(calls.into_iter().map(asked_call).collect())
    }
}

/// Tries a transaction again while the database is away.
///
/// A commit whose answer got lost may have happened. Trying it again then violates the log's key
/// (the events carry ids made before), so nothing is ever written twice: see `events_id_key`. What
/// ends a run finds it ended, as one whose lease is lost.
///
/// # Errors
/// The last error, or at once any error that waiting does not mend.
pub(super) async fn retrying<T, F>(work: impl Fn() -> F) -> store::Result<T>
where
    F: Future<Output = store::Result<T>>,
{
    for pause in PAUSES_MS {
        match store::within(TRY_LASTS, work()).await {
            Err(store::Error::Unavailable(_)) => {
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            other => return other,
        }
    }
    store::within(TRY_LASTS, work()).await
}
