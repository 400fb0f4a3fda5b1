//! Slows down whoever guesses passwords.
//!
//! Failures are counted by account and by network address, in the database, so that they count
//! for all processes. A browser that signed in before is counted by itself and not with its
//! account, so that nobody can lock the owner out by guessing (OWASP, "device cookies").
//!
//! Whoever has no attempt left is refused from memory for a while, so that guessing on costs the
//! guesser more than it costs us.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration as StdDuration, Instant};

use domain::{Error, Timestamp};
use sha2::{Digest, Sha256};
use store::{Store, sign_in_failures};
use time::Duration;
use tokio::sync::OwnedMutexGuard;

use crate::fault::OrFault;
use crate::mint;

/// Over how long failures are counted.
pub(crate) const WINDOW: Duration = Duration::minutes(15);
/// Failures of one account, or of one known browser.
const PER_ACCOUNT: usize = 10;
/// Failures from one network address.
const PER_ADDRESS: usize = 100;
/// Longest wait for other attempts on the same account or from the same address.
const PATIENCE: StdDuration = StdDuration::from_secs(10);

/// How long a refusal is repeated without looking again; another process may forget it sooner.
const REPEATED_FOR: StdDuration = StdDuration::from_secs(10);
/// Refusals remembered before old ones are dropped.
const MAX_REFUSED: usize = 10_000;

type Subject = [u8; 32];

/// Counts failed sign-ins.
#[derive(Clone)]
pub(crate) struct Throttle {
    store: Store,
    /// Attempts are made one at a time per subject, so that many at once cannot slip through.
    turns: Arc<Mutex<HashMap<Subject, Weak<tokio::sync::Mutex<()>>>>>,
    /// Who has no attempt left: until when, and when that was looked up.
    refused: Arc<Mutex<HashMap<Subject, (Timestamp, Instant)>>>,
}

/// Whose failures an attempt would add to, with how many are allowed.
#[derive(Clone, Debug)]
pub(crate) struct Subjects(Vec<(Subject, usize)>);

impl Subjects {
    /// An attempt from an unknown browser.
    pub(crate) fn stranger(email: &str, address: IpAddr) -> Self {
        Self(vec![
            (
                subject("account", &email.trim().to_lowercase()),
                PER_ACCOUNT,
            ),
            (subject("address", &network(address)), PER_ADDRESS),
        ])
    }

    /// An attempt from a browser, or in a session, that proved the account before.
    pub(crate) fn known(proof: &str) -> Self {
        Self(vec![(subject("known", proof), PER_ACCOUNT)])
    }
}

impl Throttle {
    pub(crate) fn new(store: Store) -> Self {
        Self {
            store,
            turns: Arc::default(),
            refused: Arc::default(),
        }
    }

    /// Passes unless an attempt was refused a moment ago. Asks nobody, so that it costs nothing.
    ///
    /// # Errors
    /// `RateLimited`.
    pub(crate) fn recall(&self, subjects: &Subjects) -> Result<(), Error> {
        let now = mint::now();
        let refused = self.refused.lock().expect("no holder panics");
        for (subject, _) in &subjects.0 {
            match refused.get(subject) {
                Some((free_at, since)) if *free_at > now && since.elapsed() < REPEATED_FOR => {
                    return Err(wait(*free_at, now));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn remember(&self, subject: Subject, free_at: Timestamp) {
        let mut refused = self.refused.lock().expect("no holder panics");
        if refused.len() >= MAX_REFUSED {
            refused.retain(|_, (_, since)| since.elapsed() < REPEATED_FOR);
        }
        if refused.len() < MAX_REFUSED {
            refused.insert(subject, (free_at, Instant::now()));
        }
    }

    /// Makes an attempt. `None` is a failure and counts; a success forgets the failures.
    ///
    /// # Errors
    /// `RateLimited` without making the attempt.
    pub(crate) async fn attempt<T>(
        &self,
        subjects: Subjects,
        attempt: impl Future<Output = Result<Option<T>, Error>>,
    ) -> Result<Option<T>, Error> {
        self.recall(&subjects)?;
        let mut turns = Vec::new();
        for (subject, _) in &subjects.0 {
            turns.push(self.turn(*subject).await?);
        }
        // The attempt before may have been the last.
        self.recall(&subjects)?;
        let now = mint::now();
        let since = Timestamp::from(now.date_time() - WINDOW);
        let mut db = self.store.system().await.or_fault()?;
        for (subject, limit) in &subjects.0 {
            let failed_at = sign_in_failures::list(&mut db, subject, since)
                .await
                .or_fault()?;
            if let Some(position) = failed_at.len().checked_sub(*limit) {
                let free_at = Timestamp::from(failed_at[position].date_time() + WINDOW);
                self.remember(*subject, free_at);
                return Err(wait(free_at, now));
            }
        }
        drop(db);
        let result = attempt.await?;
        let mut db = self.store.system().await.or_fault()?;
        match &result {
            Some(_) => {
                let (account, _) = &subjects.0[0];
                sign_in_failures::delete(&mut db, account)
                    .await
                    .or_fault()?;
            }
            None => {
                for (subject, _) in &subjects.0 {
                    sign_in_failures::create(&mut db, subject, mint::now(), since)
                        .await
                        .or_fault()?;
                }
            }
        }
        Ok(result)
    }

    async fn turn(&self, subject: Subject) -> Result<OwnedMutexGuard<()>, Error> {
        let turn = {
            let mut turns = self.turns.lock().expect("no holder panics");
            match turns.get(&subject).and_then(Weak::upgrade) {
                Some(turn) => turn,
                None => {
                    turns.retain(|_, turn| turn.strong_count() > 0);
                    let turn = Arc::default();
                    turns.insert(subject, Arc::downgrade(&turn));
                    turn
                }
            }
        };
        tokio::time::timeout(PATIENCE, turn.lock_owned())
            .await
            .map_err(|_| Error::RateLimited {
                retry_after_seconds: PATIENCE.as_secs() as u32,
            })
    }
}

fn wait(free_at: Timestamp, now: Timestamp) -> Error {
    Error::RateLimited {
        retry_after_seconds: free_at.seconds_since(now) as u32 + 1,
    }
}

fn subject(kind: &str, value: &str) -> Subject {
    Sha256::digest(format!("{kind}/{value}")).into()
}

/// One household or server has a whole /64 of IPv6.
fn network(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(address) => address.to_string(),
        IpAddr::V6(address) => format!("{:x?}", &address.segments()[..4]),
    }
}
