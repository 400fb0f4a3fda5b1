//! Anthropic's Messages, and servers that speak them.

mod messages;
mod models;
mod reader;
mod wire;

use async_trait::async_trait;
use outbound::Outbound;
use reqwest::{Method, RequestBuilder};
use secrecy::SecretString;
use url::Url;

use self::reader::MessagesReader;
use self::wire::ToolInputs;
use crate::http::{Deadlines, KeyHeader, Server};
use crate::{ChatModel, ListedModel, ModelError, ModelRequest, ModelStream};

const VERSION: &str = "2023-06-01";

/// A client of one server.
pub struct Anthropic {
    server: Server,
    tool_inputs: ToolInputs,
}

impl Anthropic {
    /// A client of the server whose Messages are at `{base_url}/v1/messages`.
    ///
    /// It does not call the server. `base_url` may end with a slash, or with `/v1`.
    pub fn new(outbound: Outbound, base_url: Url, api_key: Option<SecretString>) -> Self {
        Self {
            tool_inputs: ToolInputs::of(&base_url),
            server: Server::new(outbound, base_url, api_key, KeyHeader::Named("x-api-key")),
        }
    }

    /// Changes how long to wait; the default suits every provider.
    #[must_use]
    pub fn with_deadlines(mut self, deadlines: Deadlines) -> Self {
        self.server.deadlines = deadlines;
        self
    }

    fn request(
        &self,
        method: Method,
        path: &[&str],
        query: Option<&str>,
    ) -> Result<RequestBuilder, ModelError> {
        let request = self.server.request(method, path, query)?;
        Ok(request.header("anthropic-version", VERSION))
    }
}

#[async_trait]
impl ChatModel for Anthropic {
    async fn stream(&self, request: ModelRequest) -> Result<ModelStream, ModelError> {
        let call = self.request(Method::POST, &["v1", "messages"], None)?;
        let body = wire::MessagesRequest::new(&request, self.tool_inputs);
        self.server
            .stream(call, &body, &request, MessagesReader::default())
            .await
    }

    async fn list_models(&self) -> Result<Vec<ListedModel>, ModelError> {
        let call = self.request(Method::GET, &["v1", "models"], Some("limit=1000"))?;
        models::parse(&self.server.fetch_list(call).await?)
    }
}
