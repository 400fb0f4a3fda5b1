//! Model connections: where answers come from, what they offer and what that costs.

mod kind;
mod price;
mod provider;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{ConnectionId, Error, FieldErrors, Page, Paged, Secret, Timestamp};

pub use kind::ConnectionKind;
pub use price::Price;
pub use provider::{FoundServer, Provider};

/// Longest name of a model, in characters.
pub const MAX_NAME_CHARS: usize = 200;
const MAX_TOKENS: u32 = 100_000_000;

/// Name of the built-in model.
pub const LOCAL_MODEL: &str = "smollm2-135m-instruct";

/// A place that answers model calls. The key is write-only.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateModelConnection {
    /// Shown name, at most 80 characters, unique in the workspace.
    pub name: String,
    /// How it speaks.
    pub kind: ConnectionKind,
    /// Where it is; see [`ConnectionKind::answer_path`]. All kinds but `openai_compatible` have a
    /// default.
    #[serde(default)]
    pub base_url: Option<String>,
    /// Key to send, if the server wants one.
    #[serde(default)]
    pub api_key: Option<Secret>,
}

/// Changes to a connection; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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

/// A connection as it is typed, to be tried out before anything of it is saved.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct TestModelConnection {
    /// The connection that is changed: what is left out is as it is saved.
    #[serde(default)]
    pub id: Option<ConnectionId>,
    /// Its name; nobody looks at it.
    #[serde(default)]
    pub name: Option<String>,
    /// How it speaks; needed for a new one.
    #[serde(default)]
    pub kind: Option<ConnectionKind>,
    /// Where it is.
    #[serde(default)]
    pub base_url: Option<String>,
    /// Key to send; an empty one sends none. A saved key goes to its own server only.
    #[serde(default)]
    pub api_key: Option<Secret>,
}

/// How a test of a connection went.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
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
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelFault {
    /// Machine-readable cause: `authentication`, `unreachable`, `timeout` …
    pub kind: String,
    /// The cause and what to do, for a person.
    pub message: String,
}

/// A model that an agent can use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Model {
    /// `<connection id>/<name>`.
    pub id: String,
    /// The connection that has it.
    pub connection_id: ConnectionId,
    /// Name to ask for.
    pub name: String,
    /// What is known of it.
    #[serde(flatten)]
    pub facts: ModelFacts,
    /// Whether somebody here has put in price or facts.
    pub is_edited: bool,
}

/// What is known of a model; `None` is unknown.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelFacts {
    /// Tokens that fit, question and answer together.
    pub context_window: Option<u32>,
    /// Longest answer in tokens.
    pub max_output_tokens: Option<u32>,
    /// Whether it can call tools.
    pub supports_tools: Option<bool>,
    /// Whether it sees pictures.
    pub supports_vision: Option<bool>,
    /// Whether it thinks before it answers.
    pub supports_reasoning: Option<bool>,
    /// Whether its answers keep to a JSON schema.
    #[serde(default)]
    pub supports_json_schema: Option<bool>,
    /// What it costs.
    pub price: Option<Price>,
}

/// What somebody here says of a model, in place of the catalog; `None` leaves it to that.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateModel {
    /// Tokens that fit.
    #[serde(default)]
    pub context_window: Option<u32>,
    /// Longest answer in tokens.
    #[serde(default)]
    pub max_output_tokens: Option<u32>,
    /// Whether it can call tools.
    #[serde(default)]
    pub supports_tools: Option<bool>,
    /// Whether it sees pictures.
    #[serde(default)]
    pub supports_vision: Option<bool>,
    /// Whether it thinks before it answers.
    #[serde(default)]
    pub supports_reasoning: Option<bool>,
    /// Whether its answers keep to a JSON schema.
    #[serde(default)]
    pub supports_json_schema: Option<bool>,
    /// What it costs.
    #[serde(default)]
    pub price: Option<Price>,
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

    /// Asks the server for its models, which proves address and key, then one of them for a word,
    /// which proves the rest. At most 15 s.
    ///
    /// # Errors
    /// `NotFound`. A server that fails is an answer, not an error.
    async fn test_model_connection(&self, id: ConnectionId) -> Result<ConnectionTest, Error>;

    /// The same for a connection that is not saved, or not as it is typed. Saves nothing.
    ///
    /// # Errors
    /// `Invalid` for wrong fields, also for an unknown id.
    async fn try_model_connection(
        &self,
        input: TestModelConnection,
    ) -> Result<ConnectionTest, Error>;

    /// Lists the models of every connection, by connection: those that it names within 5 s, else
    /// those that the catalog knows of its provider.
    async fn list_models(&self) -> Result<Paged<Model>, Error>;

    /// One model of a connection, whether or not it is listed; asks nobody.
    ///
    /// # Errors
    /// `NotFound` for the connection; `Invalid` for a name that is none.
    async fn get_model(&self, id: ConnectionId, name: &str) -> Result<Model, Error>;

    /// Says price and facts of a model of a connection, listed or not, in place of what was said
    /// before.
    ///
    /// # Errors
    /// `NotFound` for the connection; `Invalid`.
    async fn update_model(
        &self,
        id: ConnectionId,
        name: &str,
        input: UpdateModel,
    ) -> Result<Model, Error>;

    /// Goes back to what the catalog says of a model. Idempotent.
    ///
    /// # Errors
    /// `NotFound` for the connection.
    async fn reset_model(&self, id: ConnectionId, name: &str) -> Result<Model, Error>;

    /// Lists the providers that the catalog knows, in the order of the picker.
    async fn list_providers(&self) -> Result<Vec<Provider>, Error>;

    /// Looks for model servers on this machine, where that is allowed, for at most 1 s.
    async fn find_model_servers(&self) -> Result<Vec<FoundServer>, Error>;
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

impl UpdateModel {
    /// Checks every field, and the model's name.
    ///
    /// # Errors
    /// `Invalid` naming each wrong field.
    pub fn validate(&self, name: &str) -> Result<(), Error> {
        let mut errors = FieldErrors::default();
        errors.line("name", name, MAX_NAME_CHARS);
        for (field, tokens) in [
            ("context_window", self.context_window),
            ("max_output_tokens", self.max_output_tokens),
        ] {
            if tokens.is_some_and(|tokens| !(1..=MAX_TOKENS).contains(&tokens)) {
                errors.push(field, "must be between 1 and 100000000");
            }
        }
        if let Some(price) = &self.price {
            price.check(&mut errors);
        }
        errors.finish()
    }
}

impl ModelFacts {
    /// These facts, with those of `other` where these say nothing.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            context_window: self.context_window.or(other.context_window),
            max_output_tokens: self.max_output_tokens.or(other.max_output_tokens),
            supports_tools: self.supports_tools.or(other.supports_tools),
            supports_vision: self.supports_vision.or(other.supports_vision),
            supports_reasoning: self.supports_reasoning.or(other.supports_reasoning),
            supports_json_schema: self.supports_json_schema.or(other.supports_json_schema),
            price: self.price.or(other.price),
        }
    }
}

impl From<UpdateModel> for ModelFacts {
    fn from(said: UpdateModel) -> Self {
        Self {
            context_window: said.context_window,
            max_output_tokens: said.max_output_tokens,
            supports_tools: said.supports_tools,
            supports_vision: said.supports_vision,
            supports_reasoning: said.supports_reasoning,
            supports_json_schema: said.supports_json_schema,
            price: said.price,
        }
    }
}
