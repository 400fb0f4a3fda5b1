//! The conversation as the model was trained to read it (ChatML).

use super::vocabulary::Vocabulary;
use crate::{ModelError, ModelMessage, ModelRequest};

/// What SmolLM2's own template says when there are no instructions.
const DEFAULT_INSTRUCTIONS: &str =
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face";

/// Tokens of a conversation, ending where the answer begins.
///
/// Beyond `limit` tokens the oldest messages are left out, up to and including the last answer
/// before the next message of a person; instructions and the last message always stay.
///
/// # Errors
/// `TooLong` if the instructions and the last message alone are too long.
pub(super) fn tokens(
    vocabulary: &Vocabulary,
    request: &ModelRequest,
    limit: usize,
) -> anyhow::Result<Result<Vec<u32>, ModelError>> {
    let instructions = match request.instructions.trim() {
        "" => DEFAULT_INSTRUCTIONS,
        _ => &request.instructions,
    };
    let mut prompt = message(vocabulary, "system", instructions)?;
    let mut opening = vec![vocabulary.start];
    opening.extend(vocabulary.encode("assistant\n")?);

    let mut room = limit.saturating_sub(prompt.len() + opening.len());
    let mut kept: Vec<(&ModelMessage, Vec<u32>)> = Vec::new();
    for said in request.messages.iter().rev() {
        let role = match said {
            ModelMessage::User { .. } => "user",
            ModelMessage::Assistant { .. } => "assistant",
            // It was never trained to read these.
            ModelMessage::Tool { .. } => continue,
        };
        let tokens = message(vocabulary, role, said.text())?;
        if tokens.len() > room {
            break;
        }
        room -= tokens.len();
        kept.push((said, tokens));
    }
    if kept.is_empty() && !request.messages.is_empty() {
        return Ok(Err(ModelError::TooLong));
    }
    let is_cut = kept.len() < request.messages.len();
    while is_cut && kept.len() > 1 && kept.last().is_some_and(|(message, _)| !message.is_user()) {
        kept.pop();
    }
    prompt.extend(kept.into_iter().rev().flat_map(|(_, tokens)| tokens));
    prompt.extend(opening);
    Ok(Ok(prompt))
}

/// `<|im_start|>role\ntext<|im_end|>\n`, with the text as plain text whatever it contains.
fn message(vocabulary: &Vocabulary, role: &str, text: &str) -> anyhow::Result<Vec<u32>> {
    let mut tokens = vec![vocabulary.start];
    tokens.extend(vocabulary.encode(&format!("{role}\n{text}"))?);
    tokens.push(vocabulary.end);
    tokens.extend(vocabulary.encode("\n")?);
    Ok(tokens)
}
