//! What a run asks before it spends.

use async_trait::async_trait;
use domain::runs::{RunError, Usage};
use llm::ModelRequest;

/// The money of whoever pays for a run.
#[async_trait]
pub trait Budget: Send + Sync {
    /// Sets aside what the model call that is journalled as under way can cost at most, and gives
    /// the longest answer in tokens to ask for, no longer than the request's; `None` is no limit
    /// besides that. `spent` is what the run has used up before. The call counts as settled once
    /// its cost is written.
    ///
    /// # Errors
    /// Why there is no money for the call.
    async fn reserve(&self, request: &ModelRequest, spent: &Usage)
    -> Result<Option<u32>, RunError>;

    /// What the call of the last `reserve` has used up, as far as one can tell of a call that broke
    /// off: `request` was sent, and `written_chars` characters came. Nothing if no model took it.
    fn used(&self, request: &ModelRequest, written_chars: u64) -> Usage;
}
