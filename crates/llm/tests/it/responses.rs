//! OpenAI's Responses.

use std::sync::Arc;

use domain::events::FinishReason;
use domain::runs::Usage;
use llm::{
    ChatModel, Image, ModelError, ModelEvent, ModelMessage, ModelRequest, ToolCall, ToolSpec,
};
use serde_json::{Value, json};

use crate::support::{GOOD, Then, ask, body_of, hello, listen, responses};

/// Why an answer is none.
async fn failure(answer: &str) -> ModelError {
    let (port, server) = listen(GOOD, vec![answer.into()], Then::End).await;
    let model = responses(port);
    let mut stream = model.stream(hello()).await.expect("an answer");
    let error = loop {
        match futures::StreamExt::next(&mut stream).await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break error,
            None => panic!("the answer ended well"),
        }
    };
    drop((stream, model));
    server.await.expect("the server");
    error
}

fn call(id: &str, arguments: &str) -> ToolCall {
    ToolCall {
        id: id.to_owned(),
        name: "get_weather".to_owned(),
        arguments: arguments.to_owned(),
    }
}

fn carry() -> Value {
    json!({"responses": [{
        "type": "reasoning",
        "id": "rs_1",
        "summary": [{"type": "summary_text", "text": "Two cities to look up."}],
        "encrypted_content": "gAAAAABsealed",
    }]})
}

#[tokio::test]
async fn thoughts_text_and_interleaved_calls_arrive() {
    let (_, events) = ask(
        responses,
        hello(),
        include_str!("../fixtures/responses_tools.sse"),
    )
    .await;

    let expected = vec![
        ModelEvent::Reasoning("Two cities ".to_owned()),
        ModelEvent::Reasoning("to look up.".to_owned()),
        ModelEvent::Text("Let me ".to_owned()),
        ModelEvent::Text("look.".to_owned()),
        ModelEvent::ToolCall(call("call_a", "{\"location\":\"Paris\"}")),
        ModelEvent::ToolCall(call("call_b", "{\"location\":\"Zürich\"}")),
        ModelEvent::Carry(carry().to_string()),
        ModelEvent::Finished {
            reason: FinishReason::ToolCalls,
            usage: Usage {
                input_tokens: 320,
                output_tokens: 75,
                cached_input_tokens: 256,
                ..Usage::default()
            },
        },
    ];
    assert_eq!(events, expected);
}

#[tokio::test]
async fn a_conversation_is_sent_as_items_and_nothing_is_stored() {
    let request = ModelRequest {
        instructions: "Be brief.".to_owned(),
        messages: vec![
            ModelMessage::User {
                text: "Look".into(),
                images: Arc::new([Image {
                    media_type: "image/png".into(),
                    bytes: "png".into(),
                }]),
            },
            ModelMessage::Assistant {
                text: "Let me look.".into(),
                tool_calls: Arc::new([call("call_a", "{}")]),
                carry: Some(carry().to_string().into()),
            },
            ModelMessage::Tool {
                call_id: "call_a".into(),
                name: "get_weather".into(),
                text: "Sun".into(),
                is_error: false,
            },
        ],
        max_output_tokens: Some(50),
        tools: Arc::new([ToolSpec {
            name: "get_weather".to_owned(),
            description: "Tells the weather.".to_owned(),
            input_schema: json!({"type": "object"}),
        }]),
        ..hello()
    };

    let (seen, _) = ask(
        responses,
        request,
        include_str!("../fixtures/responses_tools.sse"),
    )
    .await;

    assert!(seen.starts_with("POST /v1/responses HTTP/1.1"), "{seen}");
    assert!(seen.contains("authorization: Bearer sk-secret"), "{seen}");
    let body: Value = body_of(&seen);
    let expected = json!([
        {"role": "user", "content": [
            {"type": "input_text", "text": "Look"},
            {"type": "input_image", "image_url": "data:image/png;base64,cG5n"},
        ]},
        carry()["responses"][0],
        {"role": "assistant", "content": [{"type": "output_text", "text": "Let me look."}]},
        {"type": "function_call", "call_id": "call_a", "name": "get_weather", "arguments": "{}"},
        {"type": "function_call_output", "call_id": "call_a", "output": "Sun"},
    ]);
    assert_eq!(body["input"], expected);
    assert_eq!(body["instructions"], "Be brief.");
    assert_eq!(body["store"], false);
    assert_eq!(body["include"], json!(["reasoning.encrypted_content"]));
    assert_eq!(body["max_output_tokens"], 50);
    assert_eq!(body["tools"][0]["type"], "function");
    assert_eq!(
        body["tools"][0]["parameters"],
        json!({"type": "object", "properties": {}})
    );
}

#[tokio::test]
async fn ends_are_told_apart() {
    let incomplete = |reason: &str| {
        format!(
            "data: {{\"type\":\"response.output_text.delta\",\"delta\":\"half\"}}\n\n\
             data: {{\"type\":\"response.incomplete\",\"response\":{{\"incomplete_details\":\
             {{\"reason\":\"{reason}\"}}}}}}\n\n"
        )
    };
    let (_, events) = ask(responses, hello(), &incomplete("max_output_tokens")).await;
    let last = events.last().expect("an end");

    assert!(
        matches!(last, ModelEvent::Finished { reason, .. } if *reason == FinishReason::Length),
        "{last:?}"
    );
    assert_eq!(
        failure(&incomplete("content_filter")).await,
        ModelError::Filtered
    );
    let cut = "data: {\"type\":\"response.output_text.delta\",\"delta\":\"half\"}\n\n";
    assert_eq!(failure(cut).await, ModelError::Interrupted);
    let failed = "data: {\"type\":\"response.failed\",\"response\":{\"error\":{\"code\":\
                  \"server_error\",\"message\":\"it broke\"}}}\n\n";
    let error = failure(failed).await;
    assert!(error.to_string().contains("it broke"), "{error}");
    let error = "data: {\"type\":\"error\",\"code\":\"context_length_exceeded\",\"message\":\
                 \"too long\"}\n\n";
    assert_eq!(failure(error).await, ModelError::TooLong);
}
