//! Runs: posting, the lease queue, the journal, and what lists show.

mod cancelling;
mod ending;
mod journal;
mod posting;
mod progress;
mod queue;
mod reading;
mod settling;
mod texts;

pub use cancelling::UntouchedRun;
pub use ending::Ending;
pub use journal::{Attempt, NewStep, StartedCall, WholeMessage};
pub use posting::{AnsweringAgent, NewRun, Posted, PostingContext, Unchanged};
pub use progress::RunMessage;
pub use queue::{ClaimedRun, HeldRun, Lease};
pub use queue::{
    claim_orphaned, claim_queued, expire_all_leases, has_queued, release, renew, take_up,
};
pub use texts::SaidText;

pub(crate) use posting::parse_message_role;
pub(crate) use reading::unreadable;
