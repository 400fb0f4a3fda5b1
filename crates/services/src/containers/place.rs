//! What this process knows of one server's container.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use domain::Timestamp;
use domain::containers::ContainerSample;
use provisioner::{LogBook, Refusals, Running};

/// So many crashes within so long are a loop: the server is not started again by itself.
const MAX_CRASHES: usize = 5;
const CRASH_WINDOW: Duration = Duration::from_secs(600);
/// Pause after the first crash; doubled by each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);

/// What stands before the next start of a server that ended by itself.
pub(super) enum Pause {
    /// It is started again then, or was already.
    Until(Instant),
    /// It is not started again by itself, for this reason.
    ForGood(String),
}

/// The place of one server's container.
#[derive(Default)]
pub(super) struct Place {
    /// Held while a container is started or removed: never two at once.
    pub(super) work: tokio::sync::Mutex<()>,
    state: Mutex<PlaceState>,
}

#[derive(Default)]
pub(super) struct PlaceState {
    /// The fence of the last start, so that whoever held an older container leaves the new one alone.
    pub(super) fence: i64,
    pub(super) running: Option<Arc<Running>>,
    pub(super) started_at: Option<Timestamp>,
    /// Those of the last start, also when it has ended.
    pub(super) log: Option<LogBook>,
    pub(super) refusals: Option<Refusals>,
    /// What it used since its start, oldest first.
    pub(super) samples: VecDeque<ContainerSample>,
    /// Its processor time at the last look.
    pub(super) last_look: Option<(Instant, u64)>,
    crashes: VecDeque<Instant>,
    /// That of the settings with which it ended.
    revision: i32,
    /// The start whose end was counted last.
    pub(super) crashed: i64,
    last_crash: String,
}

impl Place {
    pub(super) fn state(&self) -> MutexGuard<'_, PlaceState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl PlaceState {
    /// Notes that the container of a start ended by itself; a second time changes nothing.
    pub(super) fn note_crash(&mut self, fence: i64, reason: &str) {
        if self.crashed == fence {
            return;
        }
        self.crashed = fence;
        self.crashes.push_back(Instant::now());
        if self.crashes.len() > MAX_CRASHES {
            self.crashes.pop_front();
        }
        reason.clone_into(&mut self.last_crash);
    }

    /// What stands before the next start with the settings of a revision, if the server ended by
    /// itself with them lately. A person who restarts it, wherever in the fleet, raises the revision.
    pub(super) fn pause(&mut self, revision: i32) -> Option<Pause> {
        if self.revision != revision {
            self.revision = revision;
            self.pardon();
        }
        while self
            .crashes
            .front()
            .is_some_and(|at| at.elapsed() > CRASH_WINDOW)
        {
            self.crashes.pop_front();
        }
        let count = self.crashes.len();
        let last = self.crashes.back()?;
        if count >= MAX_CRASHES {
            return Some(Pause::ForGood(format!(
                "it ended {count} times within 10 minutes and is not started again by itself; the \
                 last time: {}. Correct it, then restart the server",
                self.last_crash
            )));
        }
        let pause = FIRST_PAUSE * 2u32.pow(count as u32 - 1);
        Some(Pause::Until(*last + pause))
    }

    /// Why it ended the last time, if that was by itself and lately.
    pub(super) fn last_crash(&self) -> Option<&str> {
        (!self.crashes.is_empty()).then_some(self.last_crash.as_str())
    }

    /// A person wants it to be tried again.
    pub(super) fn pardon(&mut self) {
        self.crashes.clear();
    }
}
