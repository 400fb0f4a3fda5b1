//! HTML of answers while they are written.
//!
//! One task per conversation renders for all who watch it as HTML, and none while nobody does. It
//! follows the bus as they do. What it made stands in one place with a number that grows; each
//! watcher takes what is newer than what it took last, so a slow one skips steps and holds up
//! nobody.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, Weak};
use std::time::Duration;

use bytes::Bytes;
use domain::events::{Event, EventBody, HtmlBlock, TextDelta};
use domain::{ConversationId, MessageId, WorkspaceId};
use store::Store;
use store::bus::{Bus, Frame, Subscription};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::Blocks;
use super::render::{Code, render};
use super::whole::frame;
use crate::conversations::unfinished_answers;

/// Shortest time between two renderings of a conversation.
const BATCH: Duration = Duration::from_millis(40);
/// Pause before the log is read again when it could not be read.
const RETRY: Duration = Duration::from_secs(1);
/// Longest answer that is rendered while it is written.
const MAX_BYTES: usize = 1024 * 1024;

/// The conversations that are watched as HTML. Cheap to clone.
#[derive(Clone, Default)]
pub(crate) struct LiveHtml {
    boards: Arc<Mutex<HashMap<ConversationId, Weak<Board>>>>,
}

/// One watcher's place.
pub(crate) struct LiveHtmlWatch {
    board: Arc<Board>,
    versions: watch::Receiver<u64>,
    seen: u64,
}

/// What was rendered of a conversation.
struct Board {
    answers: Mutex<Vec<Answer>>,
    version: watch::Sender<u64>,
    _task: DropGuard,
}

/// An answer that is being written.
struct Answer {
    id: MessageId,
    text: String,
    /// Whether there is more text than is rendered.
    is_full: bool,
    blocks: Blocks,
    /// Finished blocks, then the open one, each with the version that it came with.
    frames: Vec<(u64, Bytes)>,
    /// Bytes of text in `frames`.
    rendered: usize,
}

impl LiveHtml {
    /// Watches a conversation from now on, beginning with what is being written.
    pub(crate) fn watch(
        &self,
        store: &Store,
        bus: &Bus,
        workspace_id: WorkspaceId,
        id: ConversationId,
    ) -> LiveHtmlWatch {
        let mut boards = self.boards.lock().expect("no holder panics");
        let board = boards.get(&id).and_then(Weak::upgrade).unwrap_or_else(|| {
            boards.retain(|_, board| board.strong_count() > 0);
            let stopping = CancellationToken::new();
            let board = Arc::new(Board {
                answers: Mutex::default(),
                version: watch::Sender::new(0),
                _task: stopping.clone().drop_guard(),
            });
            let task = Task {
                board: Arc::downgrade(&board),
                // Before the log is read, so that nothing falls between.
                subscription: bus.subscribe(id),
                store: store.clone(),
                workspace_id,
                id,
            };
            tokio::spawn(async move {
                tokio::select! {
                    () = stopping.cancelled() => {}
                    () = task.run() => {}
                }
            });
            boards.insert(id, Arc::downgrade(&board));
            board
        });
        drop(boards);
        let mut versions = board.version.subscribe();
        versions.mark_changed();
        LiveHtmlWatch {
            board,
            versions,
            seen: 0,
        }
    }
}

impl LiveHtmlWatch {
    /// The frames that are new, as soon as there are any. Safe to cancel.
    pub(crate) async fn next(&mut self) -> Bytes {
        loop {
            if self.versions.changed().await.is_err() {
                // The board lives as long as this watch.
                std::future::pending::<()>().await;
            }
            let version = *self.versions.borrow_and_update();
            let frames = self.board.newer_than(self.seen);
            self.seen = version;
            if !frames.is_empty() {
                return frames.into();
            }
        }
    }
}

impl std::fmt::Debug for LiveHtmlWatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LiveHtmlWatch")
            .field("seen", &self.seen)
            .finish_non_exhaustive()
    }
}

impl Board {
    fn newer_than(&self, seen: u64) -> Vec<u8> {
        let answers = self.answers.lock().expect("no holder panics");
        let mut frames = Vec::new();
        for answer in answers.iter() {
            let news = answer
                .frames
                .iter()
                .rev()
                .take_while(|(version, _)| *version > seen)
                .count();
            for (_, frame) in &answer.frames[answer.frames.len() - news..] {
                frames.extend_from_slice(frame);
            }
        }
        frames
    }
}

struct Task {
    board: Weak<Board>,
    subscription: Subscription,
    store: Store,
    workspace_id: WorkspaceId,
    id: ConversationId,
}

impl Task {
    async fn run(mut self) {
        self.read_log().await;
        let mut last = Instant::now();
        let mut due = None;
        loop {
            tokio::select! {
                biased;
                () = sleep_until(due.unwrap_or(last)), if due.is_some() => {
                    due = None;
                    last = Instant::now();
                    self.render();
                }
                frame = self.subscription.next() => {
                    let is_whole = match frame {
                        // What leaves a gap is skipped: the log brings it soon.
                        Some(Frame::Live(bytes)) => self.take_live(&bytes),
                        Some(Frame::Logged { bytes, .. }) => self.take_logged(&bytes),
                        Some(Frame::Grown) | None => false,
                    };
                    if !is_whole {
                        self.read_log().await;
                    }
                    due.get_or_insert_with(|| (last + BATCH).max(Instant::now()));
                }
            }
        }
    }

    /// Starts again from what the log says.
    async fn read_log(&mut self) {
        let texts = loop {
            match unfinished_answers(&self.store, self.workspace_id, self.id).await {
                Ok(texts) => break texts,
                Err(_) => sleep(RETRY).await,
            }
        };
        let Some(board) = self.board.upgrade() else {
            return;
        };
        {
            let mut answers = board.answers.lock().expect("no holder panics");
            answers.retain(|answer| texts.iter().any(|(id, _)| *id == answer.id));
            for (id, text) in texts {
                match answers.iter_mut().find(|answer| answer.id == id) {
                    // What was heard early may be ahead of the log.
                    Some(answer) if answer.is_full || answer.text.starts_with(&text) => {}
                    Some(answer) => *answer = Answer::new(id, text),
                    None => answers.push(Answer::new(id, text)),
                }
            }
        }
        self.render();
    }

    fn take_live(&self, bytes: &[u8]) -> bool {
        let data = data_of(bytes).filter(|_| bytes.starts_with(b"event: text_live\n"));
        if let Some(delta) = data.and_then(|data| serde_json::from_slice(data).ok()) {
            self.place(&delta);
        }
        true
    }

    /// Tells whether what is known joins the log without a gap.
    fn take_logged(&self, bytes: &[u8]) -> bool {
        let event = data_of(bytes).and_then(|data| serde_json::from_slice::<Event>(data).ok());
        let Some(event) = event else { return true };
        match event.body {
            EventBody::TextDelta(delta) => self.place(&delta),
            EventBody::TextTruncated { message_id, offset } => {
                self.change(message_id, |answer| answer.truncate(offset as usize));
                true
            }
            EventBody::MessageCompleted { message_id, .. } => {
                // Watchers get the whole message with its event.
                if let Some(board) = self.board.upgrade() {
                    let mut answers = board.answers.lock().expect("no holder panics");
                    answers.retain(|answer| answer.id != message_id);
                }
                true
            }
            _ => true,
        }
    }

    fn place(&self, delta: &TextDelta) -> bool {
        let mut joins = true;
        self.change(delta.message_id, |answer| joins = answer.place(delta));
        joins
    }

    fn change(&self, id: MessageId, change: impl FnOnce(&mut Answer)) {
        let Some(board) = self.board.upgrade() else {
            return;
        };
        let mut answers = board.answers.lock().expect("no holder panics");
        if !answers.iter().any(|answer| answer.id == id) {
            answers.push(Answer::new(id, String::new()));
        }
        if let Some(answer) = answers.iter_mut().find(|answer| answer.id == id) {
            change(answer);
        }
    }

    fn render(&self) {
        let Some(board) = self.board.upgrade() else {
            return;
        };
        let version = *board.version.borrow() + 1;
        let mut answers = board.answers.lock().expect("no holder panics");
        let mut has_news = false;
        for answer in answers.iter_mut() {
            has_news |= answer.render(version);
        }
        drop(answers);
        if has_news {
            board.version.send_replace(version);
        }
    }
}

impl Answer {
    fn new(id: MessageId, mut text: String) -> Self {
        let is_full = text.len() > MAX_BYTES;
        text.truncate(text.floor_char_boundary(MAX_BYTES));
        Self {
            id,
            text,
            is_full,
            blocks: Blocks::default(),
            frames: Vec::new(),
            rendered: 0,
        }
    }

    /// Places text by its byte offset; tells whether there was no gap.
    fn place(&mut self, delta: &TextDelta) -> bool {
        if self.is_full {
            return true;
        }
        let known = (self.text.len() as u64).checked_sub(delta.offset);
        let Some(known) = known.and_then(|known| usize::try_from(known).ok()) else {
            return false;
        };
        if let Some(news) = delta.text.get(known..) {
            let room = MAX_BYTES - self.text.len();
            self.is_full = news.len() > room;
            self.text.push_str(&news[..news.floor_char_boundary(room)]);
        }
        true
    }

    fn truncate(&mut self, offset: usize) {
        if self.text.is_char_boundary(offset) {
            self.text.truncate(offset);
        }
        *self = Self {
            rendered: usize::MAX,
            ..Self::new(self.id, std::mem::take(&mut self.text))
        };
    }

    /// Renders what is new; tells whether there was anything.
    fn render(&mut self, version: u64) -> bool {
        if self.rendered == self.text.len() {
            return false;
        }
        self.rendered = self.text.len();
        let finished = self.blocks.advance(&self.text);
        // The block that was open is rendered again, as it is finished or longer now.
        self.frames.pop();
        for block in finished {
            self.push(version, render(&block, Code::Highlighted));
        }
        let open = render(&self.blocks.open(&self.text), Code::Plain);
        self.push(version, open);
        true
    }

    fn push(&mut self, version: u64, html: String) {
        let frame = frame(&HtmlBlock {
            message_id: self.id,
            block: self.frames.len(),
            html,
            is_whole: false,
        });
        self.frames.push((version, frame));
    }
}

/// The data of a frame of the event stream.
pub(crate) fn data_of(frame: &[u8]) -> Option<&[u8]> {
    const MARK: &[u8] = b"\ndata: ";
    let start = frame.windows(MARK.len()).position(|part| part == MARK)? + MARK.len();
    let end = frame[start..].iter().position(|byte| *byte == b'\n')?;
    Some(&frame[start..start + end])
}
