//! Turns what HTTP can do wrong into `ModelError`.

use std::time::{Duration, SystemTime};

use futures::StreamExt;
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use url::Url;

use super::Complaint;
use crate::ModelError;
use crate::error::presentable;

/// An error's text is short; what comes after this many bytes is not read.
const ERROR_BODY_BYTES: usize = 16 * 1024;

pub(super) struct Failures<'a> {
    pub(super) base_url: &'a Url,
    pub(super) key: Option<&'a str>,
}

impl Failures<'_> {
    /// A request that got no answer.
    pub(super) fn transport(&self, error: &reqwest::Error) -> ModelError {
        if let Some(refused) = outbound::refusal(error) {
            return ModelError::Refused(refused.clone());
        }
        if !error.is_connect() {
            return ModelError::Interrupted;
        }
        let host = self.base_url.host_str().unwrap_or("the model server");
        let host = match self.base_url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        ModelError::Unreachable { host }
    }

    /// A request that got a bad answer.
    pub(super) async fn status(&self, response: Response) -> ModelError {
        let status = response.status();
        let retry_after = retry_after(&response);
        let body = read_start(response).await;
        let complaint = Complaint::of_body(&body);
        let is_too_long = complaint.is_too_long();
        let is_about_the_key = complaint.is_about_the_key();
        let is_about_credit = complaint.is_about_credit();
        let is_about_summary = complaint.param.as_deref() == Some("reasoning.summary");
        let message = complaint
            .message
            .and_then(|text| presentable(&text, self.key));
        match status.as_u16() {
            400 | 413 | 422 if is_too_long => ModelError::TooLong,
            400 if is_about_summary => ModelError::NoSummary { message },
            400 if is_about_the_key => ModelError::Authentication { message },
            401 | 403 => ModelError::Authentication { message },
            402 => ModelError::NoCredit { message },
            429 if is_about_credit => ModelError::NoCredit { message },
            404 => ModelError::NotFound { message },
            400 | 422 => ModelError::BadRequest { message },
            413 => ModelError::TooLong,
            429 => ModelError::RateLimited {
                retry_after,
                message,
            },
            status @ (408 | 500..) => ModelError::Unavailable {
                status,
                retry_after,
                message,
            },
            status => ModelError::Unexpected { status, message },
        }
    }
}

/// A server that ignores `stream`, or a web page.
pub(super) fn require_event_stream(response: &Response) -> Result<(), ModelError> {
    let content_type = response
        .headers()
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    // Some servers send events as plain text or name no type at all.
    if content_type.starts_with("application/json") || content_type.starts_with("text/html") {
        return Err(ModelError::Malformed {
            what: "it is not a stream of events",
        });
    }
    Ok(())
}

/// `Retry-After` in seconds or as a date; a date in the past is zero.
fn retry_after(response: &Response) -> Option<Duration> {
    let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(value).ok()?;
    Some(date.duration_since(SystemTime::now()).unwrap_or_default())
}

async fn read_start(response: Response) -> Vec<u8> {
    let mut body = Vec::new();
    let mut stream = response.bytes_stream();
    while let Some(Ok(bytes)) = stream.next().await {
        let room = ERROR_BODY_BYTES - body.len();
        body.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if body.len() == ERROR_BODY_BYTES {
            break;
        }
    }
    body
}
