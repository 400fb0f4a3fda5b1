//! Turns what HTTP can do wrong into `ModelError`.

use std::time::{Duration, SystemTime};

use futures::StreamExt;
use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, RETRY_AFTER};
use url::Url;

use super::Complaint;
use super::complaint::seconds;
use crate::ModelError;

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
        let status = response.status().as_u16();
        let retry_after = retry_after(&response);
        let mut complaint = Complaint::of_body(&read_start(response).await);
        complaint.retry_after = retry_after.or(complaint.retry_after);
        complaint.into_status_error(status, self.key)
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
    if let Some(seconds) = seconds(value) {
        return Some(seconds);
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
