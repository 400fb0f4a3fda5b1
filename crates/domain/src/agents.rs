//! Agents: instructions and a model. Every save is a new, immutable version.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::models::MAX_NAME_CHARS;
use crate::tools::{self, AgentTool};
use crate::{AgentId, ConnectionId, Error, FieldErrors, Page, Paged, Timestamp};

/// Models that can stand in for an agent's own.
pub const MAX_FALLBACKS: usize = 5;

/// An agent in its current version.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Agent {
    /// The id.
    pub id: AgentId,
    /// Number of the current version, from 1.
    pub version: u32,
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
    /// The system prompt, at most 50,000 characters.
    #[serde(default)]
    pub instructions: String,
    /// The model it asks.
    pub model: ModelChoice,
    /// Models to ask instead, in this order, when that one fails or is not up to it; at most 5.
    #[serde(default)]
    pub fallbacks: Vec<ModelChoice>,
    /// Tools it may call. None can be given yet.
    #[serde(default)]
    pub tools: Vec<AgentTool>,
    /// What a run may use up.
    #[serde(default)]
    pub limits: Limits,
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
}

/// Agents of the workspace.
#[async_trait]
pub trait Agents: Send + Sync {
    /// Lists agents that are not deleted, newest first.
    async fn list_agents(&self, page: Page) -> Result<Paged<AgentSummary>, Error>;

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

    /// Saves a new version; a change of nothing saves nothing. Running answers keep theirs.
    ///
    /// # Errors
    /// `NotFound`; `Invalid`; `Conflict` if the agent is deleted.
    async fn update_agent(&self, id: AgentId, input: UpdateAgent) -> Result<Agent, Error>;

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

    /// Saves an old version as a new one.
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

impl AgentConfig {
    /// Checks every field that needs no look-up.
    ///
    /// # Errors
    /// `Invalid` naming each wrong field.
    pub fn validate(&self) -> Result<(), Error> {
        let mut errors = FieldErrors::default();
        errors.line("name", &self.name, 80);
        errors.text("description", &self.description, 500);
        errors.text("instructions", &self.instructions, 50_000);
        self.model.check(&mut errors, "model");
        self.check_fallbacks(&mut errors);
        tools::check(&mut errors, &self.tools);
        if !(1..=100).contains(&self.limits.max_iterations) {
            errors.push("limits.max_iterations", "must be between 1 and 100");
        }
        if !(1..=86_400).contains(&self.limits.max_seconds) {
            errors.push("limits.max_seconds", "must be between 1 and 86400");
        }
        errors.finish()
    }
}

impl AgentConfig {
    fn check_fallbacks(&self, errors: &mut FieldErrors) {
        if self.fallbacks.len() > MAX_FALLBACKS {
            let message = format!("must have at most {MAX_FALLBACKS} entries");
            errors.push("fallbacks", message);
            return;
        }
        for (index, fallback) in self.fallbacks.iter().enumerate() {
            let field = format!("fallbacks[{index}]");
            fallback.check(errors, &field);
            let is_asked_before = std::iter::once(&self.model)
                .chain(&self.fallbacks[..index])
                .any(|before| before.is_same_model(fallback));
            if is_asked_before {
                errors.push(&field, "is asked already; choose another model");
            }
        }
    }
}

impl ModelChoice {
    fn check(&self, errors: &mut FieldErrors, field: &str) {
        errors.line(&format!("{field}.name"), &self.name, MAX_NAME_CHARS);
        if self
            .temperature
            .is_some_and(|value| !(0.0..=2.0).contains(&value))
        {
            errors.push(&format!("{field}.temperature"), "must be between 0 and 2");
        }
        if self.max_output_tokens == Some(0) {
            errors.push(&format!("{field}.max_output_tokens"), "must be at least 1");
        }
    }

    fn is_same_model(&self, other: &Self) -> bool {
        self.connection_id == other.connection_id && self.name.trim() == other.name.trim()
    }
}

impl UpdateAgent {
    /// The config that results from applying the changes to `config`.
    pub fn apply(self, config: AgentConfig) -> AgentConfig {
        AgentConfig {
            name: self.name.unwrap_or(config.name),
            description: self.description.unwrap_or(config.description),
            instructions: self.instructions.unwrap_or(config.instructions),
            model: self.model.unwrap_or(config.model),
            fallbacks: self.fallbacks.unwrap_or(config.fallbacks),
            tools: self.tools.unwrap_or(config.tools),
            limits: self.limits.unwrap_or(config.limits),
        }
    }
}
