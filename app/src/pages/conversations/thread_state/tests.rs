//! Events in orders that happen, and what the page then shows.

use super::*;
use serde_json::json;

const ANSWER: &str = "01890000-0000-7000-8000-00000000000a";
const RUN: &str = "01890000-0000-7000-8000-00000000000b";
const OTHER: &str = "01890000-0000-7000-8000-00000000000c";
const QUESTION: &str = "01890000-0000-7000-8000-00000000000d";

fn empty() -> ThreadState {
    ThreadState {
        last_seq: 0,
        messages: Vec::new(),
        active: Vec::new(),
        head: None,
        waiting: None,
    }
}

fn event(seq: u64, kind: &str, data: serde_json::Value) -> Event {
    serde_json::from_value(json!({
        "id": "01890000-0000-7000-8000-000000000001",
        "seq": seq,
        "time": "2026-11-23T08:15:30.042Z",
        "conversation_id": "01890000-0000-7000-8000-000000000002",
        "run_id": RUN,
        "type": kind,
        "data": data,
    }))
    .expect("valid event")
}

fn begun() -> ThreadState {
    let mut state = empty();
    state.head = Some(RUN.parse().expect("valid id"));
    let message = json!({"id": ANSWER, "role": "assistant", "text": "", "attachments": []});
    state.apply(event(1, "message_created", json!({"message": message})));
    state
}

fn delta(offset: u64, text: &str) -> TextDelta {
    TextDelta {
        message_id: ANSWER.parse().expect("valid id"),
        offset,
        text: text.into(),
    }
}

fn logged(seq: u64, offset: u64, text: &str) -> Event {
    event(
        seq,
        "text_delta",
        json!({"message_id": ANSWER, "offset": offset, "text": text}),
    )
}

fn text(state: &ThreadState) -> &str {
    &state.messages[0].text
}

#[test]
fn early_text_is_not_doubled_by_the_log() {
    let mut state = begun();

    state.place(&delta(0, "Hé"));
    state.place(&delta(3, "llo"));
    let changes = state.apply(logged(2, 0, "Héllo wor"));
    state.apply(logged(3, 9, "rld"));

    assert_eq!(changes.len(), 1);
    assert_eq!(text(&state), "Héllo world");
    assert_eq!(state.last_seq(), 3);
}

#[test]
fn run_beside_the_branch_asks_for_a_reload_and_shows_nothing() {
    let mut state = begun();
    let queued = |seq, parent: &str| {
        let data = json!({"agent_id": ANSWER, "agent_version": 1, "attempt": 1,
            "message_id": QUESTION, "parent_id": parent});
        event(seq, "run_queued", data)
    };
    let message = json!({"id": QUESTION, "role": "user", "text": "other", "attachments": []});
    state.apply(event(2, "message_created", json!({"message": message})));

    let beside = state.apply(queued(3, OTHER));
    state.apply(event(4, "message_created", json!({"message": message})));
    let behind = state.apply(queued(5, RUN));

    let question = QUESTION.parse().expect("valid id");
    assert_eq!(beside, [Change::Run, Change::Branched]);
    assert_eq!(behind, [Change::Run, Change::Added(question)]);
    assert_eq!(state.messages.len(), 2);
}

#[test]
fn text_beyond_a_gap_is_ignored() {
    let mut state = begun();

    let change = state.place(&delta(5, "later"));

    assert_eq!(change, None);
    assert_eq!(text(&state), "");
}

#[test]
fn known_event_changes_nothing() {
    let mut state = begun();
    state.apply(logged(2, 0, "one"));

    let changes = state.apply(logged(2, 3, "two"));

    assert!(changes.is_empty());
    assert_eq!(text(&state), "one");
}

#[test]
fn withdrawn_tail_is_replaced_by_the_next_attempt() {
    let mut state = begun();
    state.place(&delta(0, "Hello wrong"));

    state.apply(event(
        2,
        "text_truncated",
        json!({"message_id": ANSWER, "offset": 6}),
    ));
    state.apply(logged(3, 6, "right"));

    assert_eq!(text(&state), "Hello right");
}

#[test]
fn completed_text_wins() {
    let mut state = begun();
    state.place(&delta(0, "partial"));

    let changes = state.apply(event(
        2,
        "message_completed",
        json!({"message_id": ANSWER, "text": "whole", "finish_reason": "stop",
               "usage": {"input_tokens": 1, "output_tokens": 1, "cost_usd_micros": 0}}),
    ));
    let late = state.place(&delta(5, "!"));

    let id = ANSWER.parse().expect("valid id");
    assert_eq!(changes, [Change::Text(id), Change::Closed(id)]);
    assert_eq!(late, None);
    assert_eq!(text(&state), "whole");
}

#[test]
fn another_attempt_thinks_anew() {
    let mut state = begun();
    let thought = |seq, offset: u64, text: &str| {
        let data = json!({"message_id": ANSWER, "offset": offset, "text": text});
        event(seq, "reasoning_delta", data)
    };

    state.apply(thought(2, 0, "Hé"));
    state.apply(thought(3, 3, "llo"));
    let before = state.messages[0].reasoning.clone();
    let begin = json!({"agent_id": ANSWER, "agent_version": 1, "attempt": 2});
    state.apply(event(4, "run_adopted", begin));
    let changes = state.apply(thought(5, 0, "Other"));

    let id = ANSWER.parse().expect("valid id");
    assert_eq!(before, "Héllo");
    assert_eq!(changes, [Change::Reasoning(id)]);
    assert_eq!(state.messages[0].reasoning, "Other");
    assert_eq!(state.messages[0].thought_ms, Some(0));
}

#[test]
fn failure_stands_at_the_answer() {
    let mut state = begun();
    let begin = json!({"agent_id": ANSWER, "agent_version": 1, "attempt": 1});
    state.apply(event(2, "run_started", begin));
    assert!(state.active_run().is_some());

    state.apply(event(
        3,
        "run_failed",
        json!({"usage": {"input_tokens": 0, "output_tokens": 0, "cost_usd_micros": 0},
               "error": {"kind": "unreachable", "message": "no answer", "retryable": true}}),
    ));

    let message = &state.messages[0];
    assert_eq!(
        message.error.as_ref().map(|error| error.message.as_str()),
        Some("no answer")
    );
    assert_eq!(message.finish_reason, Some(FinishReason::Error));
    assert_eq!(state.active_run(), None);
}
