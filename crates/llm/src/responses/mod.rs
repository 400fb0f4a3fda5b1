//! OpenAI's Responses, and servers that speak them. Nothing is stored at the provider.

mod reader;
mod wire;

use async_trait::async_trait;
use outbound::Outbound;
use reqwest::Method;
use secrecy::SecretString;
use url::Url;

use self::reader::ResponsesReader;
use crate::http::{Deadlines, KeyHeader, Server};
use crate::openai::parse_models;
use crate::optional::{self, Refused};
use crate::{ChatModel, ListedModel, ModelError, ModelRequest, ModelStream};

/// A client of one server.
pub struct Responses {
    server: Server,
    refused: Refused,
}

impl Responses {
    /// A client of the server whose Responses are at `{base_url}/responses`.
    ///
    /// It does not call the server. `base_url` may end with a slash or not.
    pub fn new(outbound: Outbound, base_url: Url, api_key: Option<SecretString>) -> Self {
        Self {
            server: Server::new(outbound, base_url, api_key, KeyHeader::Bearer),
            refused: Refused::default(),
        }
    }

    /// Changes how long to wait; the default suits every provider.
    #[must_use]
    pub fn with_deadlines(mut self, deadlines: Deadlines) -> Self {
        self.server.deadlines = deadlines;
        self
    }
}

impl Responses {
    /// Optional parts that a request has: those that its model has not refused.
    fn parts(&self, request: &ModelRequest) -> Vec<&'static str> {
        let wanted = [
            (optional::SUMMARY, request.supports_reasoning == Some(true)),
            (optional::INCLUDE, request.supports_reasoning != Some(false)),
        ];
        wanted
            .into_iter()
            .filter(|(part, is_wanted)| *is_wanted && !self.refused.has(&request.model, part))
            .map(|(part, _)| part)
            .collect()
    }

    async fn ask(
        &self,
        request: &ModelRequest,
        parts: &[&'static str],
    ) -> Result<ModelStream, ModelError> {
        let call = self.server.request(Method::POST, &["responses"], None)?;
        let body = wire::ResponsesRequest::new(request, parts);
        self.server
            .stream(call, &body, request, ResponsesReader::default())
            .await
    }
}

#[async_trait]
impl ChatModel for Responses {
    async fn stream(&self, request: ModelRequest) -> Result<ModelStream, ModelError> {
        // Each round has one part less.
        loop {
            let parts = self.parts(&request);
            match self.ask(&request, &parts).await {
                Err(ModelError::Unsupported { param, .. }) if parts.contains(&param) => {
                    self.refused.note(&request.model, param);
                }
                asked => return asked,
            }
        }
    }

    async fn list_models(&self) -> Result<Vec<ListedModel>, ModelError> {
        let call = self.server.request(Method::GET, &["models"], None)?;
        parse_models(&self.server.fetch_list(call).await?)
    }
}
