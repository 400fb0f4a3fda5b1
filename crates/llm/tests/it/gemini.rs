//! Google's Gemini API.

use std::sync::Arc;

use domain::events::FinishReason;
use domain::runs::Usage;
use llm::gemini::Gemini;
use llm::{
    ChatModel, Image, ModelError, ModelEvent, ModelMessage, ModelRequest, ToolCall, ToolSpec,
};
use serde_json::json;

use crate::support::{
    GOOD, SHORT, Then, answer, ask, body_of, gemini, hello, listen, outbound, url,
};

#[tokio::test]
async fn thoughts_text_and_parallel_calls_arrive() {
    let (_, events) = ask(
        gemini,
        hello(),
        include_str!("../fixtures/gemini_tools.sse"),
    )
    .await;

    let calls: Vec<&ToolCall> = events
        .iter()
        .filter_map(|event| match event {
            ModelEvent::ToolCall(call) => Some(call),
            _ => None,
        })
        .collect();
    assert_eq!(
        events[..3],
        [
            ModelEvent::Reasoning("**Checking the weather**\n\n".to_owned()),
            ModelEvent::Text("One ".to_owned()),
            ModelEvent::Text("moment.".to_owned()),
        ]
    );
    assert_eq!(calls[0].arguments, "{\"location\":\"Paris\"}");
    assert_eq!(calls[1].arguments, "{\"location\":\"London\"}");
    assert!(!calls[0].id.is_empty() && calls[0].id != calls[1].id);
    let carry = json!({"gemini": {"text": null, "calls": ["CvcQAVSoXO4gs/kK", null]}});
    assert_eq!(events[5], ModelEvent::Carry(carry.to_string()));
    let usage = Usage {
        input_tokens: 62,
        output_tokens: 31 + 66,
        cached_input_tokens: 40,
        ..Usage::default()
    };
    let reason = FinishReason::ToolCalls;
    assert_eq!(events[6..], [ModelEvent::Finished { reason, usage }]);
}

#[tokio::test]
async fn a_loop_over_tools_is_sent_as_parts() {
    let call = |arguments: &str| ToolCall {
        id: "made_up".to_owned(),
        name: "get_weather".to_owned(),
        arguments: arguments.to_owned(),
    };
    let result = |is_error| ModelMessage::Tool {
        call_id: "made_up".into(),
        name: "get_weather".into(),
        text: "rain".into(),
        is_error,
    };
    let image = Image {
        media_type: "image/png".into(),
        bytes: bytes::Bytes::from_static(b"png"),
    };
    let request = ModelRequest {
        model: "gemini-3-flash-preview".to_owned(),
        messages: vec![
            ModelMessage::User {
                text: "See?".into(),
                images: Arc::new([image]),
            },
            ModelMessage::Assistant {
                text: "".into(),
                tool_calls: Arc::new([call("{\"x\":1}"), call("")]),
                carry: Some("{\"gemini\":{\"text\":null,\"calls\":[\"sig\",null]}}".into()),
            },
            result(false),
            result(true),
            // Another provider's call has no signature.
            ModelMessage::Assistant {
                text: "Hm.".into(),
                tool_calls: Arc::new([call("{}")]),
                carry: Some("{\"anthropic\":[]}".into()),
            },
            result(false),
        ],
        temperature: Some(0.5),
        max_output_tokens: Some(50),
        tools: Arc::new([ToolSpec {
            name: "get_weather".to_owned(),
            description: "Tells the weather.".to_owned(),
            input_schema: json!({"type": "object"}),
        }]),
        ..hello()
    };

    let (seen, _) = ask(gemini, request, &crate::wire::Wire::Gemini.stop()).await;

    let path = "POST /v1beta/models/gemini-3-flash-preview:streamGenerateContent?alt=sse HTTP/1.1";
    assert!(seen.starts_with(path), "{seen}");
    assert!(seen.contains("x-goog-api-key: sk-secret"));
    let call = |args: serde_json::Value, signature: Option<&str>| {
        let mut part = json!({"functionCall": {"name": "get_weather", "args": args}});
        if let Some(signature) = signature {
            part["thoughtSignature"] = json!(signature);
        }
        part
    };
    let result =
        |key: &str| json!({"functionResponse": {"name": "get_weather", "response": {key: "rain"}}});
    let expected = json!({
        "contents": [
            {"role": "user", "parts": [
                {"inlineData": {"mimeType": "image/png", "data": "cG5n"}},
                {"text": "See?"},
            ]},
            {"role": "model", "parts": [call(json!({"x": 1}), Some("sig")), call(json!({}), None)]},
            {"role": "user", "parts": [result("output"), result("error")]},
            {"role": "model", "parts": [
                {"text": "Hm."},
                call(json!({}), Some("skip_thought_signature_validator")),
            ]},
            {"role": "user", "parts": [result("output")]},
        ],
        "systemInstruction": {"parts": [{"text": "Be kind."}]},
        "tools": [{"functionDeclarations": [{
            "name": "get_weather",
            "description": "Tells the weather.",
            "parametersJsonSchema": {"type": "object"},
        }]}],
        "generationConfig": {
            "temperature": 0.5,
            "maxOutputTokens": 50,
            "thinkingConfig": {"includeThoughts": true},
        },
    });
    assert_eq!(body_of(&seen), expected);
}

#[tokio::test]
async fn ends_are_told_apart() {
    for (finish, expected) in [
        ("STOP", Ok(FinishReason::Stop)),
        ("MAX_TOKENS", Ok(FinishReason::Length)),
        ("SOMETHING_NEW", Err("provider_error")),
        ("SAFETY", Err("content_filter")),
        ("PROHIBITED_CONTENT", Err("content_filter")),
        ("MALFORMED_FUNCTION_CALL", Err("provider_error")),
    ] {
        let body = json!({"candidates": [{"finishReason": finish}]});
        let body = format!("data: {body}\n\n");
        let (port, _server) = listen(GOOD, vec![body.into()], Then::End).await;
        let model = gemini(port);

        let end = answer(&model).await.1;

        let reason = end.as_ref().map(|event| match event {
            ModelEvent::Finished { reason, .. } => *reason,
            other => panic!("no end but {other:?}"),
        });
        assert_eq!(reason.map_err(ModelError::kind), expected, "{finish}");
    }
}

#[tokio::test]
async fn a_blocked_prompt_and_a_wrong_key_are_told_in_words() {
    let blocked = json!({"promptFeedback": {"blockReason": "SAFETY"}});
    let body = format!("data: {blocked}\n\n");
    let (port, _server) = listen(GOOD, vec![body.into()], Then::End).await;
    let model = gemini(port);
    assert_eq!(answer(&model).await.1, Err(ModelError::Filtered));

    let body = json!({"error": {
        "code": 400,
        "message": "API key not valid. Please pass a valid API key.",
        "status": "INVALID_ARGUMENT",
    }});
    let (port, _server) = listen("400 X", vec![body.to_string().into()], Then::End).await;
    let model = gemini(port);
    let error = answer(&model).await.1.expect_err("an error");
    assert_eq!(error.kind(), "authentication");
    assert!(error.to_string().contains("API key not valid"), "{error}");
}

#[tokio::test]
async fn only_models_that_talk_are_listed() {
    let list = json!({"models": [
        {"name": "models/gemini-2.5-flash", "inputTokenLimit": 1048576, "outputTokenLimit": 65536,
         "supportedGenerationMethods": ["generateContent", "countTokens"], "thinking": true},
        {"name": "models/gemini-embedding-001", "supportedGenerationMethods": ["embedContent"]},
    ]});
    let (port, server) = listen("200 OK", vec![list.to_string().into()], Then::End).await;
    let model = Gemini::new(outbound(), url(port, "/v1beta/"), None).with_deadlines(SHORT);

    let models = model.list_models().await.expect("a list");

    assert_eq!(models.len(), 1);
    assert_eq!(models[0].name, "gemini-2.5-flash");
    assert_eq!(models[0].context_window, Some(1_048_576));
    assert_eq!(models[0].supports_reasoning, Some(true));
    drop(model);
    let seen = server.await.expect("the server");
    assert!(
        seen.starts_with("GET /v1beta/models?pageSize=1000 "),
        "{seen}"
    );
}
