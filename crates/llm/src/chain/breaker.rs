//! Keeps a broken connection from being asked over and over.

use std::sync::Mutex;
use std::time::Duration;

use tokio::time::Instant;

use crate::ModelError;

/// Failures in a row after which a connection rests.
const FAILURES: u32 = 5;
const REST: Duration = Duration::from_secs(30);

/// Counts the failures of one connection.
///
/// ```text
/// closed ──5 failures in a row──► open ──30 s──► half open ──► closed (it answered)
///    ▲                             ▲                 └───────► open   (it did not)
///    └──────────an answer──────────┘
/// ```
///
/// Half open lets one request through in 30 s. Errors that say nothing about the server's health,
/// such as a wrong key, do not count.
#[derive(Debug)]
pub struct Breaker {
    rest: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    rests_until: Option<Instant>,
}

impl Default for Breaker {
    fn default() -> Self {
        Self::resting(REST)
    }
}

impl Breaker {
    /// A closed breaker that rests this long once it opens.
    pub fn resting(rest: Duration) -> Self {
        Self {
            rest,
            state: Mutex::default(),
        }
    }

    /// Whether to ask; after a rest, only the first who wants to know hears yes.
    pub fn lets_through(&self) -> bool {
        let mut state = self.state.lock().expect("no holder panics");
        let now = Instant::now();
        match state.rests_until {
            Some(until) if now < until => false,
            Some(_) => {
                state.rests_until = Some(now + self.rest);
                true
            }
            None => true,
        }
    }

    /// Takes note of a failure.
    pub fn note(&self, error: &ModelError) {
        if !speaks_of_the_server(error) {
            return;
        }
        let mut state = self.state.lock().expect("no holder panics");
        state.failures += 1;
        if state.failures >= FAILURES {
            state.rests_until = Some(Instant::now() + self.rest);
        }
    }

    /// Takes note of an answer.
    pub fn close(&self) {
        *self.state.lock().expect("no holder panics") = State::default();
    }
}

fn speaks_of_the_server(error: &ModelError) -> bool {
    error.is_retryable() || matches!(error, ModelError::Malformed { .. })
}
