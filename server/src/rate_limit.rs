//! Requests a minute, per user: a bucket that fills steadily (GCRA).

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use domain::{Error, UserId};

/// Buckets kept before full ones are thrown away.
const SWEEP_AT: usize = 10_000;

/// Counts the requests of each user in this process.
#[derive(Clone, Debug)]
pub struct RateLimit {
    /// Time that one request takes from the bucket.
    cost: Duration,
    /// When each user's bucket is full again.
    full_at: Arc<Mutex<HashMap<UserId, Instant>>>,
}

impl RateLimit {
    /// Allows `per_minute` requests at once, and as many each minute.
    pub fn new(per_minute: u32) -> Self {
        Self {
            cost: Duration::from_secs(60) / per_minute.max(1),
            full_at: Arc::default(),
        }
    }

    /// Takes one request from a user's bucket.
    ///
    /// # Errors
    /// `RateLimited` if it is empty.
    pub fn take(&self, user_id: UserId) -> Result<(), Error> {
        let now = Instant::now();
        let mut full_at = self.full_at.lock().expect("no holder panics");
        if full_at.len() >= SWEEP_AT {
            full_at.retain(|_, full_at| *full_at > now);
        }
        let entry = full_at.entry(user_id).or_insert(now);
        let next = (*entry).max(now) + self.cost;
        let over = next.saturating_duration_since(now + Duration::from_secs(60));
        if over > Duration::ZERO {
            return Err(Error::RateLimited {
                retry_after_seconds: over.as_secs_f64().ceil().max(1.0) as u32,
            });
        }
        *entry = next;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_user_who_asks_too_often_is_refused() {
        let limit = RateLimit::new(3);
        let (ada, grace) = (
            uuid::Uuid::from_u128(1).into(),
            uuid::Uuid::from_u128(2).into(),
        );

        let answers: Vec<bool> = (0..4).map(|_| limit.take(ada).is_ok()).collect();

        assert_eq!(answers, [true, true, true, false]);
        assert!(limit.take(grace).is_ok());
    }
}
