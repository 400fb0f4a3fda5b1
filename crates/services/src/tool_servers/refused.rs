//! What a server was refused while a tool of its was at work, told with the tool's answer, or with why there is none.

use mcp::{Answer, CallError};
use provisioner::Refusal;

/// Hosts that one answer names.
const MAX_NAMED: usize = 5;

/// What is said of refusals; nothing of none.
///
/// Two calls that run side by side are both told: nothing says whose connection it was.
pub(super) fn note(refusals: &[Refusal]) -> Option<String> {
    if refusals.is_empty() {
        return None;
    }
    let named = refusals.iter().take(MAX_NAMED);
    let named: Vec<String> = named
        .map(|refusal| format!("{} ({})", refusal.target, refusal.reason))
        .collect();
    let more = match refusals.len().saturating_sub(MAX_NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    Some(format!(
        "[AgentArea] While this call ran, the server was refused: {}{more}. Whom it may reach is set \
         on the server's page.",
        named.join(", ")
    ))
}

/// Puts a note where whoever called reads it.
pub(super) fn tell(result: &mut Result<Answer, CallError>, note: &str) {
    match result {
        Ok(answer) => answer.add_note(note),
        Err(CallError::Server(message) | CallError::Refused { message, .. }) => {
            message.push_str(". ");
            message.push_str(note);
        }
        // What is blocked ends in silence most often.
        Err(error) if error.may_have_acted() => *error = error.clone().noted(note),
        Err(_) => {}
    }
}
