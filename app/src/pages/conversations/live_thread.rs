//! The thread as signals: one token touches one text node.

use domain::conversations::{Message, MessageRole, Thread, ThreadMessage};
use domain::events::{Event, HtmlBlock, TextDelta};
use domain::files::AttachedFile;
use domain::runs::RunStatus;
use domain::{ConversationId, Cursor, MessageId, RunId};
use leptos::prelude::*;

use crate::pages::conversations::html::show_block;
use crate::pages::conversations::live_message::LiveMessage;
#[cfg(not(feature = "ssr"))]
use crate::pages::conversations::server::{OpenThread, ThreadPage};
use crate::pages::conversations::thread_state::{Change, ThreadState};
#[cfg(not(feature = "ssr"))]
use crate::time::AsOf;
use crate::ui::{Toasts, use_toasts};

/// Parts of answers kept for messages that the page does not know yet.
const MAX_EARLY: usize = 500;

/// A thread that follows its events.
#[derive(Clone, Copy)]
pub struct LiveThread {
    id: ConversationId,
    state: StoredValue<ThreadState>,
    /// Parts of answers that came before the page knew their messages.
    early: StoredValue<Vec<HtmlBlock>>,
    /// Messages, oldest first.
    pub messages: RwSignal<Vec<LiveMessage>>,
    /// The oldest run that has not ended.
    pub active_run: RwSignal<Option<(RunId, RunStatus)>>,
    /// What screen readers are told.
    pub announcement: RwSignal<&'static str>,
    toasts: Toasts,
    /// Counts ended runs, for lists that show their status.
    pub ended_runs: RwSignal<u32>,
    /// The conversation's title.
    pub title: RwSignal<String>,
    /// Where older messages are.
    pub older: RwSignal<Option<Cursor>>,
    /// Whether messages are on their way, or have just come in before what is seen.
    pub is_reading: RwSignal<bool>,
}

impl LiveThread {
    /// Starts from a snapshot.
    pub fn new(thread: &Thread) -> Self {
        let state = ThreadState::new(thread);
        Self {
            id: thread.conversation.id,
            early: StoredValue::new(Vec::new()),
            title: RwSignal::new(thread.conversation.title.clone()),
            older: RwSignal::new(thread.older.clone()),
            is_reading: RwSignal::new(false),
            messages: RwSignal::new(thread.messages.iter().map(LiveMessage::new).collect()),
            active_run: RwSignal::new(state.active_run()),
            announcement: RwSignal::new(""),
            toasts: use_toasts(),
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

    /// Last run of the branch that is shown.
    pub fn head(self) -> Option<RunId> {
        self.state.try_with_value(ThreadState::head).flatten()
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

    /// Shows a part of an answer as HTML.
    pub fn apply_html(self, block: HtmlBlock) {
        self.messages.with_untracked(|messages| {
            let live = messages
                .iter()
                .rev()
                .find(|message| message.id == block.message_id);
            let Some(live) = live else {
                self.early.update_value(|early| {
                    if early.len() < MAX_EARLY {
                        early.push(block);
                    }
                });
                return;
            };
            let has_ended = live.finish_reason.with_untracked(Option::is_some);
            // A part may come late, behind the whole.
            if block.is_whole == has_ended && !show_block(&block) {
                live.html.set(block.html);
            }
        });
    }

    /// The conversation got a title; the list beside it shows that, too.
    pub fn rename(self, title: String) {
        self.title.set(title);
        self.ended_runs.update(|count| *count += 1);
    }

    /// Whether an answer is written or waited for: until then nothing else can be asked again.
    pub fn is_answering(self) -> bool {
        self.active_run.with(Option::is_some)
    }

    /// The text of a message, as far as it is known.
    pub fn text_of(self, id: MessageId) -> Option<String> {
        self.state
            .try_with_value(|state| Some(state.message(id)?.text.clone()))
            .flatten()
    }

    /// Whether the last message of a person says this.
    pub fn was_asked(self, text: &str) -> bool {
        self.messages.with_untracked(|messages| {
            let mut asked = messages.iter().rev();
            let last = asked.find(|message| message.role == MessageRole::User);
            last.is_some_and(|message| message.text.trim() == text.trim())
        })
    }

    /// The files of a message.
    pub fn files_of(self, id: MessageId) -> Vec<AttachedFile> {
        self.state
            .try_with_value(|state| Some(state.message(id)?.files.clone()))
            .flatten()
            .unwrap_or_default()
    }

    /// Reads the conversation again, as after another branch was chosen.
    pub fn reload(self) {
        self.read(None);
    }

    /// Reads older messages, unless they are on their way or there are none.
    pub fn read_older(self) {
        if let Some(Cursor(before)) = self.older.get_untracked()
            && !self.is_reading.get_untracked()
        {
            self.read(Some(before));
        }
    }

    /// The server reads nothing: it renders.
    #[cfg(feature = "ssr")]
    fn read(self, _: Option<String>) {
        let _ = self.id;
    }

    #[cfg(not(feature = "ssr"))]
    fn read(self, before: Option<String>) {
        let asked = before.clone().map(Cursor);
        let calling = crate::call::call(OpenThread {
            id: self.id,
            before,
        });
        let titled = self.title.get_untracked();
        self.is_reading.set(true);
        leptos::task::spawn_local(async move {
            let answer = calling.await.and_then(|answer| answer.read());
            // The page may be gone by now.
            if self.is_reading.try_get_untracked().is_none() {
                return;
            }
            // Without an answer the stream, or the next scroll, brings another try.
            if let Ok(AsOf { value, .. }) = answer {
                let value: ThreadPage = value;
                match asked {
                    None => self.reset(&value.thread, &titled),
                    // Unless another branch is shown by now.
                    asked if asked == self.older.get_untracked() => self.prepend(&value.thread),
                    Some(_) => {}
                }
            }
            // After the next layout, in which what is seen keeps its place.
            request_animation_frame(move || {
                request_animation_frame(move || {
                    self.is_reading.try_set(false);
                });
            });
        });
    }

    #[cfg(not(feature = "ssr"))]
    fn prepend(self, older: &Thread) {
        self.state.update_value(|state| state.prepend(older));
        self.older.set(older.older.clone());
        self.messages.update(|messages| {
            messages.splice(0..0, older.messages.iter().map(LiveMessage::new));
        });
    }

    /// Shows another branch; what stays keeps its place. A title that came by the stream since
    /// `titled` was there is newer than what was read.
    #[cfg(not(feature = "ssr"))]
    fn reset(self, thread: &Thread, titled: &str) {
        if self.title.with_untracked(|title| title == titled) {
            self.title.set(thread.conversation.title.clone());
        }
        if thread.last_seq < self.last_seq() {
            // The stream has said more meanwhile, and says nothing twice.
            self.reload();
            return;
        }
        let known = self.messages.get_untracked();
        let messages = thread.messages.iter().map(|shown| {
            let same = known.iter().find(|live| live.id == shown.message.id);
            match same {
                Some(live) => live.again(shown),
                None => LiveMessage::new(shown),
            }
        });
        self.messages.set(messages.collect());
        self.older.set(thread.older.clone());
        let state = ThreadState::new(thread);
        self.active_run.set(state.active_run());
        self.state.set_value(state);
        let early = self.early.try_update_value(std::mem::take);
        request_animation_frame(move || {
            for block in early.unwrap_or_default() {
                self.apply_html(block);
            }
        });
    }

    fn show(self, change: Change) {
        self.state.with_value(|state| match change {
            Change::Added(id) => {
                if let Some(message) = state.message(id) {
                    let message = LiveMessage::new(&ThreadMessage {
                        message: message.clone(),
                        html: String::new(),
                        variants: None,
                    });
                    let place = state.position(id).unwrap_or(usize::MAX);
                    self.messages.update(|messages| {
                        messages.insert(place.min(messages.len()), message);
                    });
                }
            }
            Change::Text(id) => self.with_both(state, id, |live, message| {
                let is_empty = message.text.is_empty();
                if live.is_empty.get_untracked() != is_empty {
                    live.is_empty.set(is_empty);
                }
            }),
            Change::Closed(id) => self.with_both(state, id, |live, message| {
                live.finish_reason.set(message.finish_reason);
                live.error.set(message.error.clone());
            }),
            Change::Reasoning(id) => self.with_both(state, id, |live, message| {
                live.reasoning.set(message.reasoning.clone());
                live.thought_ms.set(message.thought_ms);
            }),
            Change::Switched(id) => self.with_both(state, id, |live, message| {
                live.switched.set(message.switched.clone());
            }),
            Change::Tools(id) => self.with_both(state, id, |live, message| {
                live.tool_calls.set(message.tool_calls.clone());
            }),
            Change::Warned => self
                .toasts
                .failure("Most of a budget is spent. The usage page shows how much."),
            Change::Branched => self.reload(),
            Change::Run => {
                self.active_run.set(state.active_run());
                // The same words once more would not be told.
                self.announcement.set("");
            }
            Change::Ended(status) => {
                self.ended_runs.update(|count| *count += 1);
                if self.title.with_untracked(String::is_empty) {
                    // The first message has given it one.
                    self.reload();
                }
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
