//! Tool calls that ask a person before they go ahead.

use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::{
    AgentId, ApprovalId, CallId, ConversationId, Error, Page, Paged, RunId, Timestamp, UserId,
};

/// A question about one tool call. It is bound to the call's arguments and the tool's definition,
/// and can be decided once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Approval {
    /// The id.
    pub id: ApprovalId,
    /// The call.
    pub call_id: CallId,
    /// The run that waits.
    pub run_id: RunId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// The conversation's title.
    pub conversation_title: String,
    /// The agent that wants to call.
    pub agent_id: AgentId,
    /// The agent's current name.
    pub agent_name: String,
    /// The server's name, or `builtin`.
    pub server: String,
    /// The tool's bare name.
    pub tool: String,
    /// What it would be called with.
    pub arguments: Value,
    /// Why a person is asked.
    pub reason: ApprovalReason,
    /// Where the question stands.
    pub status: ApprovalStatus,
    /// When it was asked.
    pub created_at: Timestamp,
    /// When it is taken as rejected.
    pub expires_at: Timestamp,
    /// When it was decided.
    pub decided_at: Option<Timestamp>,
    /// Who decided.
    pub decided_by: Option<UserId>,
    /// What that person said.
    pub decision_reason: Option<String>,
}

/// Why a person is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ApprovalReason {
    /// The agent's settings say so.
    Policy,
    /// A crash came in the middle of a call that is not safe to repeat.
    UnknownOutcome,
    /// The tool is not what was accepted when it was added.
    ChangedDefinition,
}

/// Where a question stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum ApprovalStatus {
    /// Nobody has decided.
    Pending,
    /// The call goes ahead.
    Approved,
    /// The model is told that it may not.
    Rejected,
    /// Nobody decided in time, or the run ended before.
    Expired,
}

/// What a person says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// Call the tool.
    Approve,
    /// Do not.
    Reject,
}

/// Input for a decision.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct DecideApproval {
    /// Yes or no.
    pub decision: Decision,
    /// Other arguments to call with; only with `approve`.
    #[serde(default)]
    pub arguments: Option<Value>,
    /// What the model is told, at most 1,000 characters.
    #[serde(default)]
    pub reason: Option<String>,
}

/// Which questions to list.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApprovalFilter {
    /// Only these; `None` for all.
    #[serde(default)]
    pub status: Option<ApprovalStatus>,
}

/// Questions of the workspace.
#[async_trait]
pub trait Approvals: Send + Sync {
    /// Lists questions, newest first.
    async fn list_approvals(
        &self,
        filter: ApprovalFilter,
        page: Page,
    ) -> Result<Paged<Approval>, Error>;

    /// Number of questions that wait for somebody.
    async fn count_pending_approvals(&self) -> Result<u64, Error>;

    /// One question.
    ///
    /// # Errors
    /// `NotFound`.
    async fn get_approval(&self, id: ApprovalId) -> Result<Approval, Error>;

    /// Decides a question; the run goes on once none of its questions is open.
    ///
    /// # Errors
    /// `NotFound`; `Conflict` if it is decided or expired; `Invalid` for arguments that the tool
    /// does not take.
    async fn decide_approval(
        &self,
        id: ApprovalId,
        input: DecideApproval,
    ) -> Result<Approval, Error>;
}

impl ApprovalReason {
    const ALL: [Self; 3] = [Self::Policy, Self::UnknownOutcome, Self::ChangedDefinition];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::UnknownOutcome => "unknown_outcome",
            Self::ChangedDefinition => "changed_definition",
        }
    }
}

impl ApprovalStatus {
    /// Every status.
    pub const ALL: [Self; 4] = [Self::Pending, Self::Approved, Self::Rejected, Self::Expired];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}

impl FromStr for ApprovalReason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|reason| reason.as_str() == text)
            .ok_or_else(|| format!("no reason is called {text:?}"))
    }
}

impl FromStr for ApprovalStatus {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|status| status.as_str() == text)
            .ok_or_else(|| format!("no approval status is called {text:?}"))
    }
}
