//! Which part of a conversation the model sees.

use llm::ModelMessage;

/// Characters of conversation sent at most; about 100,000 tokens of English.
const MAX_CHARS: usize = 400_000;

/// The latest messages that fit, oldest first; always at least the last one.
pub fn window(messages: Vec<ModelMessage>) -> Vec<ModelMessage> {
    let mut room = MAX_CHARS;
    let kept = messages
        .iter()
        .rev()
        .take_while(|message| {
            let fits = message.size_bytes() <= room;
            room = room.saturating_sub(message.size_bytes());
            fits
        })
        .count()
        .max(1);
    let skipped = messages.len().saturating_sub(kept);
    messages.into_iter().skip(skipped).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(text: &str) -> ModelMessage {
        ModelMessage::user(text)
    }

    #[test]
    fn oldest_messages_go_first_and_the_last_always_stays() {
        let long = "x".repeat(MAX_CHARS - 6);

        let kept = window(vec![message("old"), message(&long), message("latest")]);
        let alone = window(vec![message("old"), message(&"x".repeat(MAX_CHARS + 1))]);

        assert_eq!(kept.len(), 2);
        assert_eq!(&**kept[1].text(), "latest");
        assert_eq!(alone.len(), 1);
    }
}
