//! What every provider's adapter does over HTTP: requests, deadlines, event streams, failures.

mod answer;
mod complaint;
mod events;
mod failure;

use std::time::Duration;

use futures::StreamExt;
use outbound::Outbound;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderName, HeaderValue};
use reqwest::{Method, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use self::answer::Answer;
use self::failure::Failures;
use crate::{ModelError, ModelRequest, ModelStream};

pub(crate) use answer::{Ended, Progress, Reader, Refusal, Tokens};
pub(crate) use complaint::Complaint;

const MODEL_LIST_MIB: u32 = 4;

/// How long to wait for a model server.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Until the first byte of the answer, and between bytes until its first text.
    pub first_byte: Duration,
    /// Between bytes after that; where tools are offered, `first_byte` stays.
    pub idle: Duration,
    /// For the whole list of models.
    pub list: Duration,
}

/// Where a key travels; never in an address.
#[derive(Clone, Copy, Debug)]
pub(crate) enum KeyHeader {
    /// `Authorization: Bearer …`
    Bearer,
    /// The bare key.
    Named(&'static str),
}

/// One model server.
pub(crate) struct Server {
    outbound: Outbound,
    base_url: Url,
    api_key: Option<SecretString>,
    key_header: KeyHeader,
    pub(crate) deadlines: Deadlines,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            first_byte: Duration::from_secs(60),
            idle: Duration::from_secs(30),
            list: Duration::from_secs(5),
        }
    }
}

impl Server {
    /// A server; it is not called. `base_url` may end with a slash or not.
    pub(crate) fn new(
        outbound: Outbound,
        base_url: Url,
        api_key: Option<SecretString>,
        key_header: KeyHeader,
    ) -> Self {
        Self {
            outbound,
            base_url,
            api_key,
            key_header,
            deadlines: Deadlines::default(),
        }
    }

    /// Begins a request to `{base_url}/{path}?{query}`.
    ///
    /// A first segment that the base ends with already is not repeated: people paste both forms.
    pub(crate) fn request(
        &self,
        method: Method,
        path: &[&str],
        query: Option<&str>,
    ) -> Result<RequestBuilder, ModelError> {
        let mut url = self.base_url.clone();
        let is_there = path.len() > 1
            && url
                .path_segments()
                .and_then(|mut segments| segments.rfind(|segment| !segment.is_empty()))
                == path.first().copied();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty();
            segments.extend(&path[usize::from(is_there)..]);
        }
        url.set_query(query);
        let request = self.outbound.request(method, url)?;
        let Some(key) = self.key() else {
            return Ok(request);
        };
        let (name, value) = match self.key_header {
            KeyHeader::Bearer => (
                reqwest::header::AUTHORIZATION,
                HeaderValue::try_from(format!("Bearer {key}")),
            ),
            KeyHeader::Named(name) => (HeaderName::from_static(name), HeaderValue::try_from(key)),
        };
        let mut value = value.map_err(|_| ModelError::Authentication { message: None })?;
        value.set_sensitive(true);
        Ok(request.header(name, value))
    }

    /// Sends a request for an answer and reads it as events.
    pub(crate) async fn stream(
        &self,
        call: RequestBuilder,
        body: &impl Serialize,
        request: &ModelRequest,
        reader: impl Reader,
    ) -> Result<ModelStream, ModelError> {
        let first_byte = self.deadlines.first_byte;
        let deadline = Instant::now() + first_byte;
        let body = serde_json::to_vec(body).map_err(|_| ModelError::Malformed {
            what: "the request has no JSON form",
        })?;
        let call = call
            .header(ACCEPT, "text/event-stream")
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let response = timeout_at(deadline, self.send(call))
            .await
            .map_err(|_| timed_out(first_byte))??;
        failure::require_event_stream(&response)?;
        Ok(Box::pin(Answer::new(
            response,
            request,
            self.deadlines,
            deadline,
            self.key(),
            reader,
        )))
    }

    /// The body of a list, whole, within the deadline for lists and 4 MiB.
    pub(crate) async fn fetch_list(&self, call: RequestBuilder) -> Result<Vec<u8>, ModelError> {
        let list = async {
            let response = self.send(call).await?;
            let failures = self.failures();
            let mut stream = response.bytes_stream();
            let mut body = Vec::new();
            while let Some(bytes) = stream.next().await {
                body.extend_from_slice(&bytes.map_err(|e| failures.transport(&e))?);
                if body.len() > MODEL_LIST_MIB as usize * 1024 * 1024 {
                    return Err(ModelError::TooLarge {
                        limit_mib: MODEL_LIST_MIB,
                    });
                }
            }
            Ok(body)
        };
        timeout(self.deadlines.list, list)
            .await
            .map_err(|_| timed_out(self.deadlines.list))?
    }

    /// The answer's head, if it is a good one.
    async fn send(&self, request: RequestBuilder) -> Result<Response, ModelError> {
        let failures = self.failures();
        let response = request.send().await.map_err(|e| failures.transport(&e))?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(failures.status(response).await)
    }

    fn key(&self) -> Option<&str> {
        self.api_key
            .as_ref()
            .map(|key| key.expose_secret())
            .filter(|key| !key.is_empty())
    }

    fn failures(&self) -> Failures<'_> {
        Failures {
            base_url: &self.base_url,
            key: self.key(),
        }
    }
}

/// What a list of models must be, if it is one.
pub(crate) fn parse_list<T: serde::de::DeserializeOwned>(body: &[u8]) -> Result<T, ModelError> {
    serde_json::from_slice(body).map_err(|_| ModelError::Malformed {
        what: "no list of models",
    })
}

pub(crate) fn timed_out(after: Duration) -> ModelError {
    ModelError::Timeout {
        seconds: after.as_secs(),
    }
}
