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
use crate::{ChatModel, ListedModel, ModelError, ModelRequest, ModelStream};

/// How a server calls the longest answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaxTokens {
    /// `max_tokens`, as nearly every server does.
    Usual,
    /// `max_completion_tokens`: OpenAI's thinking models refuse the other.
    Completion,
}

/// A client of one server.
pub struct OpenAi {
    server: Server,
    max_tokens: MaxTokens,
    quirks: Quirks,
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
}

#[async_trait]
impl ChatModel for OpenAi {
    async fn stream(&self, request: ModelRequest) -> Result<ModelStream, ModelError> {
        let call = self
            .server
            .request(Method::POST, &["chat", "completions"], None)?;
        let body = wire::ChatRequest::new(&request, self.max_tokens, self.quirks);
        self.server
            .stream(call, &body, &request, ChatReader::default())
            .await
    }

    async fn list_models(&self) -> Result<Vec<ListedModel>, ModelError> {
        let call = self.server.request(Method::GET, &["models"], None)?;
        parse_models(&self.server.fetch_list(call).await?)
    }
}
