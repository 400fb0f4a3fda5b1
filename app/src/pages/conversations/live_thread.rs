//! The thread as signals: one token touches one text node.

use domain::conversations::{Message, MessageRole, Thread};
use domain::events::{Event, FinishReason, TextDelta};
use domain::runs::{RunError, RunStatus};
use domain::tools::ToolCall;
use domain::{MessageId, RunId, Timestamp};
use leptos::prelude::*;

use crate::pages::conversations::thread_state::{Change, ThreadState};

/// A message whose parts change by themselves.
#[derive(Clone)]
pub struct LiveMessage {
    /// The id.
    pub id: MessageId,
    /// Who wrote it.
    pub role: MessageRole,
    /// The run it belongs to.
    pub run_id: RunId,
    /// When it was begun.
    pub created_at: Timestamp,
    /// The text.
    pub text: ArcRwSignal<String>,
    /// Tools that it asked for.
    pub tool_calls: ArcRwSignal<Vec<ToolCall>>,
    /// How it ended.
    pub finish_reason: ArcRwSignal<Option<FinishReason>>,
    /// Why it failed.
    pub error: ArcRwSignal<Option<RunError>>,
}

/// A thread that follows its events.
#[derive(Clone, Copy)]
pub struct LiveThread {
    state: StoredValue<ThreadState>,
    /// Messages, oldest first.
    pub messages: RwSignal<Vec<LiveMessage>>,
    /// The oldest run that has not ended.
    pub active_run: RwSignal<Option<(RunId, RunStatus)>>,
    /// What screen readers are told.
    pub announcement: RwSignal<&'static str>,
    /// Counts ended runs, for lists that show their status.
    pub ended_runs: RwSignal<u32>,
}

impl LiveThread {
    /// Starts from a snapshot.
    pub fn new(thread: &Thread) -> Self {
        let state = ThreadState::new(thread);
        Self {
            messages: RwSignal::new(state.messages().iter().map(LiveMessage::new).collect()),
            active_run: RwSignal::new(state.active_run()),
            announcement: RwSignal::new(""),
            ended_runs: RwSignal::new(0),
            state: StoredValue::new(state),
        }
    }

    /// Number of the last event seen.
    pub fn last_seq(self) -> u64 {
        self.state
            .try_with_value(ThreadState::last_seq)
            .unwrap_or_default()
    }

    /// Applies a logged event.
    pub fn apply(self, event: Event) {
        let changes = self.state.try_update_value(|state| state.apply(event));
        for change in changes.unwrap_or_default() {
            self.show(change);
        }
    }

    /// Applies early text.
    pub fn apply_live(self, delta: &TextDelta) {
        let change = self
            .state
            .try_update_value(|state| state.place(delta))
            .flatten();
        if let Some(change) = change {
            self.show(change);
        }
    }

    fn show(self, change: Change) {
        self.state.with_value(|state| match change {
            Change::Added(id) => {
                if let Some(message) = state.message(id) {
                    self.messages
                        .update(|messages| messages.push(LiveMessage::new(message)));
                }
            }
            Change::Text(id) => self.with_both(state, id, |live, message| {
                live.text.set(message.text.clone());
            }),
            Change::Closed(id) => self.with_both(state, id, |live, message| {
                live.finish_reason.set(message.finish_reason);
                live.error.set(message.error.clone());
            }),
            Change::Tools(id) => self.with_both(state, id, |live, message| {
                live.tool_calls.set(message.tool_calls.clone());
            }),
            Change::Run => self.active_run.set(state.active_run()),
            Change::Ended(status) => {
                self.ended_runs.update(|count| *count += 1);
                self.announcement.set(match status {
                    RunStatus::Failed => "Answer failed",
                    RunStatus::Cancelled => "Answer stopped",
                    _ => "Answer complete",
                });
            }
        });
    }

    fn with_both(
        self,
        state: &ThreadState,
        id: MessageId,
        update: impl FnOnce(&LiveMessage, &Message),
    ) {
        self.messages.with_untracked(|messages| {
            let live = messages.iter().rev().find(|message| message.id == id);
            if let (Some(live), Some(message)) = (live, state.message(id)) {
                update(live, message);
            }
        });
    }
}

impl LiveMessage {
    fn new(message: &Message) -> Self {
        Self {
            id: message.id,
            role: message.role,
            run_id: message.run_id,
            created_at: message.created_at,
            text: ArcRwSignal::new(message.text.clone()),
            tool_calls: ArcRwSignal::new(message.tool_calls.clone()),
            finish_reason: ArcRwSignal::new(message.finish_reason),
            error: ArcRwSignal::new(message.error.clone()),
        }
    }
}
