//! Notices that processes send each other through PostgreSQL (`LISTEN`, `NOTIFY`).

use std::time::Duration;

use sqlx::Executor;
use sqlx::postgres::{PgListener, PgNotification};

use crate::{Result, Store, within};

/// How long a connection may be silent before it is asked for a sign of life: one that died without
/// a word is silent, too.
const SILENCE: Duration = Duration::from_secs(15);
/// Longest time that the sign of life may take.
const PROOF_TAKES: Duration = Duration::from_secs(2);

/// Hears the notices of some channels. Holds a connection of the pool.
#[derive(Debug)]
pub(crate) struct Notices(PgListener);

impl Notices {
    /// Listens from now on.
    pub(crate) async fn listen(store: &Store, channels: &[&str]) -> Result<Self> {
        let mut listener = PgListener::connect_with(store.pool()).await?;
        listener.listen_all(channels.iter().copied()).await?;
        Ok(Self(listener))
    }

    /// The next notice; `None` if the connection was lost, and some may have been missed.
    ///
    /// # Errors
    /// `Unavailable`, also if the connection gives no sign of life; listen anew then.
    pub(crate) async fn next(&mut self) -> Result<Option<PgNotification>> {
        loop {
            if let Ok(heard) = tokio::time::timeout(SILENCE, self.0.try_recv()).await {
                return Ok(heard?);
            }
            let proof = async {
                self.0.execute("select 1").await?;
                Ok(())
            };
            within(PROOF_TAKES, proof).await?;
        }
    }
}
