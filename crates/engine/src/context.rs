//! Which part of a conversation the model sees.

use llm::ModelMessage;

/// Bytes of conversation sent at most; about 100,000 tokens of English.
const MAX_BYTES: usize = 400_000;

/// The latest messages that fit, oldest first; always at least the last one. What came of a tool
/// call is never sent without the message that asked for it.
pub fn window(messages: &[ModelMessage]) -> Vec<ModelMessage> {
    let mut room = MAX_BYTES;
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
    let mut first = messages.len().saturating_sub(kept);
    while first > 0 && matches!(messages[first], ModelMessage::Tool { .. }) {
        first -= 1;
    }
    messages[first..].to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn oldest_messages_go_first_and_the_last_always_stays() {
        let long = "x".repeat(MAX_BYTES - 6);
        let messages = ["old", &long, "latest"].map(ModelMessage::user);

        let kept = window(&messages);
        let alone = window(&[
            ModelMessage::user("old"),
            ModelMessage::user("x".repeat(MAX_BYTES + 1)),
        ]);

        assert_eq!(kept.len(), 2);
        assert_eq!(&**kept[1].text(), "latest");
        assert_eq!(alone.len(), 1);
    }

    #[test]
    fn results_keep_the_message_that_asked_for_them() {
        let asking = ModelMessage::assistant("I look that up");
        let result = ModelMessage::Tool {
            call_id: "call".into(),
            name: "look".into(),
            text: "x".repeat(MAX_BYTES).into(),
            is_error: false,
        };

        let kept = window(&[ModelMessage::user("old"), asking.clone(), result.clone()]);

        assert_eq!(kept, [asking, result]);
    }
}
