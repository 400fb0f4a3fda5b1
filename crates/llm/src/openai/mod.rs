//! Any server with OpenAI's Chat Completions.

mod carried;
mod chunk;
mod messages;
mod models;
mod quirks;
mod reader;
mod wire;

use async_trait::async_trait;
use outbound::Outbound;
use reqwest::Method;
use secrecy::SecretString;
use url::Url;

pub(crate) use self::models::parse_models;

use self::quirks::Quirks;
use self::reader::ChatReader;
use crate::http::{Deadlines, KeyHeader, Server};
use crate::optional::{self, Refused};
use crate::{ChatModel, ListedModel, ModelError, ModelRequest, ModelStream};

/// How a server calls the longest answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxTokens {
    /// `max_tokens`, as nearly every server does.
    Usual,
    /// `max_completion_tokens`: OpenAI's thinking models refuse the other.
    Completion,
}

/// Whether a model is let think.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Thinking {
    /// As it likes.
    Usual,
    /// Not at all: some of OpenAI's models call no tools here otherwise.
    Not,
}

/// A client of one server.
pub struct OpenAi {
    server: Server,
    max_tokens: MaxTokens,
    quirks: Quirks,
    refused: Refused,
}

impl OpenAi {
    /// A client of the server whose Chat Completions are at `{base_url}/chat/completions`.
    ///
    /// It does not call the server. `base_url` may end with a slash or not.
    pub fn new(outbound: Outbound, base_url: Url, api_key: Option<SecretString>) -> Self {
        Self {
            quirks: Quirks::of(&base_url),
            server: Server::new(outbound, base_url, api_key, KeyHeader::Bearer),
            max_tokens: MaxTokens::Usual,
            refused: Refused::default(),
        }
    }

    /// Changes how long to wait; the default suits every provider.
    #[must_use]
    pub fn with_deadlines(mut self, deadlines: Deadlines) -> Self {
        self.server.deadlines = deadlines;
        self
    }

    /// Changes what the server calls the longest answer.
    #[must_use]
    pub fn with_max_tokens(mut self, max_tokens: MaxTokens) -> Self {
        self.max_tokens = max_tokens;
        self
    }

    async fn ask(
        &self,
        request: &ModelRequest,
        thinking: Thinking,
    ) -> Result<ModelStream, ModelError> {
        let call = self
            .server
            .request(Method::POST, &["chat", "completions"], None)?;
        let body = wire::ChatRequest::new(request, self.max_tokens, self.quirks, thinking);
        self.server
            .stream(call, &body, request, ChatReader::default())
            .await
    }
}

#[async_trait]
impl ChatModel for OpenAi {
    async fn stream(&self, request: ModelRequest) -> Result<ModelStream, ModelError> {
        let has_tools = !request.tools.is_empty();
        if has_tools && self.refused.has(&request.model, optional::EFFORT) {
            return self.ask(&request, Thinking::Not).await;
        }
        match self.ask(&request, Thinking::Usual).await {
            Err(ModelError::Unsupported { param, .. })
                if has_tools && param == optional::EFFORT =>
            {
                self.refused.note(&request.model, param);
                self.ask(&request, Thinking::Not).await
            }
            asked => asked,
        }
    }

    async fn list_models(&self) -> Result<Vec<ListedModel>, ModelError> {
        let call = self.server.request(Method::GET, &["models"], None)?;
        parse_models(&self.server.fetch_list(call).await?)
    }
}
