//! What watchers see of one run, and when they begin to.

use std::sync::Mutex;

use domain::MessageId;
use store::bus::Publisher;
use store::events::LoggedEvent;
use tokio_util::sync::CancellationToken;

use crate::watch;

/// Shows a run to those who watch, from the moment when it is known to be written. What the model
/// says before is held back until then.
pub(super) struct Stage {
    publisher: Publisher,
    held: Mutex<Option<Vec<Held>>>,
    opened: CancellationToken,
}

struct Held {
    message_id: MessageId,
    offset: usize,
    text: String,
}

impl Stage {
    pub(super) fn new(publisher: Publisher) -> Self {
        Self {
            publisher,
            held: Mutex::new(Some(Vec::new())),
            opened: CancellationToken::new(),
        }
    }

    /// Shows the run's beginning, then what was held back.
    pub(super) fn open(&self, logged: &[LoggedEvent]) {
        let mut held = self.held.lock().expect("no holder panics");
        watch::publish(&self.publisher, logged);
        for said in held.take().into_iter().flatten() {
            watch::publish_live(&self.publisher, said.message_id, said.offset, &said.text);
        }
        drop(held);
        self.opened.cancel();
    }

    /// Waits until the run is known to be written.
    pub(super) async fn opened(&self) {
        self.opened.cancelled().await;
    }

    /// Shows text that is not logged yet.
    pub(super) fn show(&self, message_id: MessageId, offset: usize, text: &str) {
        let mut held = self.held.lock().expect("no holder panics");
        match held.as_mut() {
            Some(held) => held.push(Held {
                message_id,
                offset,
                text: text.to_owned(),
            }),
            None => watch::publish_live(&self.publisher, message_id, offset, text),
        }
    }

    /// Shows events of the log.
    pub(super) fn publish(&self, logged: &[LoggedEvent]) {
        watch::publish(&self.publisher, logged);
    }
    /// Tells of events that are in the log, but not known here.
    pub(super) fn tell_grown(&self) {
        watch::publish_grown(&self.publisher);
    }
}
