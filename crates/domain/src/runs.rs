//! Runs: one answer of an agent, owned by the server.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{AgentId, ConversationId, Error, Page, Paged, RunId, StepId, Timestamp};

/// Where a run stands.
///
/// ```text
/// queued ─► running ─► completed
///   │         │ ▲  └──► failed
///   │         ▼ │
///   │       waiting
///   └────┬────┴───────► cancelled
/// ```
///
/// `completed`, `failed` and `cancelled` are final.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunStatus {
    /// Waits for a worker, or for the run before it.
    Queued,
    /// A worker holds its lease.
    Running,
    /// Waits for a person.
    Waiting,
    /// Answered.
    Completed,
    /// Ended by an error.
    Failed,
    /// Ended by a person.
    Cancelled,
}

/// What a run used up.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Usage {
    /// Tokens read by the model.
    pub input_tokens: u64,
    /// Tokens written by the model.
    pub output_tokens: u64,
    /// Price in micro-dollars; 0 where no price is known.
    pub cost_usd_micros: u64,
    /// Of the input tokens, those that the provider read from its cache; left out where there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cached_input_tokens: u64,
    /// Of the input tokens, those that the provider wrote to its cache; left out where there are none.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub cache_written_tokens: u64,
}

impl std::ops::Add for Usage {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            input_tokens: self.input_tokens + other.input_tokens,
            output_tokens: self.output_tokens + other.output_tokens,
            cost_usd_micros: self.cost_usd_micros + other.cost_usd_micros,
            cached_input_tokens: self.cached_input_tokens + other.cached_input_tokens,
            cache_written_tokens: self.cache_written_tokens + other.cache_written_tokens,
        }
    }
}

#[allow(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde passes a reference"
)]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Why a run failed, in plain words.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunError {
    /// Machine-readable cause.
    pub kind: String,
    /// The cause and what to do, for a person.
    pub message: String,
    /// Whether asking again may help.
    pub retryable: bool,
}

/// A run, whole.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Run {
    /// The run as the list shows it.
    #[serde(flatten)]
    pub summary: RunSummary,
    /// The journal, in order.
    pub steps: Vec<RunStep>,
}

/// Row of the runs list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunSummary {
    /// The id.
    pub id: RunId,
    /// The conversation it answers in.
    pub conversation_id: ConversationId,
    /// The conversation's title.
    pub conversation_title: String,
    /// The agent.
    pub agent_id: AgentId,
    /// The agent's current name.
    pub agent_name: String,
    /// The version it runs.
    pub agent_version: u32,
    /// Where it stands.
    pub status: RunStatus,
    /// 1, and one more for each time another worker took it over.
    pub attempt: u32,
    /// What it used up.
    pub usage: Usage,
    /// Why it failed.
    pub error: Option<RunError>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When a worker first began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// What a journalled step does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum StepKind {
    /// Asks the model.
    ModelCall,
    /// Calls a tool.
    ToolCall,
}

/// Where a journalled step stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum StepStatus {
    /// The intent is written; the outcome is not.
    Started,
    /// The outcome is written.
    Completed,
    /// The outcome is an error.
    Failed,
    /// Its worker died; a later attempt repeats it.
    Abandoned,
}

/// One entry of a run's journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunStep {
    /// The id.
    pub id: StepId,
    /// Position in the run, from 1.
    pub number: u32,
    /// What it does.
    pub kind: StepKind,
    /// The attempt that wrote it.
    pub attempt: u32,
    /// Where it stands.
    pub status: StepStatus,
    /// What is called: the model's name.
    pub target: String,
    /// What it used up.
    pub usage: Usage,
    /// Why it failed.
    pub error: Option<RunError>,
    /// When the intent was written.
    pub started_at: Timestamp,
    /// When the outcome was written.
    pub finished_at: Option<Timestamp>,
}

/// Runs of the workspace.
#[async_trait]
pub trait Runs: Send + Sync {
    /// Lists runs, newest first.
    async fn list_runs(&self, page: Page) -> Result<Paged<RunSummary>, Error>;

    /// One run with its journal.
    ///
    /// # Errors
    /// `NotFound`.
    async fn get_run(&self, id: RunId) -> Result<Run, Error>;

    /// Asks a run to stop; what was said so far stays. The run ends soon after, not at once.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if it has ended.
    async fn cancel_run(&self, id: RunId) -> Result<(), Error>;
}

impl RunStatus {
    const ALL: [Self; 6] = [
        Self::Queued,
        Self::Running,
        Self::Waiting,
        Self::Completed,
        Self::Failed,
        Self::Cancelled,
    ];

    /// Whether nothing more will happen.
    pub fn is_final(self) -> bool {
        matches!(self, Self::Completed | Self::Failed | Self::Cancelled)
    }

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

impl fmt::Display for RunStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for RunStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("no run status is called {text:?}"))
    }
}

impl FromStr for StepKind {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "model_call" => Ok(Self::ModelCall),
            "tool_call" => Ok(Self::ToolCall),
            _ => Err(format!("no step kind is called {text:?}")),
        }
    }
}

impl StepStatus {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Started => "started",
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Abandoned => "abandoned",
        }
    }
}

impl FromStr for StepStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [
            Self::Started,
            Self::Completed,
            Self::Failed,
            Self::Abandoned,
        ]
        .into_iter()
        .find(|status| status.as_str() == text)
        .ok_or_else(|| format!("no step status is called {text:?}"))
    }
}
