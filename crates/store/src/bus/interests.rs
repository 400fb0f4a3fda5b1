//! Which conversations' channels this process listens to, and which it should.

use std::collections::HashSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard};

use domain::ConversationId;
use tokio::sync::Notify;

/// What Redis was told, and what has changed since.
#[derive(Debug, Default)]
pub(super) struct Interests {
    state: Mutex<State>,
    /// Whether somebody tells Redis; while nobody does, nothing is noted.
    is_followed: AtomicBool,
    changed: Notify,
}

#[derive(Debug, Default)]
struct State {
    subscribed: HashSet<ConversationId>,
    noted: HashSet<ConversationId>,
}

/// Channels to enter and to leave.
#[derive(Debug, Default)]
pub(super) struct Changes {
    pub(super) enter: Vec<ConversationId>,
    pub(super) leave: Vec<ConversationId>,
}

impl Interests {
    /// Notes that a conversation got its first watcher, or lost its last.
    pub(super) fn note(&self, id: ConversationId) {
        if self.is_followed.load(Ordering::Acquire) {
            self.lock().noted.insert(id);
            self.changed.notify_one();
        }
    }

    /// Whether this process listens to a conversation.
    pub(super) fn contains(&self, id: ConversationId) -> bool {
        self.lock().subscribed.contains(&id)
    }

    /// Begins anew: Redis knows of nothing, and is told of everything noted from now on.
    pub(super) fn begin(&self) {
        *self.lock() = State::default();
        self.is_followed.store(true, Ordering::Release);
    }

    /// Redis is told no more.
    pub(super) fn end(&self) {
        self.is_followed.store(false, Ordering::Release);
        *self.lock() = State::default();
    }

    /// Waits until something is noted.
    pub(super) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// What Redis must be told, so that exactly those noted that `is_watched` are listened to.
    pub(super) fn take(&self, is_watched: impl Fn(ConversationId) -> bool) -> Changes {
        let mut state = self.lock();
        let mut changes = Changes::default();
        for id in std::mem::take(&mut state.noted) {
            match is_watched(id) {
                true if state.subscribed.insert(id) => changes.enter.push(id),
                false if state.subscribed.remove(&id) => changes.leave.push(id),
                _ => {}
            }
        }
        changes
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder panics")
    }
}
