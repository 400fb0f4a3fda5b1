//! Parts of requests that a model refuses are left out from then on.

use std::sync::Arc;

use llm::{ChatModel, ModelRequest, ToolSpec};
use serde_json::{Value, json};

use crate::support::{GOOD, body_of, client, hello, listen_each, responses, said};
use crate::wire::Wire;

/// As OpenAI refuses a part of a request.
fn refusal(param: &str) -> (&'static str, String) {
    let error = json!({"message": "not with this model", "param": param});
    ("400 X", json!({ "error": error }).to_string())
}

/// The bodies of all requests that a server gets which gives these answers.
async fn bodies<M: ChatModel>(
    model: impl FnOnce(u16) -> M,
    requests: Vec<ModelRequest>,
    answers: Vec<(&'static str, String)>,
) -> Vec<Value> {
    let (port, server) = listen_each(answers).await;
    let model = model(port);
    for request in requests {
        said(&model, request).await;
    }
    let requests = server.await.expect("the server");
    requests.iter().map(|request| body_of(request)).collect()
}

fn with_tools() -> ModelRequest {
    ModelRequest {
        tools: Arc::new([ToolSpec {
            name: "look".to_owned(),
            description: "Looks.".to_owned(),
            input_schema: json!({"type": "object"}),
        }]),
        ..hello()
    }
}

#[tokio::test]
async fn models_that_call_tools_only_without_thinking_do_not_think() {
    let good = || (GOOD, Wire::Chat.stop());
    let other = ModelRequest {
        model: "other".to_owned(),
        ..with_tools()
    };
    let requests = vec![with_tools(), with_tools(), hello(), other];
    let answers = vec![refusal("reasoning_effort"), good(), good(), good(), good()];

    let bodies = bodies(client, requests, answers).await;

    let efforts: Vec<_> = bodies.iter().map(|it| &it["reasoning_effort"]).collect();
    let (none, null) = (&json!("none"), &Value::Null);
    assert_eq!(efforts, [null, none, none, null, null]);
}

#[tokio::test]
async fn refusal_that_nothing_mends_is_told() {
    let (port, server) = listen_each(vec![refusal("reasoning_effort")]).await;
    let model = client(port);

    let error = model.stream(hello()).await.err().expect("an error");

    assert_eq!(error.kind(), "bad_request");
    assert!(!error.is_retryable());
    assert!(error.to_string().contains("not with this model"), "{error}");
    assert_eq!(server.await.expect("the server").len(), 1);
}

#[tokio::test]
async fn sealed_thoughts_and_summaries_are_asked_for_until_they_are_refused() {
    let good = || (GOOD, Wire::Responses.stop());
    let thinking = || ModelRequest {
        supports_reasoning: Some(true),
        ..hello()
    };
    let answers = vec![
        refusal("reasoning.summary"),
        refusal("include"),
        good(),
        good(),
    ];

    let bodies = bodies(responses, vec![thinking(), thinking()], answers).await;

    let parts: Vec<_> = bodies
        .iter()
        .map(|it| (it.get("reasoning").is_some(), it.get("include").is_some()))
        .collect();
    let expected = [(true, true), (false, true), (false, false), (false, false)];
    assert_eq!(parts, expected);
}
