//! What providers say when they refuse, each in a form of its own.

use std::time::Duration;

use llm::ModelError;
use serde_json::{Value, json};

use crate::support::{GOOD, Then, answer};
use crate::wire::Wire;

/// The error of an answer with this head and body.
async fn error_of(wire: Wire, head: &str, body: String) -> ModelError {
    let (model, _server) = wire.serve(head, vec![body.into()], Then::End).await;
    answer(&*model).await.1.expect_err("an error")
}

/// The same, once as a status and once in the middle of a good answer.
async fn errors_of(wire: Wire, status: &str, error: &Value) -> [ModelError; 2] {
    let body = json!({ "error": error });
    let at_once = error_of(wire, &format!("{status} X"), body.to_string()).await;
    let later = error_of(wire, GOOD, format!("data: {body}\n\n")).await;
    [at_once, later]
}

/// An error of a provider behind OpenRouter.
fn handed_on(raw: &str) -> Value {
    json!({
        "code": 400,
        "message": "Provider returned error",
        "metadata": {"raw": raw, "provider_name": "Acme"},
    })
}

#[tokio::test]
async fn gemini_says_in_the_body_how_long_to_wait() {
    let error = json!({
        "code": 429,
        "message": "slowly",
        "status": "RESOURCE_EXHAUSTED",
        "details": [
            {"@type": "type.googleapis.com/google.rpc.Help"},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "12.6s"},
        ],
    });

    let errors = errors_of(Wire::Gemini, "429", &error).await;
    let body = json!({ "error": error }).to_string();
    let with_header = error_of(Wire::Gemini, "429 X\r\nretry-after: 2.5", body).await;

    for error in errors {
        assert_eq!(error.kind(), "rate_limited");
        assert_eq!(error.retry_after(), Some(Duration::from_millis(12_600)));
    }
    let wanted = with_header.retry_after();
    assert_eq!(wanted, Some(Duration::from_millis(2_500)));
}

#[tokio::test]
async fn cause_behind_openrouter_is_shown() {
    let body = json!({"error": {"message": "no such field", "code": "bad"}}).to_string();
    for (raw, words) in [
        ("upstream is down", "upstream is down"),
        (body.as_str(), "no such field"),
        ("{\"odd\":1}", "{\"odd\":1}"),
        (" ", "Provider returned error"),
    ] {
        for error in errors_of(Wire::Chat, "400", &handed_on(raw)).await {
            assert_eq!(error.kind(), "bad_request", "{raw}");
            assert!(error.to_string().contains(&format!("“{words}”")), "{error}");
        }
    }
}

#[tokio::test]
async fn cause_behind_openrouter_tells_that_a_conversation_does_not_fit() {
    let body = json!({"error": {"message": "no", "code": "context_length_exceeded"}}).to_string();
    for raw in ["prompt is too long: 210000 tokens", body.as_str()] {
        for error in errors_of(Wire::Chat, "400", &handed_on(raw)).await {
            assert_eq!(error, ModelError::TooLong, "{raw}");
        }
    }
}

#[tokio::test]
async fn status_within_a_good_answer_has_its_kind() {
    for (code, kind, is_retryable) in [
        (401, "authentication", false),
        (402, "no_credit", false),
        (429, "rate_limited", true),
        (500, "unavailable", true),
        (502, "unavailable", true),
        (7, "provider_error", true),
    ] {
        let error = json!({"error": {"code": code, "message": "no"}});

        let error = error_of(Wire::Chat, GOOD, format!("data: {error}\n\n")).await;

        assert_eq!(
            (error.kind(), error.is_retryable()),
            (kind, is_retryable),
            "{code}"
        );
    }
}
