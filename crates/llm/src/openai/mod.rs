//! Any server with OpenAI's Chat Completions.

mod answer;
mod events;
mod failure;
mod tool_calls;
mod wire;

use std::time::Duration;

use async_trait::async_trait;
use futures::StreamExt;
use outbound::Outbound;
use reqwest::header::{ACCEPT, CONTENT_TYPE, HeaderValue};
use reqwest::{Method, RequestBuilder, Response};
use secrecy::{ExposeSecret, SecretString};
use tokio::time::{Instant, timeout, timeout_at};
use url::Url;

use self::failure::Failures;
use crate::{ChatModel, ListedModel, ModelError, ModelRequest, ModelStream};

const MODEL_LIST_MIB: u32 = 4;

/// How long to wait for the server.
#[derive(Clone, Copy, Debug)]
pub struct Deadlines {
    /// Until the first byte of the answer, and between bytes until its first text.
    pub first_byte: Duration,
    /// Between bytes after that.
    pub idle: Duration,
    /// For the whole list of models.
    pub list: Duration,
}

/// A client of one server.
pub struct OpenAi {
    outbound: Outbound,
    base_url: Url,
    api_key: Option<SecretString>,
    /// How long to wait; the default suits every provider.
    pub deadlines: Deadlines,
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

impl OpenAi {
    /// A client of the server whose Chat Completions are at `{base_url}/chat/completions`.
    ///
    /// It does not call the server. `base_url` may end with a slash or not.
    pub fn new(outbound: Outbound, base_url: Url, api_key: Option<SecretString>) -> Self {
        Self {
            outbound,
            base_url,
            api_key,
            deadlines: Deadlines::default(),
        }
    }

    fn request(&self, method: Method, path: [&str; 2]) -> Result<RequestBuilder, ModelError> {
        let mut url = self.base_url.clone();
        if let Ok(mut segments) = url.path_segments_mut() {
            segments.pop_if_empty();
            segments.extend(path.into_iter().filter(|segment| !segment.is_empty()));
        }
        let request = self.outbound.request(method, url)?;
        let Some(key) = self.key() else {
            return Ok(request);
        };
        let mut header = HeaderValue::try_from(format!("Bearer {key}"))
            .map_err(|_| ModelError::Authentication)?;
        header.set_sensitive(true);
        Ok(request.header(reqwest::header::AUTHORIZATION, header))
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

#[async_trait]
impl ChatModel for OpenAi {
    async fn stream(&self, request: ModelRequest) -> Result<ModelStream, ModelError> {
        let first_byte = self.deadlines.first_byte;
        let deadline = Instant::now() + first_byte;
        let body = serde_json::to_vec(&wire::ChatRequest::new(&request)).map_err(|_| {
            ModelError::Malformed {
                what: "the request has no JSON form",
            }
        })?;
        let call = self
            .request(Method::POST, ["chat", "completions"])?
            .header(ACCEPT, "text/event-stream")
            .header(CONTENT_TYPE, "application/json")
            .body(body);
        let response = timeout_at(deadline, self.send(call))
            .await
            .map_err(|_| timed_out(first_byte))??;
        failure::require_event_stream(&response)?;
        let answer = answer::Answer::new(response, &request, self.deadlines, deadline, self.key());
        Ok(Box::pin(answer))
    }

    async fn list_models(&self) -> Result<Vec<ListedModel>, ModelError> {
        let list = async {
            let response = self
                .send(self.request(Method::GET, ["models", ""])?)
                .await?;
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
            wire::parse_models(&body)
        };
        timeout(self.deadlines.list, list)
            .await
            .map_err(|_| timed_out(self.deadlines.list))?
    }
}

fn timed_out(after: Duration) -> ModelError {
    ModelError::Timeout {
        seconds: after.as_secs(),
    }
}
