//! The bus within one process: a short ring of frames for each conversation that is watched.
//!
//! A frame is kept until every watcher has taken it, so a quiet conversation costs next to nothing.
//! One watcher that does not take its frames holds at most a ring full of them back, then misses
//! some and reads the log.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};

use domain::ConversationId;

use super::Frame;

/// Frames a watcher may be behind before it must read the log.
const MAX_FRAMES: usize = 512;
/// Bytes of them.
const MAX_BYTES: usize = 1024 * 1024;

/// The conversations that somebody watches or answers in. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(super) struct Topics {
    topics: Arc<Mutex<HashMap<ConversationId, Arc<Topic>>>>,
}

/// One conversation.
#[derive(Debug, Default)]
pub(super) struct Topic {
    ring: Mutex<Ring>,
    watchers: AtomicUsize,
}

/// Frames that not everybody has taken yet.
#[derive(Debug, Default)]
struct Ring {
    slots: VecDeque<Slot>,
    /// Number of the first slot.
    first: u64,
    bytes: usize,
    watchers: usize,
    /// Those who wait for the next frame, by their cursors' numbers.
    waiting: Vec<(u64, Waker)>,
    last_cursor: u64,
}

#[derive(Debug)]
struct Slot {
    frame: Frame,
    /// Watchers who have yet to take it.
    waiting: usize,
}

/// A place in a conversation's ring.
#[derive(Debug)]
pub(super) struct Cursor {
    topic: Arc<Topic>,
    number: u64,
    next: u64,
}

enum Taken {
    Frame(Frame),
    Missed,
    Nothing,
}

impl Topics {
    /// The topic of a conversation, made if need be. To be given back with [`Topics::leave`].
    pub(super) fn enter(&self, id: ConversationId) -> Arc<Topic> {
        self.lock().entry(id).or_default().clone()
    }

    /// The topic of a conversation, if anybody is interested.
    pub(super) fn find(&self, id: ConversationId) -> Option<Arc<Topic>> {
        self.lock().get(&id).cloned()
    }

    /// Forgets a topic that only the caller still holds.
    pub(super) fn leave(&self, id: ConversationId, topic: &Arc<Topic>) {
        let mut topics = self.lock();
        // One is the caller's, one the map's own.
        if Arc::strong_count(topic) <= 2 {
            topics.remove(&id);
        }
    }

    /// Conversations that are watched now.
    pub(super) fn watched(&self) -> Vec<ConversationId> {
        let topics = self.lock();
        let watched = topics.iter().filter(|(_, topic)| topic.has_watchers());
        watched.map(|(id, _)| *id).collect()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ConversationId, Arc<Topic>>> {
        self.topics.lock().expect("no holder panics")
    }
}

impl Topic {
    /// Whether anybody watches.
    pub(super) fn has_watchers(&self) -> bool {
        self.watchers.load(Ordering::Acquire) > 0
    }

    /// Hands a frame to everybody who watches now.
    pub(super) fn push(&self, frame: Frame) {
        if !self.has_watchers() {
            return;
        }
        let mut ring = self.lock();
        ring.push(frame);
        let waiting = std::mem::take(&mut ring.waiting);
        drop(ring);
        for (_, waker) in waiting {
            waker.wake();
        }
    }

    /// Watches from now on.
    pub(super) fn watch(self: &Arc<Self>) -> Cursor {
        let mut ring = self.lock();
        ring.watchers += 1;
        ring.last_cursor += 1;
        self.watchers.store(ring.watchers, Ordering::Release);
        Cursor {
            topic: self.clone(),
            number: ring.last_cursor,
            next: ring.end(),
        }
    }

    fn lock(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().expect("no holder panics")
    }
}

impl Ring {
    fn end(&self) -> u64 {
        self.first + self.slots.len() as u64
    }

    fn push(&mut self, frame: Frame) {
        if self.watchers == 0 {
            return;
        }
        self.bytes += frame.len();
        let waiting = self.watchers;
        self.slots.push_back(Slot { frame, waiting });
        while self.slots.len() > MAX_FRAMES || self.bytes > MAX_BYTES {
            self.drop_first();
        }
    }

    fn take(&mut self, next: &mut u64) -> Taken {
        if *next < self.first {
            *next = self.first;
            return Taken::Missed;
        }
        let index = (*next - self.first) as usize;
        let Some(slot) = self.slots.get_mut(index) else {
            return Taken::Nothing;
        };
        slot.waiting -= 1;
        *next += 1;
        let frame = slot.frame.clone();
        self.drop_taken();
        Taken::Frame(frame)
    }

    fn wait(&mut self, number: u64, waker: &Waker) {
        match self
            .waiting
            .iter_mut()
            .find(|(waiting, _)| *waiting == number)
        {
            Some((_, known)) => known.clone_from(waker),
            None => self.waiting.push((number, waker.clone())),
        }
    }

    fn leave(&mut self, number: u64, next: u64) {
        self.watchers -= 1;
        self.waiting.retain(|(waiting, _)| *waiting != number);
        let index = next.saturating_sub(self.first) as usize;
        for slot in self.slots.iter_mut().skip(index) {
            slot.waiting -= 1;
        }
        self.drop_taken();
    }

    fn drop_taken(&mut self) {
        while self.slots.front().is_some_and(|slot| slot.waiting == 0) {
            self.drop_first();
        }
        if self.slots.is_empty() {
            // A conversation that falls silent gives its room back.
            self.slots = VecDeque::new();
        }
    }

    fn drop_first(&mut self) {
        if let Some(slot) = self.slots.pop_front() {
            self.first += 1;
            self.bytes -= slot.frame.len();
        }
    }
}

impl Cursor {
    /// The next frame; `None` if some were missed.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Frame>> {
        let mut ring = self.topic.lock();
        match ring.take(&mut self.next) {
            Taken::Frame(frame) => Poll::Ready(Some(frame)),
            Taken::Missed => Poll::Ready(None),
            Taken::Nothing => {
                ring.wait(self.number, cx.waker());
                Poll::Pending
            }
        }
    }

    pub(super) fn topic(&self) -> &Arc<Topic> {
        &self.topic
    }
}

impl Drop for Cursor {
    fn drop(&mut self) {
        let mut ring = self.topic.lock();
        ring.leave(self.number, self.next);
        self.topic.watchers.store(ring.watchers, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::*;

    async fn next(cursor: &mut Cursor) -> Option<Frame> {
        std::future::poll_fn(|cx| cursor.poll_next(cx)).await
    }

    fn frame(number: usize) -> Frame {
        Frame::Live(Bytes::from(number.to_string()))
    }

    #[tokio::test]
    async fn every_watcher_gets_every_frame_and_then_none_is_kept() {
        let topic = Arc::new(Topic::default());
        let (mut first, mut second) = (topic.watch(), topic.watch());

        topic.push(frame(1));
        topic.push(frame(2));

        for watcher in [&mut first, &mut second] {
            assert_eq!(next(watcher).await, Some(frame(1)));
            assert_eq!(next(watcher).await, Some(frame(2)));
        }
        assert_eq!(topic.lock().slots.capacity(), 0);
        assert_eq!(topic.lock().bytes, 0);
    }

    #[tokio::test]
    async fn slow_watcher_misses_frames_and_holds_nobody_up() {
        let topic = Arc::new(Topic::default());
        let (mut slow, mut quick) = (topic.watch(), topic.watch());

        for number in 0..2 * MAX_FRAMES {
            topic.push(frame(number));
            assert_eq!(next(&mut quick).await, Some(frame(number)));
        }

        assert_eq!(topic.lock().slots.len(), MAX_FRAMES);
        assert_eq!(next(&mut slow).await, None);
        assert_eq!(next(&mut slow).await, Some(frame(MAX_FRAMES)));
    }

    #[tokio::test]
    async fn large_frames_are_bounded_by_their_bytes() {
        let topic = Arc::new(Topic::default());
        let mut slow = topic.watch();

        for _ in 0..4 {
            topic.push(Frame::Live(Bytes::from(vec![b'x'; MAX_BYTES / 2])));
        }

        assert_eq!(topic.lock().slots.len(), 2);
        assert_eq!(next(&mut slow).await, None);
    }

    #[test]
    fn watcher_who_leaves_takes_its_frames_along() {
        let topic = Arc::new(Topic::default());
        let leaving = topic.watch();
        topic.push(frame(1));

        drop(leaving);

        assert!(topic.lock().slots.is_empty());
        assert!(!topic.has_watchers());
    }
}
