//! Tool calls of Chat Completions servers, which differ more than one would think.

use std::sync::Arc;

use domain::events::FinishReason;
use llm::{Image, ModelEvent, ModelMessage, ModelRequest, ToolCall, ToolSpec};
use serde_json::{Value, json};

use crate::support::{GOOD, Then, body_of, hello, said, serve};

/// Ids, names and arguments of the calls that come of these deltas, and how the answer ends.
async fn calls(deltas: &[Value], finish: &str) -> (Vec<(String, String, String)>, FinishReason) {
    let mut body = String::new();
    for delta in deltas {
        let chunk = json!({"choices": [{"index": 0, "delta": {"tool_calls": delta}}]});
        body += &format!("data: {chunk}\n\n");
    }
    let chunk = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": finish}]});
    body += &format!("data: {chunk}\n\ndata: [DONE]\n\n");
    let (model, _server) = serve(GOOD, vec![body.into()], Then::End).await;
    let mut reason = None;
    let mut calls = Vec::new();
    for event in said(&model, hello()).await {
        match event {
            ModelEvent::ToolCall(call) => calls.push((call.id, call.name, call.arguments)),
            ModelEvent::Finished { reason: end, .. } => reason = Some(end),
            other => panic!("unexpected {other:?}"),
        }
    }
    (calls, reason.expect("an end"))
}

fn call(id: &str, name: &str, arguments: &str) -> (String, String, String) {
    (id.to_owned(), name.to_owned(), arguments.to_owned())
}

#[tokio::test]
async fn pieces_of_parallel_calls_are_put_together() {
    let body = include_str!("../fixtures/chat_tools.sse");
    let (model, _server) = serve(GOOD, vec![body.into()], Then::End).await;

    let events = said(&model, hello()).await;

    let call = |id: &str, name: &str, arguments: &str| {
        ModelEvent::ToolCall(ToolCall {
            id: id.to_owned(),
            name: name.to_owned(),
            arguments: arguments.to_owned(),
        })
    };
    assert_eq!(
        events[..2],
        [
            call(
                "call_DdmO9pD3xa9XTPNJ32zg2hcA",
                "get_weather",
                "{\"location\":\"Paris\"}"
            ),
            call("call_2", "get_time", "{}"),
        ]
    );
    let ModelEvent::Finished { reason, usage } = events[2] else {
        panic!("no end but {:?}", events[2]);
    };
    assert_eq!(reason, FinishReason::ToolCalls);
    assert_eq!((usage.input_tokens, usage.output_tokens), (1117, 46));
    assert_eq!(usage.cached_input_tokens, 1024);
}

#[tokio::test]
async fn whole_calls_without_index_or_id_stay_apart() {
    let whole = |name: &str, arguments: Value| json!([{"function": {"name": name, "arguments": arguments}}]);

    let (calls, reason) = calls(
        &[
            whole("a", json!("{\"x\":1}")),
            whole("a", json!("{\"x\":2}")),
            whole("b", json!({"y": 3})),
        ],
        "stop",
    )
    .await;

    let heard: Vec<_> = calls
        .iter()
        .map(|(_, name, arguments)| (name.as_str(), arguments.as_str()))
        .collect();
    assert_eq!(
        heard,
        [("a", "{\"x\":1}"), ("a", "{\"x\":2}"), ("b", "{\"y\":3}")]
    );
    let ids: std::collections::HashSet<_> = calls.iter().map(|(id, ..)| id).collect();
    assert_eq!(ids.len(), 3, "made-up ids are all different");
    assert_eq!(reason, FinishReason::ToolCalls);
}

#[tokio::test]
async fn calls_that_share_an_index_are_told_apart_by_their_ids() {
    let (calls, _) = calls(
        &[
            json!([{"index": 0, "id": "1", "function": {"name": "a", "arguments": "{\"x\":"}}]),
            json!([{"index": 0, "function": {"arguments": "1}"}}]),
            json!([{"index": 0, "id": "2", "function": {"name": "b", "arguments": "{"}}]),
            json!([{"index": 0, "id": "2", "function": {"arguments": "}"}}]),
        ],
        "tool_calls",
    )
    .await;

    assert_eq!(calls, [call("1", "a", "{\"x\":1}"), call("2", "b", "{}")]);
}

#[tokio::test]
async fn pieces_without_an_index_belong_to_the_last_call() {
    let (calls, _) = calls(
        &[
            json!([{"id": "1", "function": {"name": "a", "arguments": ""}}]),
            json!([{"function": {"arguments": "{\"x\":"}}]),
            json!([{"id": "", "function": {"name": "", "arguments": "1}"}}]),
            json!([{"id": "2", "function": {"name": "b", "arguments": null}}]),
        ],
        "tool_calls",
    )
    .await;

    assert_eq!(calls, [call("1", "a", "{\"x\":1}"), call("2", "b", "")]);
}

#[tokio::test]
async fn a_call_that_was_cut_off_is_not_made() {
    let (calls, reason) = calls(
        &[json!([{"index": 0, "id": "1", "function": {"name": "a", "arguments": "{\"x"}}])],
        "length",
    )
    .await;

    assert_eq!(calls, []);
    assert_eq!(reason, FinishReason::Length);
}

#[tokio::test]
async fn too_many_calls_or_too_long_arguments_are_refused() {
    let many: Vec<Value> = (0..129)
        .map(|index| json!([{"index": index, "id": index.to_string(), "function": {"name": "a"}}]))
        .collect();
    let long: Vec<Value> = (0..2)
        .map(|_| json!([{"index": 0, "function": {"name": "a", "arguments": "x".repeat(600_000)}}]))
        .collect();
    for deltas in [many, long] {
        let body: String = deltas
            .iter()
            .map(|delta| {
                format!(
                    "data: {}\n\n",
                    json!({"choices": [{"delta": {"tool_calls": delta}}]})
                )
            })
            .collect();
        let (model, _server) = serve(GOOD, vec![body.into()], Then::Stall).await;

        let error = crate::support::answer(&model)
            .await
            .1
            .expect_err("an error");

        assert_eq!(error.kind(), "malformed");
    }
}

#[tokio::test]
async fn thoughts_go_back_with_the_results_of_tools() {
    let body = format!(
        "data: {}\n\ndata: {}\n\ndata: {}\n\n",
        json!({"choices": [{"delta": {"reasoning_content": "Hm, "}}]}),
        json!({"choices": [{"delta": {"reasoning_content": "tools."}}]}),
        json!({"choices": [{"finish_reason": "tool_calls", "delta": {
            "tool_calls": [{"index": 0, "id": "1", "function": {"name": "a", "arguments": "{}"}}],
        }}]}),
    );
    let (model, _server) = serve(GOOD, vec![body.into()], Then::End).await;
    let events = said(&model, hello()).await;
    assert_eq!(events[0], ModelEvent::Reasoning("Hm, ".to_owned()));
    let carry = events.iter().find_map(|event| match event {
        ModelEvent::Carry(carry) => Some(Arc::from(carry.as_str())),
        _ => None,
    });
    let image = Image {
        media_type: "image/png".into(),
        bytes: bytes::Bytes::from_static(b"png"),
    };
    let request = ModelRequest {
        messages: vec![
            ModelMessage::User {
                text: "See?".into(),
                images: Arc::new([image]),
            },
            ModelMessage::Assistant {
                text: "".into(),
                tool_calls: Arc::new([ToolCall {
                    id: "1".to_owned(),
                    name: "a".to_owned(),
                    arguments: "{}".to_owned(),
                }]),
                carry,
            },
            ModelMessage::Tool {
                call_id: "1".into(),
                name: "a".into(),
                text: "done".into(),
                is_error: false,
            },
        ],
        tools: Arc::new([ToolSpec {
            name: "a".to_owned(),
            description: "Does it.".to_owned(),
            input_schema: json!({"type": "object"}),
        }]),
        ..hello()
    };
    let stop = crate::wire::Wire::Chat.stop();
    let (model, server) = serve(GOOD, vec![stop.into()], Then::End).await;
    said(&model, request).await;
    drop(model);

    let body = body_of(&server.await.expect("the server"));

    assert_eq!(
        body["messages"].as_array().expect("messages")[1..],
        [
            json!({"role": "user", "content": [
                {"type": "text", "text": "See?"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,cG5n"}},
            ]}),
            json!({"role": "assistant", "content": "", "reasoning_content": "Hm, tools.", "tool_calls": [
                {"id": "1", "type": "function", "function": {"name": "a", "arguments": "{}"}},
            ]}),
            json!({"role": "tool", "tool_call_id": "1", "content": "done"}),
        ]
    );
    assert_eq!(body["tools"][0]["function"]["name"], "a");
}
