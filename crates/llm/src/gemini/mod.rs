//! Google's Gemini API.

mod contents;
mod models;
mod reader;
mod wire;

use async_trait::async_trait;
use outbound::Outbound;
use reqwest::Method;
use secrecy::SecretString;
use url::Url;

use self::reader::GeminiReader;
use crate::http::{Deadlines, KeyHeader, Server};
use crate::{ChatModel, ListedModel, ModelError, ModelRequest, ModelStream};

const VERSION: &str = "v1beta";

/// A client of one server.
pub struct Gemini {
    server: Server,
}

impl Gemini {
    /// A client of the server whose models are at `{base_url}/v1beta/models/…`.
    ///
    /// It does not call the server. `base_url` may end with a slash, or with `/v1beta`.
    pub fn new(outbound: Outbound, base_url: Url, api_key: Option<SecretString>) -> Self {
        let key_header = KeyHeader::Named("x-goog-api-key");
        Self {
            server: Server::new(outbound, base_url, api_key, key_header),
        }
    }

    /// Changes how long to wait; the default suits every provider.
    #[must_use]
    pub fn with_deadlines(mut self, deadlines: Deadlines) -> Self {
        self.server.deadlines = deadlines;
        self
    }
}

#[async_trait]
impl ChatModel for Gemini {
    async fn stream(&self, request: ModelRequest) -> Result<ModelStream, ModelError> {
        let method = format!("{}:streamGenerateContent", request.model);
        let mut path = vec![VERSION];
        if !request.model.contains('/') {
            path.push("models");
        }
        path.extend(method.split('/'));
        let call = self.server.request(Method::POST, &path, Some("alt=sse"))?;
        let body = wire::GenerateRequest::new(&request);
        self.server
            .stream(call, &body, &request, GeminiReader::default())
            .await
    }

    async fn list_models(&self) -> Result<Vec<ListedModel>, ModelError> {
        let path = [VERSION, "models"];
        let call = self
            .server
            .request(Method::GET, &path, Some("pageSize=1000"))?;
        models::parse(&self.server.fetch_list(call).await?)
    }
}
