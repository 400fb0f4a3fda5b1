//! What this process tells the others: kept in a bounded outbox, sent in batches by one task.
//!
//! Nobody waits for the sending. What does not fit is dropped; the others find it in the log.

use std::collections::{HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use ::redis::{Cmd, cmd};
use bytes::Bytes;
use domain::ConversationId;
use tokio::sync::Notify;
use uuid::Uuid;

use super::interests::Interests;
use super::{Frame, Signal, postgres, wire};
use crate::Store;
use crate::panics::panics;
use crate::redis::Redis;

/// Messages that may wait.
const MAX_MESSAGES: usize = 4096;
/// Bytes of them.
const MAX_BYTES: usize = 8 * 1024 * 1024;
/// Messages sent to Redis at once.
const BATCH: usize = 256;
/// Bytes of them, but for the last.
const BATCH_BYTES: usize = 256 * 1024;
/// Pause between two batches of notices to PostgreSQL, which serializes them.
const NOTIFY_PAUSE: Duration = Duration::from_millis(25);

/// The way to the other processes.
#[derive(Debug)]
pub(super) struct Link {
    origin: Uuid,
    redis: Option<Redis>,
    outbox: Mutex<Outbox>,
    filled: Notify,
    interests: Interests,
}

#[derive(Debug, Default)]
struct Outbox {
    frames: VecDeque<Message>,
    bytes: usize,
    signals: Vec<Signal>,
    grown: HashSet<ConversationId>,
}

/// A frame on its way.
#[derive(Debug)]
struct Message {
    conversation_id: ConversationId,
    bytes: Bytes,
    /// Text that is logged later anyway.
    is_live: bool,
    is_watched_elsewhere: Arc<AtomicBool>,
}

impl Outbox {
    /// How many frames go together: few if they are large, for they must be sent in time.
    fn next_batch(&self) -> usize {
        let mut bytes = 0;
        let fitting = self.frames.iter().take(BATCH).take_while(|message| {
            let has_room = bytes < BATCH_BYTES;
            bytes += message.bytes.len();
            has_room
        });
        fitting.count()
    }
}

impl Link {
    pub(super) fn new(redis: Option<Redis>) -> Self {
        Self {
            origin: Uuid::from_bytes(rand::random()),
            redis,
            outbox: Mutex::default(),
            filled: Notify::new(),
            interests: Interests::default(),
        }
    }

    /// Names this process in what it sends, so that it passes over its own messages.
    pub(super) fn origin(&self) -> Uuid {
        self.origin
    }

    pub(super) fn redis(&self) -> Option<&Redis> {
        self.redis.as_ref()
    }

    /// Conversations that this process listens to.
    pub(super) fn interests(&self) -> &Interests {
        &self.interests
    }

    /// Whether frames, and not only the news of them, can be sent now.
    pub(super) fn carries_frames(&self) -> bool {
        self.redis.as_ref().is_some_and(Redis::is_up)
    }

    pub(super) fn publish(
        &self,
        conversation_id: ConversationId,
        frame: &Frame,
        is_watched_elsewhere: &Arc<AtomicBool>,
    ) {
        let message = Message {
            conversation_id,
            bytes: wire::pack(self.origin, frame),
            is_live: matches!(frame, Frame::Live(_)),
            is_watched_elsewhere: is_watched_elsewhere.clone(),
        };
        let mut outbox = self.lock();
        let has_room =
            outbox.frames.len() < MAX_MESSAGES && outbox.bytes + message.bytes.len() <= MAX_BYTES;
        if has_room {
            outbox.bytes += message.bytes.len();
            outbox.frames.push_back(message);
            drop(outbox);
            self.filled.notify_one();
        }
    }

    /// Tells that a log has grown, without what was written: that nobody elsewhere seems to want.
    pub(super) fn grown(&self, id: ConversationId, is_watched_elsewhere: &Arc<AtomicBool>) {
        if self.carries_frames() {
            return self.publish(id, &Frame::Grown, is_watched_elsewhere);
        }
        let mut outbox = self.lock();
        if outbox.grown.len() < MAX_MESSAGES {
            outbox.grown.insert(id);
            drop(outbox);
            self.filled.notify_one();
        }
    }

    pub(super) fn signal(&self, signal: Signal) {
        let mut outbox = self.lock();
        if outbox.signals.len() < MAX_MESSAGES && !outbox.signals.contains(&signal) {
            outbox.signals.push(signal);
            drop(outbox);
            self.filled.notify_one();
        }
    }

    /// Sends what is told, for ever.
    pub(super) async fn send(self: Arc<Self>, store: Store) {
        loop {
            self.filled.notified().await;
            panics(self.empty(&store)).await;
        }
    }

    async fn empty(&self, store: &Store) {
        while let Some(batch) = self.take() {
            let rest = match &self.redis {
                Some(redis) => self.send_to_redis(redis, batch).await,
                None => Some(batch),
            };
            // What Redis does not take goes through the database.
            if let Some(rest) = rest {
                postgres::send(store, self.origin, &rest.signals, &rest.grown).await;
                tokio::time::sleep(NOTIFY_PAUSE).await;
            }
        }
    }

    fn take(&self) -> Option<Outbox> {
        let mut outbox = self.lock();
        let count = outbox.next_batch();
        let frames: VecDeque<Message> = outbox.frames.drain(..count).collect();
        let bytes: usize = frames.iter().map(|message| message.bytes.len()).sum();
        outbox.bytes -= bytes;
        let batch = Outbox {
            frames,
            bytes,
            signals: std::mem::take(&mut outbox.signals),
            grown: std::mem::take(&mut outbox.grown),
        };
        let is_empty =
            batch.frames.is_empty() && batch.signals.is_empty() && batch.grown.is_empty();
        (!is_empty).then_some(batch)
    }

    /// Gives back what the database has to carry instead.
    async fn send_to_redis(&self, redis: &Redis, mut batch: Outbox) -> Option<Outbox> {
        let signals = batch
            .signals
            .iter()
            .filter_map(|signal| self.command(signal));
        let frames = batch
            .frames
            .iter()
            .map(|message| publish(&wire::channel(message.conversation_id), &message.bytes));
        let commands: Vec<Cmd> = signals.chain(frames).collect();
        let signals = commands.len() - batch.frames.len();
        match redis.send_all::<u64>(&commands).await {
            Ok(heard) => {
                let heard = heard.get(signals..).unwrap_or_default();
                if redis.counts_listeners() {
                    self.learn(&batch.frames, heard);
                }
                batch.signals.clear();
            }
            Err(_) => {
                let logged = batch.frames.iter().filter(|message| !message.is_live);
                let logged: Vec<_> = logged.map(|message| message.conversation_id).collect();
                batch.grown.extend(logged);
            }
        }
        let is_done = batch.signals.is_empty() && batch.grown.is_empty();
        (!is_done).then_some(batch)
    }

    /// Live text is worth sending only if somebody hears it. This process hears itself, too.
    fn learn(&self, frames: &VecDeque<Message>, heard: &[u64]) {
        for (message, heard) in frames.iter().zip(heard) {
            let own = u64::from(self.interests.contains(message.conversation_id));
            let is_heard = *heard > own;
            message
                .is_watched_elsewhere
                .store(is_heard, Ordering::Relaxed);
        }
    }

    fn command(&self, signal: &Signal) -> Option<Cmd> {
        match signal {
            Signal::Changed(changed) => {
                let json = serde_json::to_vec(changed).expect("plain data");
                Some(publish(wire::INVALIDATE, &json))
            }
            other => {
                let text = wire::write_signal(self.origin, other)?;
                Some(publish(wire::RUNS, text.as_bytes()))
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Outbox> {
        self.outbox.lock().expect("no holder panics")
    }
}

fn publish(channel: &str, message: &[u8]) -> Cmd {
    let mut publish = cmd("PUBLISH");
    publish.arg(channel).arg(message);
    publish
}
