//! What providers say when they refuse: their forms differ, what is needed of them does not.

use std::time::Duration;

use serde_json::Value;

use crate::ModelError;
use crate::error::presentable;

/// How providers say that a conversation does not fit, in lower case.
const TOO_LONG: [&str; 9] = [
    "context_length_exceeded",
    "context length",
    "context window",
    "prompt is too long",
    "input is too long",
    "input token count",
    "too many tokens",
    "exceed_context_size",
    "maximum number of tokens",
];

/// A provider's own account of a failure.
#[derive(Debug, Default)]
pub(crate) struct Complaint {
    /// Its words.
    pub(crate) message: Option<String>,
    /// Its code, type or status.
    pub(crate) code: Option<String>,
    /// The part of the request that it is about.
    pub(crate) param: Option<String>,
}

impl Complaint {
    /// Reads `{"error": {"message", "code" | "type" | "status"}}`, `{"error": "…"}`,
    /// `{"message": "…"}`, `{"detail": "…"}`, `{"detail": [{"msg"}]}`, or the first of a list of
    /// these; anything else says nothing.
    pub(crate) fn parse(body: &Value) -> Self {
        let body = body.get(0).unwrap_or(body);
        let error = body.get("error").filter(|error| !error.is_null());
        let text = |value: Option<&Value>| value.and_then(Value::as_str).map(str::to_owned);
        match error {
            Some(Value::String(message)) => Self {
                message: Some(message.clone()),
                code: None,
                param: None,
            },
            Some(error) => Self {
                message: text(error.get("message")).or_else(|| text(body.get("message"))),
                code: ["code", "type", "status"]
                    .iter()
                    .find_map(|name| text(error.get(name))),
                param: text(error.get("param")),
            },
            None => Self {
                message: text(body.get("message")).or_else(|| text(body.get("detail").map(detail))),
                code: text(body.get("type")),
                param: text(body.get("param")),
            },
        }
    }

    /// Reads a failed answer's body.
    pub(crate) fn of_body(body: &[u8]) -> Self {
        serde_json::from_slice(body)
            .map(|body| Self::parse(&body))
            .unwrap_or_default()
    }

    /// Whether it says that the conversation does not fit.
    pub(crate) fn is_too_long(&self) -> bool {
        [&self.message, &self.code]
            .into_iter()
            .flatten()
            .any(|text| {
                let text = text.to_lowercase();
                TOO_LONG.iter().any(|words| text.contains(words))
            })
    }

    /// Whether it says that the key is wrong; Gemini does so with status 400.
    pub(crate) fn is_about_the_key(&self) -> bool {
        self.message.as_deref().is_some_and(|text| {
            text.contains("API key not valid") || text.contains("API_KEY_INVALID")
        })
    }

    /// Whether it says that there is no credit, which waiting does not mend.
    pub(crate) fn is_about_credit(&self) -> bool {
        self.code.as_deref() == Some("insufficient_quota")
    }

    /// The error that it is in the middle of an answer.
    pub(crate) fn into_error(self, key: Option<&str>) -> ModelError {
        if self.is_too_long() {
            return ModelError::TooLong;
        }
        let code = self.code.unwrap_or_default();
        let message = self.message.and_then(|text| presentable(&text, key));
        let none: Option<Duration> = None;
        match code.as_str() {
            "overloaded_error" | "UNAVAILABLE" => ModelError::Unavailable {
                status: if code == "UNAVAILABLE" { 503 } else { 529 },
                retry_after: none,
                message,
            },
            "rate_limit_error" | "rate_limit_exceeded" | "RESOURCE_EXHAUSTED" => {
                ModelError::RateLimited {
                    retry_after: none,
                    message,
                }
            }
            "authentication_error"
            | "permission_error"
            | "UNAUTHENTICATED"
            | "PERMISSION_DENIED" => ModelError::Authentication { message },
            "insufficient_quota" => ModelError::NoCredit { message },
            _ => ModelError::Failed { message },
        }
    }
}

/// The words in a `detail`: itself, or those of the first of a list.
fn detail(detail: &Value) -> &Value {
    detail
        .get(0)
        .and_then(|first| first.get("msg"))
        .unwrap_or(detail)
}
