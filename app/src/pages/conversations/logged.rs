//! Logged events as the stream brings them.
//!
//! The stream says by an event's name what its data is. Each kind is read by itself: the browser
//! half would be a twentieth larger if it read them as `domain` does, where the kind may come
//! after the data (docs/decisions/wasm-size.md).

use domain::events::{CreatedMessage, Event, EventBody, FinishReason};
use domain::runs::Usage;
use domain::{ConversationId, EventId, MessageId, RunId, Timestamp};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

/// Reads the data of one kind.
pub type Read = fn(&str) -> serde_json::Result<EventBody>;

/// Names of logged events, and how their data is read.
pub const LOGGED: [(&str, Read); 18] = [
    ("message_created", |data| {
        read(data, |Created { message }| EventBody::MessageCreated {
            message,
        })
    }),
    ("run_queued", |data| read(data, EventBody::RunQueued)),
    ("run_started", |data| read(data, EventBody::RunStarted)),
    ("run_adopted", |data| read(data, EventBody::RunAdopted)),
    ("text_delta", |data| read(data, EventBody::TextDelta)),
    ("text_truncated", |data| {
        read(data, |Truncated { message_id, offset }| {
            EventBody::TextTruncated { message_id, offset }
        })
    }),
    ("message_completed", |data| read(data, completed)),
    ("reasoning_delta", |data| {
        read(data, EventBody::ReasoningDelta)
    }),
    ("model_switched", |data| {
        read(data, EventBody::ModelSwitched)
    }),
    ("tool_call_started", |data| {
        read(data, EventBody::ToolCallStarted)
    }),
    ("tool_call_completed", |data| {
        read(data, EventBody::ToolCallCompleted)
    }),
    ("approval_requested", |data| {
        read(data, EventBody::ApprovalRequested)
    }),
    ("approval_decided", |data| {
        read(data, EventBody::ApprovalDecided)
    }),
    ("budget_warning", |data| {
        read(data, EventBody::BudgetWarning)
    }),
    ("budget_exceeded", |data| {
        read(data, EventBody::BudgetExceeded)
    }),
    ("run_completed", |data| read(data, EventBody::RunCompleted)),
    ("run_failed", |data| read(data, EventBody::RunFailed)),
    ("run_cancelled", |data| read(data, EventBody::RunCancelled)),
];

/// An event whose kind is known.
///
/// # Errors
/// If it is not of that kind, as from a server of another version.
pub fn event(json: &str, read: Read) -> serde_json::Result<Event> {
    let frame: Frame = serde_json::from_str(json)?;
    Ok(Event {
        id: frame.id,
        seq: frame.seq,
        time: frame.time,
        conversation_id: frame.conversation_id,
        run_id: frame.run_id,
        body: read(frame.data.get())?,
    })
}

fn read<T: DeserializeOwned>(
    data: &str,
    wrap: fn(T) -> EventBody,
) -> serde_json::Result<EventBody> {
    serde_json::from_str(data).map(wrap)
}

fn completed(data: Completed) -> EventBody {
    EventBody::MessageCompleted {
        message_id: data.message_id,
        text: data.text,
        finish_reason: data.finish_reason,
        usage: data.usage,
    }
}

#[derive(Deserialize)]
struct Frame {
    id: EventId,
    seq: u64,
    time: Timestamp,
    conversation_id: ConversationId,
    run_id: RunId,
    data: Box<RawValue>,
}

#[derive(Deserialize)]
struct Created {
    message: CreatedMessage,
}

#[derive(Deserialize)]
struct Truncated {
    message_id: MessageId,
    offset: u64,
}

#[derive(Deserialize)]
struct Completed {
    message_id: MessageId,
    text: String,
    finish_reason: FinishReason,
    usage: Usage,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    const ID: &str = "01890000-0000-7000-8000-000000000001";

    #[track_caller]
    fn check(kind: &str, data: Value) {
        let json = json!({"id": ID, "seq": 3, "time": "2026-11-23T08:15:30.042Z",
            "conversation_id": ID, "run_id": ID, "type": kind, "data": data})
        .to_string();
        let (_, read) = LOGGED
            .iter()
            .find(|(name, _)| *name == kind)
            .expect("a known kind");

        let event = event(&json, *read).expect("is read");

        assert_eq!(event, serde_json::from_str(&json).expect("a valid event"));
    }

    #[test]
    fn events_are_read_as_the_domain_reads_them() {
        let message = json!({"id": ID, "role": "user", "text": "Hi", "attachments": [ID]});
        let usage = json!({"input_tokens": 1, "output_tokens": 2, "cost_usd_micros": 3});
        let begin = json!({"agent_id": ID, "agent_version": 1, "attempt": 2});
        check("message_created", json!({"message": message}));
        check("run_started", begin.clone());
        check("run_adopted", begin);
        check(
            "text_delta",
            json!({"message_id": ID, "offset": 2, "text": "é"}),
        );
        check("text_truncated", json!({"message_id": ID, "offset": 2}));
        check(
            "message_completed",
            json!({"message_id": ID, "text": "x", "finish_reason": "length", "usage": usage}),
        );
        check(
            "model_switched",
            json!({"message_id": ID, "from": "a", "to": "b", "reason": "down"}),
        );
    }
}
