//! What providers say when they refuse: their forms differ, what is needed of them does not.

use std::time::Duration;

use serde_json::Value;

use crate::error::presentable;
use crate::{ModelError, optional};

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
    /// The HTTP status that it names.
    status: Option<u16>,
    /// How long the server wants to be left alone.
    pub(crate) retry_after: Option<Duration>,
}

impl Complaint {
    /// Reads `{"error": {"message", "code" | "type" | "status"}}`, `{"error": "…"}`,
    /// `{"message": "…"}`, `{"detail": "…"}`, `{"detail": [{"msg"}]}`, or the first of a list of
    /// these; anything else says nothing.
    pub(crate) fn parse(body: &Value) -> Self {
        let body = body.get(0).unwrap_or(body);
        match body.get("error").filter(|error| !error.is_null()) {
            Some(Value::String(message)) => Self {
                message: Some(message.clone()),
                ..Self::default()
            },
            Some(error) => {
                let own = Self::of_error(error, body);
                let raw = error.pointer("/metadata/raw").and_then(Value::as_str);
                match raw.filter(|raw| !raw.trim().is_empty()) {
                    Some(raw) => Self::of_cause(raw).or(own),
                    None => own,
                }
            }
            None => Self {
                message: text(body.get("message")).or_else(|| text(body.get("detail").map(detail))),
                code: text(body.get("type")),
                param: text(body.get("param")),
                ..Self::default()
            },
        }
    }

    fn of_error(error: &Value, body: &Value) -> Self {
        let status = error.get("code").and_then(Value::as_u64);
        Self {
            message: text(error.get("message")).or_else(|| text(body.get("message"))),
            code: ["code", "type", "status"]
                .iter()
                .find_map(|name| text(error.get(name))),
            param: text(error.get("param")),
            status: status.and_then(|status| status.try_into().ok()),
            retry_after: error.get("details").and_then(retry_delay),
        }
    }

    /// Reads what OpenRouter hands on from the provider behind it: words, or an answer's body.
    fn of_cause(raw: &str) -> Self {
        let cause = Self::of_body(raw.as_bytes());
        let message = cause.message.or_else(|| Some(raw.to_owned()));
        Self { message, ..cause }
    }

    /// What this one says, and the other where it says nothing.
    fn or(self, other: Self) -> Self {
        Self {
            message: self.message.or(other.message),
            code: self.code.or(other.code),
            param: self.param.or(other.param),
            status: self.status.or(other.status),
            retry_after: self.retry_after.or(other.retry_after),
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

    /// The error that it is under this HTTP status.
    pub(super) fn into_status_error(self, status: u16, key: Option<&str>) -> ModelError {
        let is_too_long = self.is_too_long();
        let is_about_the_key = self.is_about_the_key();
        let is_about_credit = self.is_about_credit();
        let optional = self.param.as_deref().and_then(optional::named);
        let retry_after = self.retry_after;
        let message = self.message.and_then(|text| presentable(&text, key));
        match status {
            400 | 413 | 422 if is_too_long => ModelError::TooLong,
            400 if is_about_the_key => ModelError::Authentication { message },
            401 | 403 => ModelError::Authentication { message },
            402 => ModelError::NoCredit { message },
            429 if is_about_credit => ModelError::NoCredit { message },
            404 => ModelError::NotFound { message },
            400 => match optional {
                Some(param) => ModelError::Unsupported { param, message },
                None => ModelError::BadRequest { message },
            },
            422 => ModelError::BadRequest { message },
            413 => ModelError::TooLong,
            429 => ModelError::RateLimited {
                retry_after,
                message,
            },
            408 | 500.. => ModelError::Unavailable {
                status,
                retry_after,
                message,
            },
            _ => ModelError::Unexpected { status, message },
        }
    }

    /// The error that it is in the middle of an answer.
    pub(crate) fn into_error(self, key: Option<&str>) -> ModelError {
        if self.is_too_long() {
            return ModelError::TooLong;
        }
        if let Some(status) = self.status.filter(|status| (400..600).contains(status)) {
            return self.into_status_error(status, key);
        }
        let code = self.code.unwrap_or_default();
        let retry_after = self.retry_after;
        let message = self.message.and_then(|text| presentable(&text, key));
        match code.as_str() {
            "overloaded_error" | "UNAVAILABLE" => ModelError::Unavailable {
                status: if code == "UNAVAILABLE" { 503 } else { 529 },
                retry_after,
                message,
            },
            "rate_limit_error" | "rate_limit_exceeded" | "RESOURCE_EXHAUSTED" => {
                ModelError::RateLimited {
                    retry_after,
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

/// Seconds as servers write them, with a fraction or without.
pub(super) fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.parse().ok()?).ok()
}

/// How long Google wants to be left alone, which it says here and not in a header.
fn retry_delay(details: &Value) -> Option<Duration> {
    let info = details.as_array()?.iter().find(|detail| {
        let kind = detail["@type"].as_str();
        kind.is_some_and(|kind| kind.ends_with("google.rpc.RetryInfo"))
    })?;
    seconds(info["retryDelay"].as_str()?.strip_suffix('s')?)
}

fn text(value: Option<&Value>) -> Option<String> {
    value.and_then(Value::as_str).map(str::to_owned)
}

/// The words in a `detail`: itself, or those of the first of a list.
fn detail(detail: &Value) -> &Value {
    detail
        .get(0)
        .and_then(|first| first.get("msg"))
        .unwrap_or(detail)
}
