//! Agents: instructions and a model. Every save is a new, immutable version.

mod changes;
mod check;
mod file;
mod filter;
mod template;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::conversations::Export;
use crate::tools::AgentTool;
use crate::{AgentId, ConnectionId, Error, Page, Paged, Timestamp, UserId};

pub use self::changes::{DiffLine, FieldChange, LineKind, VersionChanges};
pub use self::file::{AgentFile, FILE_FORMAT, FiledModel, FiledTool, MAX_FILE_BYTES};
pub use self::filter::{AgentFilter, TagCount};
pub use self::template::AgentTemplate;

/// Models that can stand in for an agent's own.
pub const MAX_FALLBACKS: usize = 5;
/// Tags that an agent can have.
pub const MAX_TAGS: usize = 10;
/// Longest tag, in characters.
pub const MAX_TAG_CHARS: usize = 30;
/// Longest JSON Schema of answers, in characters.
pub const MAX_SCHEMA_CHARS: usize = 50_000;
/// Longest name, in characters.
pub const MAX_AGENT_NAME_CHARS: usize = 80;

/// An agent in its live version, or as its draft says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Agent {
    /// The id.
    pub id: AgentId,
    /// Number of the version, from 1: the live one, unless the draft was asked for.
    pub version: u32,
    /// Number of the version that is saved and not published, if there is one.
    pub draft_version: Option<u32>,
    /// What it is.
    #[serde(flatten)]
    pub config: AgentConfig,
    /// When the agent was made.
    pub created_at: Timestamp,
    /// When the current version was saved.
    pub updated_at: Timestamp,
    /// When it was deleted; its conversations stay readable.
    pub archived_at: Option<Timestamp>,
}

/// Everything a version of an agent says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AgentConfig {
    /// Shown name, at most 80 characters.
    pub name: String,
    /// What it is for, at most 500 characters.
    #[serde(default)]
    pub description: String,
    /// Words to find it by, lower case: at most 10 of 30 characters.
    #[serde(default)]
    pub tags: Vec<String>,
    /// The system prompt, at most 50,000 characters.
    #[serde(default)]
    pub instructions: String,
    /// The model it asks.
    pub model: ModelChoice,
    /// Models to ask instead, in this order, when that one fails or is not up to it; at most 5.
    #[serde(default)]
    pub fallbacks: Vec<ModelChoice>,
    /// Tools it may call.
    #[serde(default)]
    pub tools: Vec<AgentTool>,
    /// What a run may use up.
    #[serde(default)]
    pub limits: Limits,
    /// Where conversations without a title get theirs from.
    #[serde(default)]
    pub conversation_titles: ConversationTitles,
    /// JSON Schema of its answers, at most 50,000 characters: they are JSON that fits it, or the
    /// run fails. Without one answers are text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub output_schema: Option<Value>,
}

/// Where a conversation that nobody named gets its title from.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ConversationTitles {
    /// The first words of its first message.
    #[default]
    FirstWords,
    /// The agent's model is asked after the first answer; the first words until then, and if that
    /// fails.
    Model,
}

/// A model of a connection, with its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ModelChoice {
    /// The connection to ask.
    pub connection_id: ConnectionId,
    /// The model's name there.
    pub name: String,
    /// 0 to 2; `None` leaves it to the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub temperature: Option<f32>,
    /// Longest answer in tokens; `None` leaves it to the provider.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_output_tokens: Option<u32>,
}

/// What one run may use up; the first limit reached ends it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Model calls, 1 to 100.
    pub max_iterations: u32,
    /// Tokens of answer, `None` for no limit.
    pub max_tokens: Option<u64>,
    /// Cost in micro-dollars, `None` for no limit.
    pub max_cost_usd_micros: Option<u64>,
    /// Time from start to end in seconds, 1 to 86,400.
    pub max_seconds: u32,
}

/// Row of the agents list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AgentSummary {
    /// The id.
    pub id: AgentId,
    /// Number of the current version.
    pub version: u32,
    /// Shown name.
    pub name: String,
    /// What it is for.
    pub description: String,
    /// Words to find it by.
    pub tags: Vec<String>,
    /// The model it asks.
    pub model: ModelChoice,
    /// When the agent was made.
    pub created_at: Timestamp,
    /// When the current version was saved.
    pub updated_at: Timestamp,
}

/// A saved version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AgentVersion {
    /// Number, from 1.
    pub version: u32,
    /// What it says.
    #[serde(flatten)]
    pub config: AgentConfig,
    /// Who saved it.
    pub author_id: UserId,
    /// Name of that person now, or the address.
    pub author: String,
    /// When it was saved.
    pub created_at: Timestamp,
}

/// Changes to an agent; `None` leaves a field as it is.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateAgent {
    /// New name.
    #[serde(default)]
    pub name: Option<String>,
    /// New description.
    #[serde(default)]
    pub description: Option<String>,
    /// New tags, as a whole.
    #[serde(default)]
    pub tags: Option<Vec<String>>,
    /// New instructions.
    #[serde(default)]
    pub instructions: Option<String>,
    /// New model, as a whole.
    #[serde(default)]
    pub model: Option<ModelChoice>,
    /// New fallbacks, as a whole.
    #[serde(default)]
    pub fallbacks: Option<Vec<ModelChoice>>,
    /// New tools, as a whole.
    #[serde(default)]
    pub tools: Option<Vec<AgentTool>>,
    /// New limits, as a whole.
    #[serde(default)]
    pub limits: Option<Limits>,
    /// Where titles come from now on.
    #[serde(default)]
    pub conversation_titles: Option<ConversationTitles>,
    /// New JSON Schema of its answers; `null` takes it away.
    #[serde(
        default,
        deserialize_with = "given",
        skip_serializing_if = "Option::is_none"
    )]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub output_schema: Option<Option<Value>>,
}

/// Tells `null` from a field that is left out.
fn given<'de, D: serde::Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<Option<Value>>, D::Error> {
    Option::deserialize(deserializer).map(Some)
}

/// Agents of the workspace.
#[async_trait]
pub trait Agents: Send + Sync {
    /// Lists agents that are not deleted and match, newest first.
    ///
    /// # Errors
    /// `Invalid` if the search is too long.
    async fn list_agents(
        &self,
        filter: AgentFilter,
        page: Page,
    ) -> Result<Paged<AgentSummary>, Error>;

    /// Tags of agents that are not deleted, the most used first, at most 50.
    async fn list_agent_tags(&self) -> Result<Vec<TagCount>, Error>;

    /// One agent, deleted ones included.
    ///
    /// # Errors
    /// `NotFound`.
    async fn get_agent(&self, id: AgentId) -> Result<Agent, Error>;

    /// Makes an agent, version 1.
    ///
    /// # Errors
    /// `Invalid` for wrong fields or an unknown connection.
    async fn create_agent(&self, input: AgentConfig) -> Result<Agent, Error>;

    /// Saves a new version, made of the live one, and makes it live; a change of nothing saves
    /// nothing. Running answers keep theirs. A draft is a draft no more.
    ///
    /// # Errors
    /// `NotFound`; `Invalid`; `Conflict` if the agent is deleted.
    async fn update_agent(&self, id: AgentId, input: UpdateAgent) -> Result<Agent, Error>;

    /// An agent as its draft says.
    ///
    /// # Errors
    /// `NotFound`, also if it has no draft.
    async fn get_agent_draft(&self, id: AgentId) -> Result<Agent, Error>;

    /// Saves a new version as the draft, made of the draft before or else of the live version; a
    /// change of nothing saves nothing. Conversations go on with the live version. Gives the agent
    /// as the draft says.
    ///
    /// # Errors
    /// `NotFound`; `Invalid`; `Conflict` if the agent is deleted.
    async fn update_agent_draft(&self, id: AgentId, input: UpdateAgent) -> Result<Agent, Error>;

    /// Makes the draft the live version; running answers keep theirs.
    ///
    /// # Errors
    /// `NotFound`; `Invalid` if it names what is gone by now; `Conflict` if there is no draft or
    /// the agent is deleted.
    async fn publish_agent_draft(&self, id: AgentId) -> Result<Agent, Error>;

    /// Lets the draft go; it stays in the list of versions.
    ///
    /// # Errors
    /// `NotFound`, also if it has no draft; `Conflict` if the agent is deleted.
    async fn discard_agent_draft(&self, id: AgentId) -> Result<(), Error>;

    /// Makes a copy of an agent, named "… (copy)", version 1.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if the agent is deleted.
    async fn duplicate_agent(&self, id: AgentId) -> Result<Agent, Error>;

    /// An agent as a YAML file without any id; see [`AgentFile`].
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if it has a model or tool whose connection or server is gone.
    async fn export_agent(&self, id: AgentId) -> Result<Export, Error>;

    /// Makes an agent of a YAML file, version 1.
    ///
    /// # Errors
    /// `Invalid` naming `file` if it cannot be read, and otherwise each wrong field of it.
    async fn import_agent(&self, file: String) -> Result<Agent, Error>;

    /// Agents to start from, in the order of the gallery.
    async fn list_agent_templates(&self) -> Result<Vec<AgentTemplate>, Error>;

    /// Deletes an agent: conversations stay readable, new messages are refused. Idempotent.
    ///
    /// # Errors
    /// `NotFound`.
    async fn delete_agent(&self, id: AgentId) -> Result<(), Error>;

    /// Lists an agent's versions, newest first.
    ///
    /// # Errors
    /// `NotFound`.
    async fn list_agent_versions(
        &self,
        id: AgentId,
        page: Page,
    ) -> Result<Paged<AgentVersion>, Error>;

    /// What each version changed of the one before, newest first.
    ///
    /// # Errors
    /// `NotFound`.
    async fn list_agent_changes(
        &self,
        id: AgentId,
        page: Page,
    ) -> Result<Paged<VersionChanges>, Error>;

    /// Saves an old version as a new one and makes it live. A draft is a draft no more.
    ///
    /// # Errors
    /// `NotFound` for the agent or the version; `Conflict` if the agent is deleted.
    async fn restore_agent_version(&self, id: AgentId, version: u32) -> Result<Agent, Error>;
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_iterations: 25,
            max_tokens: None,
            max_cost_usd_micros: None,
            max_seconds: 600,
        }
    }
}

impl UpdateAgent {
    /// The config that results from applying the changes to `config`.
    pub fn apply(self, config: AgentConfig) -> AgentConfig {
        AgentConfig {
            name: self.name.unwrap_or(config.name),
            description: self.description.unwrap_or(config.description),
            tags: self.tags.unwrap_or(config.tags),
            instructions: self.instructions.unwrap_or(config.instructions),
            model: self.model.unwrap_or(config.model),
            fallbacks: self.fallbacks.unwrap_or(config.fallbacks),
            tools: self.tools.unwrap_or(config.tools),
            limits: self.limits.unwrap_or(config.limits),
            conversation_titles: self
                .conversation_titles
                .unwrap_or(config.conversation_titles),
            output_schema: self.output_schema.unwrap_or(config.output_schema),
        }
    }
}
