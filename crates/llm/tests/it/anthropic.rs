//! Anthropic's Messages.

use std::sync::Arc;

use domain::events::FinishReason;
use domain::runs::Usage;
use llm::anthropic::Anthropic;
use llm::{
    ChatModel, Image, ModelError, ModelEvent, ModelMessage, ModelRequest, ToolCall, ToolSpec,
};
use serde_json::{Value, json};

use crate::support::{GOOD, SHORT, Then, anthropic, ask, body_of, hello, listen, outbound, url};

fn call(id: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: id.to_owned(),
        name: "get_weather".to_owned(),
        arguments: arguments.to_owned(),
    }
}

fn tools() -> Arc<[ToolSpec]> {
    Arc::new([ToolSpec {
        name: "get_weather".to_owned(),
        description: "Tells the weather.".to_owned(),
        input_schema: json!({"type": "object"}),
    }])
}

#[tokio::test]
async fn thoughts_text_and_parallel_calls_arrive() {
    let (_, events) = ask(
        anthropic,
        hello(),
        include_str!("../fixtures/anthropic_tools.sse"),
    )
    .await;

    let signature = "EqQBCgIYAhIM1gbcDa9GJwZA2b3hGgxBdjrkzLoky3dl1pkiMOYds";
    let carry = json!({"anthropic": [{
        "type": "thinking",
        "thinking": "The user wants the weather in two cities.",
        "signature": signature,
    }]});
    let expected = vec![
        ModelEvent::Reasoning("The user wants the weather ".to_owned()),
        ModelEvent::Reasoning("in two cities.".to_owned()),
        ModelEvent::Text("Okay, let's check".to_owned()),
        ModelEvent::Text(" the weather:".to_owned()),
        ModelEvent::ToolCall(call(
            "toolu_01T1x1fJ34qAmk2tNTrN7Up6",
            "{\"location\": \"San Francisco, CA\"}",
        )),
        ModelEvent::ToolCall(call("toolu_02", "{\"location\": \"Zürich\"}")),
        ModelEvent::Carry(carry.to_string()),
        ModelEvent::Finished {
            reason: FinishReason::ToolCalls,
            usage: Usage {
                // What came from the cache or went there was read, too.
                input_tokens: 472 + 100 + 2000,
                output_tokens: 89,
                cached_input_tokens: 2000,
                cache_written_tokens: 100,
                ..Usage::default()
            },
        },
    ];
    assert_eq!(events, expected);
}

#[tokio::test]
async fn a_loop_over_tools_is_sent_as_blocks() {
    let (_, events) = ask(
        anthropic,
        hello(),
        include_str!("../fixtures/anthropic_tools.sse"),
    )
    .await;
    let carry = events.iter().find_map(|event| match event {
        ModelEvent::Carry(carry) => Some(Arc::from(carry.as_str())),
        _ => None,
    });
    let image = Image {
        media_type: "image/png".into(),
        bytes: bytes::Bytes::from_static(b"png"),
    };
    let result = |id: &str, is_error| ModelMessage::Tool {
        call_id: id.into(),
        name: "get_weather".into(),
        text: "rain".into(),
        is_error,
    };
    let request = ModelRequest {
        messages: vec![
            ModelMessage::User {
                text: "See?".into(),
                images: Arc::new([image]),
            },
            ModelMessage::Assistant {
                text: "".into(),
                tool_calls: Arc::new([call("a", "{\"x\":1}"), call("b.c", "not json")]),
                carry,
            },
            result("a", false),
            result("b.c", true),
        ],
        temperature: Some(1.5),
        max_output_tokens: Some(50),
        tools: tools(),
        ..hello()
    };

    let (seen, _) = ask(anthropic, request, &crate::wire::Wire::Messages.stop()).await;

    assert!(seen.starts_with("POST /v1/messages HTTP/1.1"), "{seen}");
    assert!(
        seen.contains("x-api-key: sk-secret") && seen.contains("anthropic-version: 2023-06-01")
    );
    let body = body_of(&seen);
    assert_eq!(body["max_tokens"], 50);
    assert_eq!(body["temperature"], 1.0);
    assert_eq!(body["system"], "Be kind.");
    assert_eq!(body["tools"][0]["input_schema"], json!({"type": "object"}));
    let messages = &body["messages"];
    assert_eq!(
        messages[0]["content"],
        json!([
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "cG5n"}},
            {"type": "text", "text": "See?"},
        ])
    );
    let answer = messages[1]["content"].as_array().expect("blocks");
    let kinds: Vec<_> = answer.iter().map(|block| block["type"].as_str()).collect();
    assert_eq!(
        kinds,
        [Some("thinking"), Some("tool_use"), Some("tool_use")]
    );
    assert_eq!(answer[1]["input"], json!({"x": 1}));
    assert_eq!(answer[2]["input"], json!({"malformed": "not json"}));
    assert_eq!(answer[2]["id"], "b_c");
    // Both results are one turn of the user's, cached up to its end.
    assert_eq!(
        messages[2],
        json!({"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "a", "content": "rain"},
            {"type": "tool_result", "tool_use_id": "b_c", "content": "rain", "is_error": true,
             "cache_control": {"type": "ephemeral"}},
        ]})
    );
    assert_eq!(messages[3], Value::Null);
}

#[tokio::test]
async fn thoughts_between_calls_keep_their_places() {
    let thought =
        |signature: &str| json!({"type": "thinking", "thinking": "Hm.", "signature": signature});
    let tool = |id: &str| json!({"type": "tool_use", "id": id, "name": "get_weather", "input": {}});
    let blocks = [
        thought("first"),
        tool("a"),
        thought("second"),
        json!({"type": "text", "text": "So."}),
        tool("b"),
    ];
    let starts = blocks.iter().enumerate().map(|(index, block)| {
        json!({"type": "content_block_start", "index": index, "content_block": block})
    });
    let end = json!({"type": "message_delta", "delta": {"stop_reason": "tool_use"}});
    let events = starts.chain([end, json!({"type": "message_stop"})]);
    let body: String = events.map(|event| format!("data: {event}\n\n")).collect();
    let (_, events) = ask(anthropic, hello(), &body).await;
    let carry = events.iter().find_map(|event| match event {
        ModelEvent::Carry(carry) => Some(Arc::from(carry.as_str())),
        _ => None,
    });

    let request = ModelRequest {
        messages: vec![ModelMessage::Assistant {
            text: "So.".into(),
            tool_calls: Arc::new([call("a", "{}"), call("b", "{}")]),
            carry,
        }],
        ..hello()
    };
    let (seen, _) = ask(anthropic, request, &crate::wire::Wire::Messages.stop()).await;

    let sent = &body_of(&seen)["messages"][0]["content"];
    assert_eq!(sent[0]["signature"], "first", "{sent}");
    assert_eq!(sent[1]["id"], "a", "{sent}");
    assert_eq!(sent[2]["signature"], "second", "{sent}");
    assert_eq!(sent[3]["text"], "So.", "{sent}");
    assert_eq!(sent[4]["id"], "b", "{sent}");
    assert_eq!(sent[5], Value::Null);
}

#[tokio::test]
async fn another_providers_thoughts_are_left_out() {
    let answer = ModelMessage::Assistant {
        text: "Hi.".into(),
        tool_calls: Arc::new([]),
        carry: Some("{\"gemini\":{\"text\":\"abc\"}}".into()),
    };
    let request = ModelRequest {
        messages: vec![
            ModelMessage::user("Hello"),
            answer,
            ModelMessage::user("More"),
        ],
        ..hello()
    };

    let (seen, _) = ask(anthropic, request, &crate::wire::Wire::Messages.stop()).await;

    let body = body_of(&seen);
    assert_eq!(
        body["messages"][1]["content"],
        json!([{"type": "text", "text": "Hi."}])
    );
    assert_eq!(body["max_tokens"], 16_384);
}

#[tokio::test]
async fn ends_are_told_apart() {
    for (stop, expected) in [
        ("end_turn", Ok(FinishReason::Stop)),
        ("stop_sequence", Ok(FinishReason::Stop)),
        ("max_tokens", Ok(FinishReason::Length)),
        ("model_context_window_exceeded", Ok(FinishReason::Length)),
        ("something_new", Ok(FinishReason::Stop)),
        ("refusal", Err(ModelError::Filtered)),
    ] {
        let delta = json!({"type": "message_delta", "delta": {"stop_reason": stop}});
        let body = format!("data: {delta}\n\ndata: {{\"type\":\"message_stop\"}}\n\n");
        let (port, _server) = listen(GOOD, vec![body.into()], Then::End).await;
        let model = anthropic(port);

        let end = crate::support::answer(&model).await.1;

        let reason = end.map(|event| match event {
            ModelEvent::Finished { reason, .. } => reason,
            other => panic!("no end but {other:?}"),
        });
        assert_eq!(reason, expected, "{stop}");
    }
}

#[tokio::test]
async fn overload_in_the_middle_is_unavailable() {
    let error =
        json!({"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}});
    let body = format!("event: error\ndata: {error}\n\n");
    let (port, _server) = listen(GOOD, vec![body.into()], Then::End).await;
    let model = anthropic(port);

    let error = crate::support::answer(&model)
        .await
        .1
        .expect_err("an error");

    assert_eq!(error.kind(), "unavailable");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn models_are_listed_with_their_windows() {
    let list = json!({"data": [
        {"type": "model", "id": "claude-a", "display_name": "A", "max_input_tokens": 200000, "max_tokens": 64000},
        {"type": "model", "id": "claude-b", "display_name": "B"},
    ], "has_more": false});
    let (port, server) = listen("200 OK", vec![list.to_string().into()], Then::End).await;
    // People paste both forms of the address.
    let model = Anthropic::new(outbound(), url(port, "/v1"), None).with_deadlines(SHORT);

    let models = model.list_models().await.expect("a list");

    assert_eq!(models[0].name, "claude-a");
    assert_eq!(models[0].context_window, Some(200_000));
    assert_eq!(models[0].max_output_tokens, Some(64_000));
    assert_eq!(models[1].context_window, None);
    drop(model);
    let seen = server.await.expect("the server");
    assert!(seen.starts_with("GET /v1/models?limit=1000 "), "{seen}");
}
