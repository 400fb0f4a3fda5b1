//! What a container wanted to reach and may not.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
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
}

/// The newest 200 refusals; repetitions are counted. Cloning shares them.
#[derive(Clone, Debug, Default)]
pub struct Refusals {
    kept: Arc<Mutex<VecDeque<Refusal>>>,
}

impl Refusals {
    /// Newest first.
    pub fn list(&self) -> Vec<Refusal> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.iter().rev().cloned().collect()
    }

    pub(crate) fn add(&self, target: &str, reason: &str) {
        let target: String = target
            .chars()
            .filter(|c| !c.is_control())
            .take(300)
            .collect();
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
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
        });
        if kept.len() > KEPT {
            kept.pop_front();
        }
    }
}
