//! Which part of a conversation the model sees.

use llm::ModelMessage;

/// What a picture takes of the room.
const PICTURE_BYTES: usize = 4_000;

/// The latest messages that fit into `max_bytes`, oldest first. The last message and a person's last
/// one are always there. It begins with a person's message, and what came of a tool call is never
/// sent without the message that asked for it.
pub fn window(messages: &[ModelMessage], max_bytes: usize) -> Vec<ModelMessage> {
    let asked = messages.iter().rposition(ModelMessage::is_user);
    let mut room = max_bytes.saturating_sub(asked.map_or(0, |index| size(&messages[index])));
    let mut first = messages.len();
    for (index, message) in messages.iter().enumerate().rev() {
        if Some(index) != asked {
            let size = size(message);
            if size > room && first < messages.len() {
                break;
            }
            room = room.saturating_sub(size);
        }
        first = index;
    }
    while first > 0 && matches!(messages[first], ModelMessage::Tool { .. }) {
        first -= 1;
    }
    match asked {
        Some(asked) if first > asked => {
            let question = std::iter::once(&messages[asked]);
            question.chain(&messages[first..]).cloned().collect()
        }
        Some(asked) => {
            while first < asked && !messages[first].is_user() {
                first += 1;
            }
            messages[first..].to_vec()
        }
        None => messages[first..].to_vec(),
    }
}

fn size(message: &ModelMessage) -> usize {
    message.size_bytes() + message.picture_count() * PICTURE_BYTES
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: usize = 1_000;

    fn result(bytes: usize) -> ModelMessage {
        ModelMessage::Tool {
            call_id: "call".into(),
            name: "look".into(),
            text: "x".repeat(bytes).into(),
            is_error: false,
        }
    }

    #[test]
    fn oldest_messages_go_first_and_the_last_always_stays() {
        let long = "x".repeat(ROOM - 6);
        let messages = ["old", &long, "latest"].map(ModelMessage::user);

        let kept = window(&messages, ROOM);
        let alone = window(
            &[
                ModelMessage::user("old"),
                ModelMessage::user("x".repeat(ROOM + 1)),
            ],
            ROOM,
        );

        assert_eq!(kept.len(), 2);
        assert_eq!(&**kept[1].text(), "latest");
        assert_eq!(alone.len(), 1);
    }

    #[test]
    fn results_keep_the_message_that_asked_for_them_and_the_question() {
        let question = ModelMessage::user("Where?");
        let asking = ModelMessage::assistant("I look that up");

        let kept = window(
            &[
                ModelMessage::user("old"),
                question.clone(),
                asking.clone(),
                result(ROOM),
                asking.clone(),
                result(ROOM),
            ],
            ROOM,
        );

        assert_eq!(kept, [question, asking, result(ROOM)]);
    }

    #[test]
    fn what_is_sent_begins_with_a_persons_message() {
        let messages = [
            ModelMessage::user("x".repeat(ROOM)),
            ModelMessage::assistant("An answer to what is cut off."),
            ModelMessage::user("And now?"),
        ];

        assert_eq!(window(&messages, ROOM), messages[2..]);
        assert_eq!(window(&messages, 3 * ROOM), messages);
    }
}
