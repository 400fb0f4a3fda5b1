//! Everything a client sees of a conversation: one append-only log of these.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::approvals::{ApprovalReason, Decision};
use crate::conversations::MessageRole;
use crate::files::AttachedFile;
use crate::runs::{RunError, Usage};
use crate::{
    AgentId, ApprovalId, CallId, ConversationId, EventId, FileId, MessageId, RunId, Timestamp,
    UserId,
};

/// One entry of a conversation's log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Event {
    /// The id.
    pub id: EventId,
    /// Position in the log, from 1, without gaps.
    pub seq: u64,
    /// When it was written.
    pub time: Timestamp,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The run it belongs to.
    pub run_id: RunId,
    /// What happened: `type` and `data`.
    #[serde(flatten)]
    pub body: EventBody,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", content = "data", rename_all = "snake_case")]
pub enum EventBody {
    /// A message appeared; an agent's begins empty.
    MessageCreated {
        /// The message.
        message: CreatedMessage,
    },
    /// A run waits for a worker.
    RunQueued(QueuedRun),
    /// A worker began the run.
    RunStarted(RunBegin),
    /// Another worker took the run over.
    RunAdopted(RunBegin),
    /// Text was added to a message.
    TextDelta(TextDelta),
    /// The model thought aloud; no part of the message's text.
    ReasoningDelta(TextDelta),
    /// A crashed attempt's text beyond `offset` was withdrawn.
    TextTruncated {
        /// The message.
        message_id: MessageId,
        /// Bytes that stay.
        offset: u64,
    },
    /// A fallback answers in place of the agent's own model.
    ModelSwitched(ModelSwitched),
    /// A tool is being called.
    ToolCallStarted(ToolCallStarted),
    /// There is a tool's result, or the reason why there is none.
    ToolCallCompleted(ToolCallCompleted),
    /// A person is asked about a tool call.
    ApprovalRequested(ApprovalRequested),
    /// A person has decided.
    ApprovalDecided(ApprovalDecided),
    /// Most of a budget is spent.
    BudgetWarning(BudgetState),
    /// A budget is spent; the next call is refused.
    BudgetExceeded(BudgetState),
    /// A message is whole.
    MessageCompleted {
        /// The message.
        message_id: MessageId,
        /// Its text.
        text: String,
        /// How it ended.
        finish_reason: FinishReason,
        /// What it used up.
        usage: Usage,
    },
    /// The run answered.
    RunCompleted(RunEnd),
    /// The run failed.
    RunFailed(RunEnd),
    /// A person stopped the run.
    RunCancelled(RunEnd),
}

/// A message as `message_created` shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedMessage {
    /// The id.
    pub id: MessageId,
    /// Who writes it.
    pub role: MessageRole,
    /// Its text so far.
    pub text: String,
    /// Ids of its files.
    pub attachments: Vec<FileId>,
    /// Its files.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<AttachedFile>,
}

/// Text added to a message. Also the whole of the early, unlogged `text_live` frame.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct TextDelta {
    /// The message.
    pub message_id: MessageId,
    /// UTF-8 bytes in the message before `text`.
    pub offset: u64,
    /// The added text.
    pub text: String,
}

/// A fallback that answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ModelSwitched {
    /// The message that it writes.
    pub message_id: MessageId,
    /// The agent's own model: connection and name.
    pub from: String,
    /// The one that answers.
    pub to: String,
    /// What was wrong with the first, for a person.
    pub reason: String,
}

/// A tool call that begins.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ToolCallStarted {
    /// The call.
    pub call_id: CallId,
    /// The message that asked for it.
    pub message_id: MessageId,
    /// The server's name, or `builtin`.
    pub server: String,
    /// The tool's bare name.
    pub tool: String,
    /// What it is called with.
    pub arguments: Value,
}

/// A tool call that is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ToolCallCompleted {
    /// The call.
    pub call_id: CallId,
    /// Whether the tool failed, was refused or does not exist.
    pub is_error: bool,
    /// What the model is told.
    pub result: String,
    /// How long the tool took.
    pub duration_ms: u64,
    /// The whole result, if it was too long for the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub artifact_id: Option<FileId>,
}

/// A question to a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApprovalRequested {
    /// The question.
    pub approval_id: ApprovalId,
    /// The call that it is about.
    pub call_id: CallId,
    /// The message that asked for the call.
    pub message_id: MessageId,
    /// Why a person is asked.
    pub reason: ApprovalReason,
    /// The server's name, or `builtin`.
    pub server: String,
    /// The tool's bare name.
    pub tool: String,
    /// What it would be called with.
    pub arguments: Value,
    /// When it is taken as rejected.
    pub expires_at: Timestamp,
}

/// A person's answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ApprovalDecided {
    /// The question.
    pub approval_id: ApprovalId,
    /// The call that it is about.
    pub call_id: CallId,
    /// Yes or no.
    pub decision: Decision,
    /// What the person said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who decided; `None` if nobody did in time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decided_by: Option<UserId>,
}

/// Where a budget stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct BudgetState {
    /// Whose it is: `run`, `agent` or `workspace`.
    pub scope: String,
    /// Spent so far.
    pub spent_usd_micros: u64,
    /// What may be spent.
    pub limit_usd_micros: u64,
}

/// Part of a message as sanitised HTML: the unlogged `html_live` frame of the dashboard.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct HtmlBlock {
    /// The message.
    pub message_id: MessageId,
    /// Number of the block, from 0; what was shown behind it is gone.
    pub block: usize,
    /// Its HTML.
    pub html: String,
    /// Whether this is all of a finished message.
    pub is_whole: bool,
}

/// A run's beginning.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunBegin {
    /// The agent.
    pub agent_id: AgentId,
    /// The version it runs.
    pub agent_version: u32,
    /// Which attempt this is, from 1.
    pub attempt: u32,
}

/// A run that waits, and where it stands in the conversation's tree.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct QueuedRun {
    /// The agent.
    pub agent_id: AgentId,
    /// The version it runs.
    pub agent_version: u32,
    /// Always 1.
    pub attempt: u32,
    /// The message that it answers; not in logs of before there were branches.
    #[serde(default)]
    pub message_id: Option<MessageId>,
    /// The run before it on its branch.
    #[serde(default)]
    pub parent_id: Option<RunId>,
}

/// A run's end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct RunEnd {
    /// What it used up.
    pub usage: Usage,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RunError>,
}

/// How an answer ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model was done.
    Stop,
    /// The longest allowed answer was reached.
    Length,
    /// The model asked for tools.
    ToolCalls,
    /// A person stopped it; the text is what there was.
    Cancelled,
    /// It failed; the text is what there was.
    Error,
}

impl EventBody {
    /// The event's name in the stream and the database.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::MessageCreated { .. } => "message_created",
            Self::RunQueued(_) => "run_queued",
            Self::RunStarted(_) => "run_started",
            Self::RunAdopted(_) => "run_adopted",
            Self::TextDelta(_) => "text_delta",
            Self::ReasoningDelta(_) => "reasoning_delta",
            Self::TextTruncated { .. } => "text_truncated",
            Self::ModelSwitched(_) => "model_switched",
            Self::ToolCallStarted(_) => "tool_call_started",
            Self::ToolCallCompleted(_) => "tool_call_completed",
            Self::ApprovalRequested(_) => "approval_requested",
            Self::ApprovalDecided(_) => "approval_decided",
            Self::BudgetWarning(_) => "budget_warning",
            Self::BudgetExceeded(_) => "budget_exceeded",
            Self::MessageCompleted { .. } => "message_completed",
            Self::RunCompleted(_) => "run_completed",
            Self::RunFailed(_) => "run_failed",
            Self::RunCancelled(_) => "run_cancelled",
        }
    }

    /// Whether the run has ended with this event.
    pub fn is_run_end(&self) -> bool {
        matches!(
            self,
            Self::RunCompleted(_) | Self::RunFailed(_) | Self::RunCancelled(_)
        )
    }
}

impl FinishReason {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stop => "stop",
            Self::Length => "length",
            Self::ToolCalls => "tool_calls",
            Self::Cancelled => "cancelled",
            Self::Error => "error",
        }
    }
}

impl std::str::FromStr for FinishReason {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        [
            Self::Stop,
            Self::Length,
            Self::ToolCalls,
            Self::Cancelled,
            Self::Error,
        ]
        .into_iter()
        .find(|reason| reason.as_str() == text)
        .ok_or_else(|| format!("no finish reason is called {text:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn envelope_has_type_and_data_side_by_side() {
        let event: Event = serde_json::from_str(
            r#"{"id":"01890000-0000-7000-8000-000000000001","seq":3,"time":"2026-11-23T08:15:30.042Z",
                "conversation_id":"01890000-0000-7000-8000-000000000002",
                "run_id":"01890000-0000-7000-8000-000000000003","type":"text_delta",
                "data":{"message_id":"01890000-0000-7000-8000-000000000004","offset":0,"text":"né"}}"#,
        )
        .expect("valid event");

        let json = serde_json::to_value(&event).expect("serializes");

        assert_eq!(json["type"], event.body.kind());
        assert_eq!(json["data"]["text"], "né");
    }
}
