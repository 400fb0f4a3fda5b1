//! Where a turn's text goes: watchers at once, the log in batches.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use domain::MessageId;
use domain::events::{EventBody, TextDelta};
use engine::{LeaseLost, TurnLog};
use store::Store;
use store::events::LoggedEvent;
use store::runs::Lease;

use super::stage::Stage;
use crate::conversations::new_event;
use crate::mint;

/// Pauses between tries while the database is away: about 30 s in all.
const PAUSES_MS: [u64; 9] = [50, 100, 250, 500, 1_000, 2_000, 5_000, 10_000, 10_000];

/// The log of one run's answer.
pub(super) struct Log {
    pub(super) store: Store,
    pub(super) lease: Lease,
    pub(super) message_id: MessageId,
    pub(super) stage: Arc<Stage>,
    /// Number of the log's last event while nobody else has written into it during the run.
    pub(super) whole_until: Mutex<Option<u64>>,
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
}

#[async_trait]
impl TurnLog for Log {
    fn show(&self, offset: usize, text: &str) {
        self.stage.show(self.message_id, offset, text);
    }

    async fn persist(&self, offset: usize, text: String) -> Result<(), LeaseLost> {
        self.stage.opened().await;
        let events = [new_event(EventBody::TextDelta(TextDelta {
            message_id: self.message_id,
            offset: offset as u64,
            text,
        }))];
        let written = retrying(|| async {
            let mut tx = self.store.begin(self.lease.workspace_id).await?;
            let logged = tx.append_events(&self.lease, &events, mint::now()).await?;
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
            Err(store::Error::Constraint(name)) if name == "events_id_key" => Ok(()),
            Err(error) => {
                tracing::warn!(run.id = %self.lease.run_id, error = %error, "persist text");
                Err(LeaseLost)
            }
        }
    }
}

/// Tries a transaction again while the database is away.
///
/// A commit whose answer got lost may have happened. Trying it again then violates the log's key
/// (the events carry ids made before), so nothing is ever written twice: see `events_id_key`.
///
/// # Errors
/// The last error, or at once any error that waiting does not mend.
pub(super) async fn retrying<T, F>(work: impl Fn() -> F) -> store::Result<T>
where
    F: Future<Output = store::Result<T>>,
{
    for pause in PAUSES_MS {
        match work().await {
            Err(store::Error::Unavailable(_)) => {
                tokio::time::sleep(Duration::from_millis(pause)).await;
            }
            other => return other,
        }
    }
    work().await
}
