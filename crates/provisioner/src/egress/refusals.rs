//! What a container wanted to reach and may not.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

const KEPT: usize = 200;

/// One connection that was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// When it last happened.
    pub time: SystemTime,
    /// Whom it wanted to reach, as it said: `host:port`, at most 300 characters.
    pub target: String,
    /// Why not, in words for the person who can change it.
    pub reason: String,
    /// How often in a row.
    pub count: u64,
    /// Which of all refusals it was last: 1, 2, …
    pub number: u64,
}

/// The newest 200 refusals; repetitions are counted. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    kept: Arc<Mutex<Kept>>,
}

#[derive(Debug, Default)]
struct Kept {
    refusals: VecDeque<Refusal>,
    last: u64,
}

impl Refusals {
    /// Newest first.
    pub fn list(&self) -> Vec<Refusal> {
        self.kept().refusals.iter().rev().cloned().collect()
    }

    /// The number of the last one; 0 if there was none.
    pub fn last(&self) -> u64 {
        self.kept().last
    }

    /// Those that happened after that number, oldest first.
    pub fn after(&self, number: u64) -> Vec<Refusal> {
        let kept = self.kept();
        let is_after = |refusal: &&Refusal| refusal.number > number;
        kept.refusals.iter().filter(is_after).cloned().collect()
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn add(&self, target: &str, reason: &str) {
        let target: String = target
            .chars()
            .filter(|c| !c.is_control())
            .take(300)
            .collect();
        let mut kept = self.kept();
        kept.last += 1;
        let number = kept.last;
        let kept = &mut kept.refusals;
        let known = kept
            .iter()
            .position(|refusal| refusal.target == target && refusal.reason == reason);
        let count = match known.and_then(|place| kept.remove(place)) {
            Some(refusal) => refusal.count + 1,
            None => 1,
        };
        kept.push_back(Refusal {
            time: SystemTime::now(),
            target,
            reason: reason.to_owned(),
            count,
            number,
        });
        if kept.len() > KEPT {
            kept.pop_front();
        }
    }
}
