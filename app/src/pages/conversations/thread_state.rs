//! What the conversation page knows, and how events change it. Plain logic: no signals, no browser.

use domain::conversations::{Message, MessageRole, Thread};
use domain::events::{Event, EventBody, FinishReason, ModelSwitched, QueuedRun, RunEnd, TextDelta};
use domain::runs::{RunError, RunStatus};
use domain::{MessageId, RunId, Timestamp};

/// Messages and active runs as of the last event seen.
#[derive(Debug)]
pub struct ThreadState {
    last_seq: u64,
    pub(super) messages: Vec<Message>,
    active: Vec<(RunId, RunStatus)>,
    /// Last run of the branch that is shown.
    head: Option<RunId>,
    /// A person's message whose run is not known yet; the log brings it at once.
    waiting: Option<Message>,
}

/// What an event changed; the view touches only that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    /// A message was added.
    Added(MessageId),
    /// Another branch is shown now; this one must be read again.
    Branched,
    /// A message's text is another.
    Text(MessageId),
    /// A message ended, or its run failed.
    Closed(MessageId),
    /// The model thought on.
    Reasoning(MessageId),
    /// A fallback writes the message.
    Switched(MessageId),
    /// A message's tool calls stand elsewhere.
    Tools(MessageId),
    /// Most of a budget is spent.
    Warned,
    /// Another run is active, or it stands elsewhere.
    Run,
    /// A run ended.
    Ended(RunStatus),
}

impl ThreadState {
    /// The state of a snapshot.
    pub fn new(thread: &Thread) -> Self {
        let status = thread.active_status.unwrap_or(RunStatus::Running);
        Self {
            last_seq: thread.last_seq,
            messages: thread
                .messages
                .iter()
                .map(|shown| shown.message.clone())
                .collect(),
            active: thread
                .active_run
                .map(|run| (run, status))
                .into_iter()
                .collect(),
            head: thread.conversation.head_run_id,
            waiting: None,
        }
    }

    /// Number of the last event contained; a stream goes on after it.
    pub fn last_seq(&self) -> u64 {
        self.last_seq
    }

    /// Last run of the branch that is shown.
    pub fn head(&self) -> Option<RunId> {
        self.head
    }

    /// One message.
    pub fn message(&self, id: MessageId) -> Option<&Message> {
        self.messages.iter().rev().find(|message| message.id == id)
    }

    /// Where a message stands among all.
    pub fn position(&self, id: MessageId) -> Option<usize> {
        self.messages.iter().rposition(|message| message.id == id)
    }

    /// Puts older messages before those that are known.
    #[cfg(not(feature = "ssr"))]
    pub fn prepend(&mut self, older: &Thread) {
        let older = older.messages.iter().map(|shown| shown.message.clone());
        self.messages.splice(0..0, older);
    }

    /// The oldest run that has not ended.
    pub fn active_run(&self) -> Option<(RunId, RunStatus)> {
        self.active.first().copied()
    }

    /// Applies a logged event; one that is known already changes nothing.
    pub fn apply(&mut self, event: Event) -> Vec<Change> {
        if event.seq <= self.last_seq {
            return Vec::new();
        }
        self.last_seq = event.seq;
        let run_id = event.run_id;
        match event.body {
            EventBody::MessageCreated { message } => {
                if self.message(message.id).is_some() {
                    return Vec::new();
                }
                let message = Message {
                    id: message.id,
                    role: message.role,
                    text: message.text,
                    reasoning: String::new(),
                    thought_ms: None,
                    tool_calls: Vec::new(),
                    attachments: message.attachments,
                    files: message.files,
                    switched: None,
                    run_id,
                    finish_reason: None,
                    error: None,
                    created_at: event.time,
                };
                match message.role {
                    MessageRole::User => {
                        self.waiting = Some(message);
                        Vec::new()
                    }
                    MessageRole::Assistant => self.add(message).into_iter().collect(),
                }
            }
            EventBody::RunQueued(queued) => self.queue(run_id, queued),
            EventBody::RunStarted(_) => self.set_status(run_id, RunStatus::Running),
            EventBody::RunAdopted(_) => {
                let mut changes = self.forget_thoughts(run_id);
                changes.extend(self.set_status(run_id, RunStatus::Running));
                changes
            }
            EventBody::TextDelta(delta) => self.place(&delta).into_iter().collect(),
            EventBody::TextTruncated { message_id, offset } => self.truncate(message_id, offset),
            EventBody::MessageCompleted {
                message_id,
                text,
                finish_reason,
                ..
            } => self.complete(message_id, text, finish_reason),
            EventBody::ToolCallStarted(started) => self.start_call(started),
            EventBody::ToolCallCompleted(completed) => self.complete_call(completed),
            EventBody::ApprovalRequested(asked) => {
                let mut changes = self.hold_call(asked);
                changes.extend(self.set_status(run_id, RunStatus::Waiting));
                changes
            }
            EventBody::ApprovalDecided(decided) => {
                let mut changes = self.release_call(&decided);
                changes.extend(self.set_status(run_id, RunStatus::Running));
                changes
            }
            EventBody::ModelSwitched(switched) => self.switch(switched),
            EventBody::ReasoningDelta(delta) => {
                self.think(&delta, event.time).into_iter().collect()
            }
            EventBody::BudgetWarning(_) => vec![Change::Warned],
            // The run's error says so.
            EventBody::BudgetExceeded(_) => Vec::new(),
            EventBody::RunCompleted(end) => self.end_run(run_id, RunStatus::Completed, end),
            EventBody::RunFailed(end) => self.end_run(run_id, RunStatus::Failed, end),
            EventBody::RunCancelled(end) => self.end_run(run_id, RunStatus::Cancelled, end),
        }
    }

    fn switch(&mut self, switched: ModelSwitched) -> Vec<Change> {
        let id = switched.message_id;
        let Some(message) = self.message_mut(id) else {
            return Vec::new();
        };
        message.switched = Some(switched);
        vec![Change::Switched(id)]
    }

    /// Takes a run into the branch if it goes on from its end.
    fn queue(&mut self, run_id: RunId, queued: QueuedRun) -> Vec<Change> {
        let mut changes = self.set_status(run_id, RunStatus::Queued);
        let message = self.waiting.take();
        if queued.parent_id != self.head {
            changes.push(Change::Branched);
            return changes;
        }
        self.head = Some(run_id);
        changes.extend(message.and_then(|message| self.add(message)));
        changes
    }

    /// Adds a message of the branch, behind those of its run.
    fn add(&mut self, message: Message) -> Option<Change> {
        let id = message.id;
        let run_id = message.run_id;
        let last = self.messages.iter().rposition(|it| it.run_id == run_id);
        match last {
            Some(last) => self.messages.insert(last + 1, message),
            None if self.head == Some(run_id) => self.messages.push(message),
            None => return None,
        }
        Some(Change::Added(id))
    }

    /// Places text by its byte offset: what is known is skipped, what leaves a gap is ignored
    /// because the log brings it later.
    pub fn place(&mut self, delta: &TextDelta) -> Option<Change> {
        let message = self.message_mut(delta.message_id)?;
        if message.finish_reason.is_some() {
            return None;
        }
        let offset = usize::try_from(delta.offset).ok()?;
        let known = message.text.len().checked_sub(offset)?;
        let news = delta.text.get(known..).filter(|news| !news.is_empty())?;
        message.text.push_str(news);
        Some(Change::Text(delta.message_id))
    }

    /// Puts a piece of reasoning at its byte offset; what was behind it another attempt thought.
    fn think(&mut self, delta: &TextDelta, time: Timestamp) -> Option<Change> {
        let message = self.message_mut(delta.message_id)?;
        let offset = usize::try_from(delta.offset).ok()?;
        if message.finish_reason.is_some() || !message.reasoning.is_char_boundary(offset) {
            return None;
        }
        message.reasoning.truncate(offset);
        message.reasoning.push_str(&delta.text);
        message.thought_ms = Some(time.millis_since(message.created_at));
        Some(Change::Reasoning(delta.message_id))
    }

    /// What a dead worker's model thought counts no more.
    fn forget_thoughts(&mut self, run: RunId) -> Vec<Change> {
        let open = self
            .messages
            .iter_mut()
            .filter(|it| it.run_id == run && it.finish_reason.is_none());
        let mut changes = Vec::new();
        for message in open.filter(|it| !it.reasoning.is_empty()) {
            message.reasoning.clear();
            message.thought_ms = None;
            changes.push(Change::Reasoning(message.id));
        }
        changes
    }

    fn truncate(&mut self, id: MessageId, offset: u64) -> Vec<Change> {
        let Some(message) = self.message_mut(id) else {
            return Vec::new();
        };
        let mut end = usize::try_from(offset)
            .unwrap_or(usize::MAX)
            .min(message.text.len());
        while !message.text.is_char_boundary(end) {
            end -= 1;
        }
        message.text.truncate(end);
        vec![Change::Text(id)]
    }

    fn complete(&mut self, id: MessageId, text: String, reason: FinishReason) -> Vec<Change> {
        let Some(message) = self.message_mut(id) else {
            return Vec::new();
        };
        message.text = text;
        message.finish_reason = Some(reason);
        vec![Change::Text(id), Change::Closed(id)]
    }

    fn set_status(&mut self, run: RunId, status: RunStatus) -> Vec<Change> {
        match self.active.iter_mut().find(|(id, _)| *id == run) {
            Some(active) => active.1 = status,
            None => self.active.push((run, status)),
        }
        vec![Change::Run]
    }

    fn end_run(&mut self, run: RunId, status: RunStatus, end: RunEnd) -> Vec<Change> {
        self.active.retain(|(id, _)| *id != run);
        let mut changes = vec![Change::Run, Change::Ended(status)];
        changes.extend(self.close_calls(run));
        if let Some(id) = end.error.and_then(|error| self.blame(run, error)) {
            changes.push(Change::Closed(id));
        }
        changes
    }

    /// Puts the reason where the failure happened: at the answer, or at the question without one.
    fn blame(&mut self, run: RunId, error: RunError) -> Option<MessageId> {
        let message = self
            .messages
            .iter_mut()
            .rev()
            .find(|message| message.run_id == run)?;
        if message.role == MessageRole::Assistant && message.finish_reason.is_none() {
            message.finish_reason = Some(FinishReason::Error);
        }
        message.error = Some(error);
        Some(message.id)
    }

    pub(super) fn message_mut(&mut self, id: MessageId) -> Option<&mut Message> {
        self.messages
            .iter_mut()
            .rev()
            .find(|message| message.id == id)
    }
}

#[cfg(test)]
mod tests;
