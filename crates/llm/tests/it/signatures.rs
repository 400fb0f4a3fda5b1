//! Signed thoughts of models behind Chat Completions servers: they must come back with the answer.

use std::sync::Arc;

use llm::{ModelEvent, ModelMessage, ModelRequest, ToolCall};
use serde_json::{Value, json};

use crate::support::{ask, body_of, client, hello};
use crate::wire::Wire;

/// What an answer made of these deltas says.
async fn events_of(deltas: &[Value], finish: &str) -> Vec<ModelEvent> {
    let mut body = String::new();
    for delta in deltas {
        let chunk = json!({"choices": [{"index": 0, "delta": delta}]});
        body += &format!("data: {chunk}\n\n");
    }
    let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]});
    body += &format!("data: {end}\n\ndata: [DONE]\n\n");
    ask(client, hello(), &body).await.1
}

/// The answer among these events as the server that gave it sees it again.
async fn seen_again(events: &[ModelEvent]) -> Value {
    let calls: Vec<ToolCall> = events
        .iter()
        .filter_map(|event| match event {
            ModelEvent::ToolCall(call) => Some(call.clone()),
            _ => None,
        })
        .collect();
    let results = calls.iter().map(|call| ModelMessage::Tool {
        call_id: call.id.as_str().into(),
        name: call.name.as_str().into(),
        text: "done".into(),
        is_error: false,
    });
    let mut messages = vec![
        ModelMessage::user("Hello"),
        ModelMessage::Assistant {
            text: "".into(),
            tool_calls: calls.clone().into(),
            carry: carry_of(events),
        },
    ];
    messages.extend(results);
    let request = ModelRequest {
        messages,
        ..hello()
    };
    let (seen, _) = ask(client, request, &Wire::Chat.stop()).await;
    body_of(&seen)["messages"][2].clone()
}

fn carry_of(events: &[ModelEvent]) -> Option<Arc<str>> {
    events.iter().find_map(|event| match event {
        ModelEvent::Carry(carry) => Some(carry.as_str().into()),
        _ => None,
    })
}

fn call(index: usize, id: &str) -> Value {
    json!({"index": index, "id": id, "function": {"name": "look", "arguments": "{}"}})
}

#[tokio::test]
async fn details_of_thoughts_go_back_put_together() {
    let details = |details: Value| json!({"reasoning": "Hm.", "reasoning_details": details});
    let text = |text: &str, index: u32| json!({"type": "reasoning.text", "text": text, "index": index, "signature": null});
    let sealed = |id: &str| json!({"type": "reasoning.encrypted", "data": "abc", "id": id, "index": 1, "format": "google-gemini-v1"});
    let signed = json!({"type": "reasoning.text", "text": " do.", "index": 0, "signature": "sig", "id": "r"});
    let deltas = [
        details(json!([text("What", 0)])),
        details(json!([text(" to", 0)])),
        details(json!([signed, sealed("a"), sealed("b")])),
        details(json!([text("Now", 2)])),
        json!({"tool_calls": [call(0, "a")]}),
    ];

    let events = events_of(&deltas, "tool_calls").await;
    let answer = seen_again(&events).await;

    assert_eq!(events[0], ModelEvent::Reasoning("Hm.".to_owned()));
    let whole = json!({"type": "reasoning.text", "text": "What to do.", "index": 0, "signature": "sig", "id": "r"});
    assert_eq!(
        answer["reasoning_details"],
        json!([whole, sealed("a"), sealed("b"), text("Now", 2)])
    );
    assert_eq!(answer.get("reasoning_content"), None);
}

#[tokio::test]
async fn signatures_go_back_with_their_calls() {
    let extra = |signature: &str| json!({"google": {"thought_signature": signature}});
    // Google has answered without ids.
    let mut signed = call(0, "");
    signed["extra_content"] = extra("one");
    let mut other = call(2, "c");
    other["extra_content"] = extra("three");
    let deltas = [
        json!({"reasoning_content": "Hm."}),
        json!({"tool_calls": [signed, call(1, "b"), other]}),
    ];

    let events = events_of(&deltas, "tool_calls").await;
    let answer = seen_again(&events).await;

    let calls = &answer["tool_calls"];
    assert_eq!(calls[0]["extra_content"], extra("one"));
    assert_eq!(calls[1].get("extra_content"), None);
    assert_eq!(calls[2]["extra_content"], extra("three"));
    assert_eq!(answer["reasoning_content"], "Hm.");
}

#[tokio::test]
async fn without_calls_nothing_goes_back() {
    let detail = json!({"type": "reasoning.text", "text": "Hm.", "index": 0});
    let deltas = [json!({"reasoning_details": [detail], "content": "Yes."})];

    let events = events_of(&deltas, "stop").await;

    assert_eq!(carry_of(&events), None);
}

#[tokio::test]
async fn thoughts_that_were_kept_in_the_old_form_are_read() {
    let look = ToolCall {
        id: "a".to_owned(),
        name: "look".to_owned(),
        arguments: "{}".to_owned(),
    };
    let old = ModelEvent::Carry("{\"chat\":\"Hm.\"}".to_owned());

    let answer = seen_again(&[ModelEvent::ToolCall(look), old]).await;

    assert_eq!(answer["reasoning_content"], "Hm.");
}

#[tokio::test]
async fn thoughts_without_end_are_refused() {
    let detail = |text: String| json!({"reasoning_details": [{"type": "reasoning.text", "text": text, "index": 0}]});
    let pieces = (0..5).map(|_| detail("x".repeat(1024 * 1024)));
    let body: String = pieces
        .map(|delta| format!("data: {}\n\n", json!({"choices": [{"delta": delta}]})))
        .collect();
    let (_, end) = crate::support::answer_to(vec![body.into()], crate::support::Then::Stall).await;

    assert_eq!(end.expect_err("an error").kind(), "malformed");
}
