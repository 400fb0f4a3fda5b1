//! OpenAI's Responses, and servers that speak them. Nothing is stored at the provider.

mod reader;
mod wire;

use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use outbound::Outbound;
use reqwest::Method;
use secrecy::SecretString;
use url::Url;

use self::reader::ResponsesReader;
use crate::http::{Deadlines, KeyHeader, Server};
use crate::openai::parse_models;
use crate::{ChatModel, ListedModel, ModelError, ModelRequest, ModelStream};

/// A client of one server.
pub struct Responses {
    server: Server,
    /// Whether it refused to summarise thoughts, as OpenAI does for organisations that it does not
    /// know well.
    refuses_summaries: AtomicBool,
}

impl Responses {
    /// A client of the server whose Responses are at `{base_url}/responses`.
    ///
    /// It does not call the server. `base_url` may end with a slash or not.
    pub fn new(outbound: Outbound, base_url: Url, api_key: Option<SecretString>) -> Self {
        Self {
            server: Server::new(outbound, base_url, api_key, KeyHeader::Bearer),
            refuses_summaries: AtomicBool::new(false),
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
    async fn ask(
        &self,
        request: &ModelRequest,
        has_summary: bool,
    ) -> Result<ModelStream, ModelError> {
        let call = self.server.request(Method::POST, &["responses"], None)?;
        let body = wire::ResponsesRequest::new(request, has_summary);
        self.server
            .stream(call, &body, request, ResponsesReader::default())
            .await
    }
}

#[async_trait]
impl ChatModel for Responses {
    async fn stream(&self, request: ModelRequest) -> Result<ModelStream, ModelError> {
        let has_summary = request.supports_reasoning == Some(true)
            && !self.refuses_summaries.load(Ordering::Relaxed);
        match self.ask(&request, has_summary).await {
            Err(ModelError::NoSummary { .. }) if has_summary => {
                self.refuses_summaries.store(true, Ordering::Relaxed);
                self.ask(&request, false).await
            }
            asked => asked,
        }
    }

    async fn list_models(&self) -> Result<Vec<ListedModel>, ModelError> {
        let call = self.server.request(Method::GET, &["models"], None)?;
        parse_models(&self.server.fetch_list(call).await?)
    }
}
