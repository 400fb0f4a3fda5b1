//! When what a model says is read and shown.

use std::pin::Pin;
use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::{Instant, Sleep, sleep_until};

use crate::log::{RunLog, Said};

/// Longest time that text which comes soon after other text waits before it is looked at. Readers
/// see no difference, and a fast model costs less.
const SHOW_AFTER: Duration = Duration::from_millis(45);
/// Distance of the moments at which it is.
const SHOW_GRID: Duration = Duration::from_millis(15);
/// Pieces of text that are shown as they come before that begins, so that short answers end at once.
const SHOWN_AS_THEY_COME: u32 = 8;
/// How long what came meanwhile is then gathered: the connection gives it piece by piece.
const GATHER: Duration = Duration::from_millis(2);
/// What came this short a time ago is being followed by more.
const STILL_COMES: Duration = Duration::from_micros(500);

/// Shows text to `log` as it grows, and says when there may be more of it.
pub(crate) struct Pace<'a> {
    log: &'a dyn RunLog,
    stage: Stage,
    /// When the stage is over, if it is not the first.
    pause: Pin<Box<Sleep>>,
    /// Bytes of the text that are shown.
    shown: usize,
    /// How often text has come.
    times: u32,
    last_came: Instant,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Text is read and shown as soon as it comes.
    AtOnce,
    /// Not read for now: text was shown a moment ago.
    Resting,
    /// Read, to be shown together in a moment.
    Gathering,
}

impl<'a> Pace<'a> {
    pub(crate) fn new(log: &'a dyn RunLog) -> Self {
        let now = Instant::now();
        Self {
            log,
            stage: Stage::AtOnce,
            pause: Box::pin(sleep_until(now)),
            shown: 0,
            times: 0,
            last_came: now,
        }
    }

    /// Whether the model is to be read now.
    pub(crate) fn reads(&self) -> bool {
        self.stage != Stage::Resting
    }

    /// Whether [`Pace::pause`] ends.
    pub(crate) fn pauses(&self) -> bool {
        self.stage != Stage::AtOnce
    }

    /// Waits for the moment for [`Pace::go_on`]. Safe to cancel.
    pub(crate) fn pause(&mut self) -> Pin<&mut Sleep> {
        self.pause.as_mut()
    }

    /// The pause is over.
    pub(crate) fn go_on(&mut self, said: &Said) {
        let now = Instant::now();
        let has_shown = self.show(said);
        let still_comes = now - self.last_came < STILL_COMES;
        if self.stage == Stage::Resting || still_comes {
            self.wait(Stage::Gathering, now + GATHER);
        } else if has_shown {
            self.rest(now);
        } else {
            self.stage = Stage::AtOnce;
        }
    }

    /// The model was read at `now`. `is_full` says that more is there already.
    pub(crate) fn came(&mut self, now: Instant, said: &Said, has_grown: bool, is_full: bool) {
        self.last_came = now;
        if self.stage == Stage::AtOnce || is_full {
            self.show(said);
        }
        self.times += u32::from(has_grown);
        let is_fast = self.times > SHOWN_AS_THEY_COME;
        if self.stage == Stage::AtOnce && is_fast && has_grown && !is_full {
            self.rest(now);
        }
    }

    /// Shows what is not shown yet; whether there was anything.
    pub(crate) fn show(&mut self, said: &Said) -> bool {
        let text = &said.text[self.shown..];
        if text.is_empty() {
            return false;
        }
        self.log.show(self.shown, text);
        self.shown = said.text.len();
        true
    }

    fn rest(&mut self, now: Instant) {
        self.wait(Stage::Resting, on_grid(now, SHOW_AFTER, SHOW_GRID));
    }

    fn wait(&mut self, stage: Stage, until: Instant) {
        self.stage = stage;
        self.pause.as_mut().reset(until);
    }
}

/// The last moment of a grid until `longest` after `now`. The moments are the same for all runs,
/// so that what they do is done together.
pub(crate) fn on_grid(now: Instant, longest: Duration, grid: Duration) -> Instant {
    static START: OnceLock<Instant> = OnceLock::new();
    let start = *START.get_or_init(|| now);
    let latest = now.saturating_duration_since(start) + longest;
    let past = latest.as_nanos() % grid.as_nanos();
    start + latest - Duration::from_nanos(past as u64)
}
