//! What a provider wants to see again with its own messages, marked with whose it is.
//!
//! A conversation may move from one provider to another, and each must read only its own.

use serde_json::{Value, json};

use crate::{ModelError, ModelEvent};

/// Chat Completions servers.
pub(crate) const CHAT: &str = "chat";
/// Anthropic Messages.
pub(crate) const ANTHROPIC: &str = "anthropic";
/// OpenAI's Responses.
pub(crate) const RESPONSES: &str = "responses";
/// Gemini.
pub(crate) const GEMINI: &str = "gemini";

/// Bytes of it at most.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The event that hands it over.
pub(crate) fn event(owner: &str, what: Value) -> ModelEvent {
    ModelEvent::Carry(json!({ owner: what }).to_string())
}

/// What `owner` wanted to see again; `None` if this is another's.
pub(crate) fn of(owner: &str, carry: Option<&str>) -> Option<Value> {
    let mut carry: Value = serde_json::from_str(carry?).ok()?;
    carry.get_mut(owner).map(Value::take)
}

/// Adds to a text that will be carried.
///
/// # Errors
/// `Malformed` beyond 4 MiB.
pub(crate) fn extend(text: &mut String, more: &str) -> Result<(), ModelError> {
    bounded(text.len() + more.len())?;
    text.push_str(more);
    Ok(())
}

/// Makes sure that what will be carried is not too long.
///
/// # Errors
/// `Malformed` beyond 4 MiB.
pub(crate) fn bounded(bytes: usize) -> Result<(), ModelError> {
    if bytes > MAX_BYTES {
        return Err(ModelError::Malformed {
            what: "it thinks without end",
        });
    }
    Ok(())
}
