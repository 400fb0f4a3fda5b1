//! How long a call may still take.

use std::time::Duration;

use tokio::time::Instant;

use crate::connection::Patience;
use crate::handler::Aside;

/// Counts the silence of a call and its time in all, but not while somebody is asked.
#[derive(Debug)]
pub(crate) struct Clock {
    patience: Patience,
    silent_until: Instant,
    last: Instant,
    /// Since when it stands, and how many questions are open.
    stopped: Option<(Instant, usize)>,
}

impl Clock {
    pub(crate) fn new(patience: Patience) -> Self {
        let now = Instant::now();
        Self {
            patience,
            silent_until: now + patience.silence,
            last: now + patience.longest,
            stopped: None,
        }
    }

    /// When the call is over if nothing more is heard.
    pub(crate) fn end(&self) -> Instant {
        self.silent_until.min(self.last)
    }

    pub(crate) fn is_over(&self) -> bool {
        self.end() <= Instant::now()
    }

    /// Whether somebody is asked.
    pub(crate) fn is_stopped(&self) -> bool {
        self.stopped.is_some()
    }

    pub(crate) fn heard(&mut self, aside: &Aside) {
        let now = Instant::now();
        match aside {
            Aside::Step(_) => self.silent_until = now + self.patience.silence,
            // What is logged says nothing about which call goes on.
            Aside::Log(_) => {}
            Aside::Question(_) => {
                let (since, open) = self.stopped.unwrap_or((now, 0));
                self.stopped = Some((since, open + 1));
            }
            Aside::Answered => match self.stopped {
                Some((since, 1)) => {
                    self.stopped = None;
                    self.last += now - since;
                    self.silent_until = now + self.patience.silence;
                }
                Some((since, open)) => self.stopped = Some((since, open - 1)),
                None => {}
            },
        }
    }

    /// The time that is over, in seconds.
    pub(crate) fn seconds(&self) -> u64 {
        let over: Duration = match self.last <= self.silent_until {
            true => self.patience.longest,
            false => self.patience.silence,
        };
        // What was left of it when the server was ready may be a little less than a whole number.
        over.as_secs_f64().ceil() as u64
    }
}
