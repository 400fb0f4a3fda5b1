//! The texts of all runs of this process, those that come together written together.

use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use store::Store;
use store::events::{EventColumns, LoggedEvent, NewEvent};
use store::panics::panics;
use store::runs::{Lease, SaidText};
use tokio::sync::oneshot;

use crate::mint;

/// Most runs whose texts are written at once.
const MAX_RUNS: usize = 64;

/// Longest wait for the database, which may be gone without a word: all runs wait here for each
/// other, and each tries for longer alone.
const PATIENCE: Duration = Duration::from_secs(2);

/// Writes texts. Cheap to clone.
#[derive(Clone)]
pub(super) struct Texts {
    store: Store,
    queue: Arc<Mutex<Queue>>,
}

#[derive(Default)]
struct Queue {
    waiting: Vec<Waiting>,
    /// Whether a task is at work that empties the queue.
    is_written: bool,
}

struct Waiting {
    said: SaidText,
    /// Dropped if the text was not written.
    written: oneshot::Sender<Vec<LoggedEvent>>,
}

impl Texts {
    pub(super) fn new(store: Store) -> Self {
        Self {
            store,
            queue: Arc::default(),
        }
    }

    /// Appends what a run said to the log; `None` if that did not work together with others, and it
    /// must be tried alone.
    ///
    /// A caller that does not wait for the end leaves open whether it was written.
    pub(super) async fn append(
        &self,
        lease: Lease,
        events: &[NewEvent],
    ) -> Option<Vec<LoggedEvent>> {
        let (written, receiver) = oneshot::channel();
        let events = EventColumns::new(events);
        let said = SaidText { lease, events };
        let must_write = {
            let mut queue = self.lock();
            queue.waiting.push(Waiting { said, written });
            !std::mem::replace(&mut queue.is_written, true)
        };
        if must_write {
            tokio::spawn(self.clone().write_all());
        }
        receiver.await.ok()
    }

    async fn write_all(self) {
        // The runs that are due at the same moment come first.
        tokio::task::yield_now().await;
        loop {
            let batch: Vec<Waiting> = {
                let mut queue = self.lock();
                let count = queue.waiting.len().min(MAX_RUNS);
                if count == 0 {
                    queue.is_written = false;
                    return;
                }
                queue.waiting.drain(..count).collect()
            };
            // Nobody would write again if this ended here. Whoever waits writes alone.
            panics(self.write(batch)).await;
        }
    }

    async fn write(&self, batch: Vec<Waiting>) {
        let now = mint::now();
        let (said, written): (Vec<_>, Vec<_>) = batch
            .into_iter()
            .map(|waiting| (waiting.said, waiting.written))
            .unzip();
        let appended = self.store.append_texts(&said, now);
        let ends = match store::within(PATIENCE, appended).await {
            Ok(ends) => ends,
            Err(error) => {
                tracing::debug!(error = %error, runs = said.len(), "write texts together");
                return;
            }
        };
        for ((said, written), end) in said.into_iter().zip(written).zip(ends) {
            if let Some(last_seq) = end {
                let Lease {
                    conversation_id,
                    run_id,
                    ..
                } = said.lease;
                let logged = said
                    .events
                    .into_logged(last_seq, conversation_id, run_id, now);
                // Nobody waits for it if the run was let go meanwhile.
                let _ = written.send(logged);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().expect("no holder panics")
    }
}
