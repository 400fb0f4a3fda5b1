//! Where servers of one format differ from each other.

use domain::events::FinishReason;
use llm::{ChatModel, ModelError, ModelEvent, ModelMessage, ModelRequest, ToolCall};
use serde_json::{Value, json};

use crate::support::{
    GOOD, Then, answer, anthropic, ask, body_of, client, gemini, hello, listen, responses, serve,
};

/// The reason why a completion ended, or its error.
async fn end_of(finish_reason: &str) -> Result<FinishReason, ModelError> {
    let body = format!(
        "data: {{\"choices\":[{{\"delta\":{{\"content\":\"half\"}}}}]}}\n\n\
         data: {{\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"{finish_reason}\"}}]}}\n\n\
         data: [DONE]\n\n"
    );
    let (model, _server) = serve(GOOD, vec![body.into()], Then::End).await;
    ended(answer(&model).await.1)
}

fn ended(end: Result<ModelEvent, ModelError>) -> Result<FinishReason, ModelError> {
    match end? {
        ModelEvent::Finished { reason, .. } => Ok(reason),
        other => panic!("{other:?} is no end"),
    }
}

/// A conversation with a call whose arguments are these.
fn after_call(arguments: &str) -> ModelRequest {
    let call = ToolCall {
        id: "call_1".to_owned(),
        name: "look".to_owned(),
        arguments: arguments.to_owned(),
    };
    ModelRequest {
        messages: vec![
            ModelMessage::user("Look"),
            ModelMessage::Assistant {
                text: "".into(),
                tool_calls: vec![call].into(),
                carry: None,
            },
            ModelMessage::Tool {
                call_id: "call_1".into(),
                name: "look".into(),
                text: "the arguments are not valid JSON".into(),
                is_error: true,
            },
        ],
        ..hello()
    }
}

#[tokio::test]
async fn arguments_that_are_no_object_do_not_spoil_the_conversation() {
    for (arguments, sent) in [
        ("{\"a\": 1}", json!({"a": 1})),
        ("", json!({})),
        ("  ", json!({})),
        ("{\"a\":", json!({"malformed": "{\"a\":"})),
        ("[1]", json!({"malformed": "[1]"})),
        ("{} {}", json!({"malformed": "{} {}"})),
    ] {
        let request = || after_call(arguments);
        let stop = "data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";
        let (chat, _) = ask(client, request(), stop).await;
        let done = "data: {\"type\":\"response.completed\",\"response\":{}}\n\n";
        let (items, _) = ask(responses, request(), done).await;
        let stop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
        let (blocks, _) = ask(anthropic, request(), stop).await;
        let stop = "data: {\"candidates\":[{\"finishReason\":\"STOP\"}]}\n\n";
        let (contents, _) = ask(gemini, request(), stop).await;

        let read = |text: &Value| -> Value {
            serde_json::from_str(text.as_str().expect("a text")).expect("JSON")
        };
        let call = &body_of(&chat)["messages"][2]["tool_calls"][0]["function"]["arguments"];
        assert_eq!(read(call), sent, "{arguments}");
        assert_eq!(read(&body_of(&items)["input"][1]["arguments"]), sent);
        assert_eq!(body_of(&blocks)["messages"][1]["content"][0]["input"], sent);
        let call = &body_of(&contents)["contents"][1]["parts"][0]["functionCall"]["args"];
        assert_eq!(*call, sent);
    }
}

#[tokio::test]
async fn content_in_parts_is_told_apart_into_thoughts_and_text() {
    let content = json!([
        {"type": "thinking", "thinking": [{"type": "text", "text": "Two cities."}]},
        {"type": "reference", "reference_ids": [1]},
        {"type": "text", "text": "Paris"},
    ]);
    let body = format!(
        "data: {}\n\ndata: {}\n\ndata: [DONE]\n\n",
        json!({"choices": [{"delta": {"content": content}}]}),
        json!({"choices": [{"delta": {"content": " é", "refusal": null}, "finish_reason": "stop"}]}),
    );

    let (_, events) = ask(client, hello(), &body).await;

    let said = [
        ModelEvent::Reasoning("Two cities.".to_owned()),
        ModelEvent::Text("Paris".to_owned()),
        ModelEvent::Text(" é".to_owned()),
    ];
    assert_eq!(events[..3], said);
}

#[tokio::test]
async fn a_refusal_is_the_answer() {
    let body = "data: {\"choices\":[{\"delta\":{\"content\":null,\"refusal\":\"I cannot.\"}}]}\n\n\
                data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n";

    let (_, events) = ask(client, hello(), body).await;

    assert_eq!(events[0], ModelEvent::Text("I cannot.".to_owned()));
}

#[tokio::test]
async fn ends_that_are_none_are_told_apart() {
    assert_eq!(end_of("model_length").await, Ok(FinishReason::Length));
    assert_eq!(end_of("length").await, Ok(FinishReason::Length));
    assert_eq!(end_of("eos").await, Ok(FinishReason::Stop));
    let broken = end_of("insufficient_system_resource").await;
    assert_eq!(broken, Err(ModelError::Failed { message: None }));
}

#[tokio::test]
async fn gemini_says_why_an_answer_is_not_whole() {
    for (reason, expected) in [
        ("STOP", Ok(FinishReason::Stop)),
        ("MAX_TOKENS", Ok(FinishReason::Length)),
        ("SPII", Err("content_filter")),
        ("LANGUAGE", Err("provider_error")),
        ("UNEXPECTED_TOOL_CALL", Err("provider_error")),
    ] {
        let body = format!(
            "data: {{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"half\"}}]}},\
             \"finishReason\":\"{reason}\"}}]}}\n\n"
        );
        let (port, _server) = listen(GOOD, vec![body.into()], Then::End).await;

        let (text, end) = answer(&gemini(port)).await;

        let end = ended(end);
        assert_eq!(
            end.as_ref().map_err(ModelError::kind),
            expected.as_ref().map_err(|it| *it)
        );
        assert_eq!(text, "half");
        if reason == "LANGUAGE" {
            assert!(end.expect_err("an error").to_string().contains(reason));
        }
    }
}

#[tokio::test]
async fn lists_of_models_are_read_in_every_form() {
    for (body, expected) in [
        (
            json!([{"id": "a", "context_length": 8192}, {"id": "b"}]),
            vec![("a", Some(8192)), ("b", None)],
        ),
        (
            json!({"object": "list", "data": [
                {"id": "a", "context_length": 4096, "max_model_len": 2048, "context_window": null},
                {"id": "b", "context_window": 131_072},
                {"id": "c", "max_context_length": "many"},
            ]}),
            vec![("a", Some(4096)), ("b", Some(131_072)), ("c", None)],
        ),
    ] {
        let (model, _server) = serve("200 OK", vec![body.to_string().into()], Then::End).await;

        let models = model.list_models().await.expect("a list");

        let models: Vec<_> = models
            .iter()
            .map(|model| (model.name.as_str(), model.context_window))
            .collect();
        assert_eq!(models, expected);
    }
}

#[tokio::test]
async fn thoughts_are_asked_for_only_where_a_model_may_think() {
    let done = "data: {\"type\":\"response.completed\",\"response\":{}}\n\n";
    for (supports_reasoning, include) in [
        (Some(false), Value::Null),
        (Some(true), json!(["reasoning.encrypted_content"])),
        (None, json!(["reasoning.encrypted_content"])),
    ] {
        let request = ModelRequest {
            supports_reasoning,
            ..hello()
        };

        let (seen, _) = ask(responses, request, done).await;

        assert_eq!(body_of(&seen)["include"], include);
    }
}

#[tokio::test]
async fn claude_decides_how_much_it_thinks_where_it_can() {
    let stop = "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
    let request = |model: &str| ModelRequest {
        model: model.to_owned(),
        supports_reasoning: Some(true),
        ..hello()
    };
    let short = ModelRequest {
        max_output_tokens: Some(100),
        ..request("claude-opus-4-8")
    };
    let warm = ModelRequest {
        temperature: Some(0.5),
        ..request("claude-opus-4-6")
    };
    let unknown = ModelRequest {
        supports_reasoning: None,
        ..request("claude-opus-4-8")
    };
    for (request, thinks) in [
        (request("claude-opus-4-8"), true),
        (request("claude-sonnet-4-6-20260115"), true),
        (request("claude-sonnet-5"), true),
        (request("claude-haiku-4-5-20251001"), false),
        (request("claude-opus-4-20250514"), false),
        (request("claude-3-7-sonnet-latest"), false),
        (request("glm-4-7"), false),
        (short, false),
        (warm, false),
        (unknown, false),
    ] {
        let model = request.model.clone();

        let (seen, _) = ask(anthropic, request, stop).await;

        let thinking = &body_of(&seen)["thinking"];
        let expected = json!({"type": "adaptive", "display": "summarized"});
        assert_eq!(*thinking == expected, thinks, "{model}: {thinking}");
        assert!(thinks || thinking.is_null(), "{model}");
    }
}

#[tokio::test]
async fn what_a_provider_says_is_shown_in_each_of_its_forms() {
    for (status, body, kind, words) in [
        (
            "401",
            json!({"error": {"message": "key expired"}}),
            "authentication",
            "key expired",
        ),
        (
            "403",
            json!({"error": {"message": "not your model"}}),
            "authentication",
            "not your model",
        ),
        (
            "402",
            json!({"error": {"message": "no balance"}}),
            "no_credit",
            "no balance",
        ),
        (
            "400",
            json!({"detail": "no such field"}),
            "bad_request",
            "no such field",
        ),
        (
            "422",
            json!({"detail": [{"loc": ["body"], "msg": "is wrong"}]}),
            "bad_request",
            "is wrong",
        ),
        (
            "429",
            json!({"error": {"message": "pay first", "code": "insufficient_quota"}}),
            "no_credit",
            "pay first",
        ),
        (
            "429",
            json!({"error": {"message": "slowly"}}),
            "rate_limited",
            "slowly",
        ),
    ] {
        let (model, _server) = serve(
            &format!("{status} X"),
            vec![body.to_string().into()],
            Then::End,
        )
        .await;

        let error = answer(&model).await.1.expect_err("an error");

        assert_eq!(error.kind(), kind, "{status}");
        assert!(error.to_string().contains(words), "{error}");
    }
    let broken = ModelError::Malformed { what: "x" }.to_string();
    assert!(!broken.contains("OpenAI"), "{broken}");
}
