//! Model connections: where answers come from.

use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{ConnectionId, Error, FieldErrors, Page, Paged, Secret, Timestamp};

/// Name of the built-in model.
pub const LOCAL_MODEL: &str = "smollm2-135m-instruct";

/// How a connection speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ConnectionKind {
    /// OpenAI itself.
    #[serde(rename = "openai")]
    OpenAi,
    /// Any server with OpenAI's Chat Completions.
    #[serde(rename = "openai_compatible")]
    OpenAiCompatible,
    /// Ollama, through its OpenAI-compatible address.
    Ollama,
    /// The model inside this program.
    Local,
}

/// A place that answers model calls. The key is write-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelConnection {
    /// The id.
    pub id: ConnectionId,
    /// Shown name.
    pub name: String,
    /// How it speaks.
    pub kind: ConnectionKind,
    /// Where it is; `None` for `local`.
    pub base_url: Option<String>,
    /// Whether a key is stored.
    pub has_api_key: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
}

/// Input for a new connection.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CreateModelConnection {
    /// Shown name, at most 80 characters, unique in the workspace.
    pub name: String,
    /// How it speaks.
    pub kind: ConnectionKind,
    /// Where it is; `/chat/completions` is appended. OpenAI and Ollama have a default.
    #[serde(default)]
    pub base_url: Option<String>,
    /// Key to send, if the server wants one.
    #[serde(default)]
    pub api_key: Option<Secret>,
}

/// Changes to a connection; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UpdateModelConnection {
    /// New name.
    #[serde(default)]
    pub name: Option<String>,
    /// New address.
    #[serde(default)]
    pub base_url: Option<String>,
    /// New key; an empty one removes the stored key.
    #[serde(default)]
    pub api_key: Option<Secret>,
}

/// How a test of a connection went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConnectionTest {
    /// Whether the server answered a real call.
    pub ok: bool,
    /// Time of the call, milliseconds.
    pub latency_ms: u64,
    /// Why it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<ModelFault>,
}

/// Why a model call failed, in plain words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ModelFault {
    /// Machine-readable cause: `authentication`, `unreachable`, `timeout` …
    pub kind: String,
    /// The cause and what to do, for a person.
    pub message: String,
}

/// A model that an agent can use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// `<connection id>/<name>`.
    pub id: String,
    /// The connection that has it.
    pub connection_id: ConnectionId,
    /// Name to ask for.
    pub name: String,
    /// Tokens that fit, if known.
    pub context_window: Option<u32>,
    /// Whether it can call tools, if known.
    pub supports_tools: Option<bool>,
}

/// Model connections of the workspace.
#[async_trait]
pub trait Models: Send + Sync {
    /// Lists connections, newest first.
    async fn list_model_connections(&self, page: Page) -> Result<Paged<ModelConnection>, Error>;

    /// One connection.
    ///
    /// # Errors
    /// `NotFound`.
    async fn get_model_connection(&self, id: ConnectionId) -> Result<ModelConnection, Error>;

    /// Makes a connection.
    ///
    /// # Errors
    /// `Invalid` for wrong fields; `Conflict` if the name is taken.
    async fn create_model_connection(
        &self,
        input: CreateModelConnection,
    ) -> Result<ModelConnection, Error>;

    /// Changes a connection; running answers keep what they started with.
    ///
    /// # Errors
    /// `NotFound`; `Invalid`; `Conflict` if the name is taken.
    async fn update_model_connection(
        &self,
        id: ConnectionId,
        input: UpdateModelConnection,
    ) -> Result<ModelConnection, Error>;

    /// Deletes a connection.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` while an agent uses it, naming the agents.
    async fn delete_model_connection(&self, id: ConnectionId) -> Result<(), Error>;

    /// Asks the server for its models, which proves address and key. At most 10 s.
    ///
    /// # Errors
    /// `NotFound`. A server that fails is an answer, not an error.
    async fn test_model_connection(&self, id: ConnectionId) -> Result<ConnectionTest, Error>;

    /// Lists the models of every connection that answers within 5 s, by connection.
    async fn list_models(&self) -> Result<Paged<Model>, Error>;
}

impl ConnectionKind {
    /// Every kind, in the order of the form.
    pub const ALL: [Self; 4] = [
        Self::OpenAiCompatible,
        Self::OpenAi,
        Self::Ollama,
        Self::Local,
    ];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::OpenAi => "openai",
            Self::OpenAiCompatible => "openai_compatible",
            Self::Ollama => "ollama",
            Self::Local => "local",
        }
    }

    /// The name in the interface.
    pub fn label(self) -> &'static str {
        match self {
            Self::OpenAi => "OpenAI",
            Self::OpenAiCompatible => "OpenAI-compatible",
            Self::Ollama => "Ollama",
            Self::Local => "Built-in",
        }
    }

    /// Where the provider usually is.
    pub fn default_base_url(self) -> Option<&'static str> {
        match self {
            Self::OpenAi => Some("https://api.openai.com/v1"),
            Self::Ollama => Some("http://127.0.0.1:11434"),
            Self::OpenAiCompatible | Self::Local => None,
        }
    }
}

impl FromStr for ConnectionKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == text)
            .ok_or_else(|| format!("no connection kind is called {text:?}"))
    }
}

impl CreateModelConnection {
    /// Checks every field that needs no look-up.
    ///
    /// # Errors
    /// `Invalid` naming each wrong field.
    pub fn validate(&self) -> Result<(), Error> {
        let mut errors = FieldErrors::default();
        errors.line("name", &self.name, 80);
        match (self.kind, self.base_url.as_deref()) {
            (ConnectionKind::Local, Some(url)) if !url.trim().is_empty() => {
                errors.push("base_url", "must be left out for the built-in model");
            }
            (ConnectionKind::OpenAiCompatible, None) => errors.push("base_url", "is required"),
            (ConnectionKind::OpenAiCompatible, Some(url)) if url.trim().is_empty() => {
                errors.push("base_url", "is required");
            }
            (_, Some(url)) => errors.text("base_url", url, 500),
            (_, None) => {}
        }
        errors.finish()
    }
}
