//! A few connections kept out of the pool for what every answer writes.
//!
//! The pool proves each connection anew when it comes back, which takes two round trips. After a
//! statement that came to its end, outside of any transaction, there is nothing to prove.

use std::sync::Mutex;
use std::time::{Duration, Instant};

use crate::database::SystemConnection;
use crate::{Result, Store};

/// How long a connection stays good for use without a proof that it lives.
const STAYS_GOOD: Duration = Duration::from_secs(1);

/// Connections that were used a moment ago, the last one last.
#[derive(Debug)]
pub(crate) struct AtHand {
    kept: Mutex<Vec<(SystemConnection, Instant)>>,
    most: usize,
}

impl AtHand {
    /// Keeps a quarter of the pool's connections at most, so that nobody else is short of them.
    pub(crate) fn new(max_connections: u32) -> Self {
        Self {
            kept: Mutex::default(),
            most: max_connections as usize / 4,
        }
    }

    /// Gives everything back to the pool.
    pub(crate) fn clear(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(SystemConnection, Instant)>> {
        self.kept.lock().expect("no holder panics")
    }
}

impl Store {
    /// A connection for a statement that is a transaction of its own; see [`Store::keep_at_hand`].
    ///
    /// # Errors
    /// `Unavailable` if there is none within 5 s.
    pub(crate) async fn at_hand(&self) -> Result<SystemConnection> {
        let kept = self.connections_at_hand().lock().pop();
        match kept {
            Some((connection, since)) if since.elapsed() < STAYS_GOOD => Ok(connection),
            Some(_) => {
                // The others are older still. The pool proves them.
                self.connections_at_hand().clear();
                self.system().await
            }
            None => self.system().await,
        }
    }

    /// Keeps a connection whose statement came to its end without an error. One that is dropped
    /// instead, in the middle of a statement above all, goes back to the pool, which proves it.
    pub(crate) fn keep_at_hand(&self, connection: SystemConnection) {
        let at_hand = self.connections_at_hand();
        let mut kept = at_hand.lock();
        if kept.len() < at_hand.most {
            kept.push((connection, Instant::now()));
        }
    }
}
