//! A run in words.

use domain::Timestamp;
use domain::runs::RunSummary;

use crate::time::duration;
use crate::ui::or;

/// The title of its conversation.
pub fn title(run: &RunSummary) -> String {
    or(&run.conversation_title, "Untitled conversation").to_owned()
}

/// How long it took, or takes until `now`; a dash before it starts.
pub fn lasted(run: &RunSummary, now: Timestamp) -> String {
    match run.started_at {
        Some(start) => duration(start, run.finished_at.unwrap_or(now)),
        None => "–".to_owned(),
    }
}
