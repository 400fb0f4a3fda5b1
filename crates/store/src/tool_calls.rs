//! Tool calls of runs.

use domain::tools::{ToolCall, ToolCallStatus};
use domain::{ApprovalId, CallId, FileId, McpServerId, MessageId, Timestamp, UserId};
use serde_json::Value;
use sqlx::types::Json;
use uuid::Uuid;

use crate::Result;
use crate::database::TenantTx;
use crate::runs::unreadable;

/// A tool call as it is kept.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredCall {
    /// The id.
    pub id: CallId,
    /// The message that asked.
    pub message_id: MessageId,
    /// The provider's id.
    pub asked_id: String,
    /// The tool's name as the model knows it.
    pub asked_name: String,
    /// The arguments as the model wrote them.
    pub asked_arguments: String,
    /// The tool server; `None` for tools inside this program.
    pub server_id: Option<McpServerId>,
    /// Its name.
    pub server: String,
    /// The tool's bare name.
    pub tool: String,
    /// What it is called with.
    pub arguments: Value,
    /// Whether calling twice is as good as calling once.
    pub is_repeatable: bool,
    /// Hash of the tool's definition when it was asked for.
    pub definition_hash: String,
    /// Where it stands.
    pub status: ToolCallStatus,
    /// Whether the result is an error.
    pub is_error: bool,
    /// What the model is told.
    pub result: String,
    /// The whole result, if it was too long.
    pub artifact_id: Option<FileId>,
    /// How long the tool took.
    pub duration_ms: u64,
    /// The open question about it.
    pub approval_id: Option<ApprovalId>,
}

/// What came of a call.
#[derive(Clone, Copy, Debug)]
pub struct CallOutcome<'a> {
    /// The call.
    pub id: CallId,
    /// Whether the result is an error.
    pub is_error: bool,
    /// What the model is told.
    pub result: &'a str,
    /// The whole result, if it was too long.
    pub artifact_id: Option<FileId>,
    /// How long the tool took.
    pub duration_ms: u64,
    /// What it costs.
    pub cost_usd_micros: u64,
}

struct CallRow {
    id: Uuid,
    message_id: Uuid,
    asked_id: String,
    asked_name: String,
    asked_arguments: String,
    server_id: Option<Uuid>,
    server: String,
    tool: String,
    arguments: Json<Value>,
    is_repeatable: bool,
    definition_hash: String,
    status: String,
    is_error: bool,
    result: String,
    artifact_id: Option<Uuid>,
    duration_ms: i64,
    approval_id: Option<Uuid>,
}

impl TenantTx {
    /// The calls that messages asked for, by message, in the order in which they were asked.
    pub async fn list_calls_of_messages(
        &mut self,
        messages: &[MessageId],
    ) -> Result<Vec<StoredCall>> {
        let messages: Vec<Uuid> = messages.iter().map(|id| id.uuid()).collect();
        let rows = sqlx::query_as!(
            CallRow,
            r#"select c.id, c.message_id, c.asked_id, c.asked_name, c.asked_arguments, c.server_id,
                 c.server, c.tool, c.arguments as "arguments: Json<Value>", c.is_repeatable,
                 c.definition_hash, c.status, c.is_error, c.result, c.artifact_id, c.duration_ms,
                 a.id as "approval_id?"
               from tool_calls c
               left join approvals a on a.workspace_id = c.workspace_id and a.call_id = c.id
                 and a.status = 'pending'
               where c.workspace_id = $1 and c.message_id = any($2)
               order by c.message_id, c.ordinal"#,
            self.workspace_id().uuid(),
            &messages
        )
        .fetch_all(self.connection())
        .await?;
        rows.into_iter().map(CallRow::into_call).collect()
    }

    /// Writes calls that a message asks for, in order.
    pub(crate) async fn create_calls(
        &mut self,
        lease: &crate::runs::Lease,
        calls: &[StoredCall],
    ) -> Result<()> {
        for (ordinal, call) in calls.iter().enumerate() {
            sqlx::query!(
                "insert into tool_calls
                   (id, workspace_id, conversation_id, run_id, message_id, ordinal, asked_id,
                    asked_name, asked_arguments, server_id, server, tool, arguments, is_repeatable,
                    definition_hash, status, is_error, result, artifact_id, duration_ms)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
                    $18, $19, $20)",
                call.id.uuid(),
                self.workspace_id().uuid(),
                lease.conversation_id.uuid(),
                lease.run_id.uuid(),
                call.message_id.uuid(),
                ordinal as i32,
                call.asked_id,
                call.asked_name,
                call.asked_arguments,
                call.server_id.map(McpServerId::uuid),
                call.server,
                call.tool,
                Json(&call.arguments) as _,
                call.is_repeatable,
                call.definition_hash,
                call.status.as_str(),
                call.is_error,
                call.result,
                call.artifact_id.map(FileId::uuid),
                call.duration_ms as i64
            )
            .execute(self.connection())
            .await?;
        }
        Ok(())
    }

    /// Marks calls as begun.
    pub(crate) async fn mark_calls_started(
        &mut self,
        calls: &[CallId],
        now: Timestamp,
    ) -> Result<()> {
        let ids: Vec<Uuid> = calls.iter().map(|id| id.uuid()).collect();
        sqlx::query!(
            "update tool_calls set status = 'started', started_at = $3
             where workspace_id = $1 and id = any($2) and status <> 'completed'",
            self.workspace_id().uuid(),
            &ids,
            now.date_time()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// The tool that a call calls, and whose run it is.
    pub async fn find_caller(&mut self, id: CallId) -> Result<Option<(String, UserId)>> {
        let row = sqlx::query!(
            "select c.tool, runs.author_id from tool_calls c
             join runs on runs.workspace_id = c.workspace_id and runs.id = c.run_id
             where c.workspace_id = $1 and c.id = $2",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| (row.tool, row.author_id.into())))
    }

    /// The tool server that a call goes to; `None` for tools inside this program.
    pub async fn find_server_of_call(&mut self, id: CallId) -> Result<Option<McpServerId>> {
        let server_id = sqlx::query_scalar!(
            "select server_id from tool_calls where workspace_id = $1 and id = $2",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(server_id.flatten().map(Into::into))
    }

    /// Writes what came of a call; a call that is over stays as it is.
    pub async fn complete_call(&mut self, outcome: CallOutcome<'_>, now: Timestamp) -> Result<()> {
        sqlx::query!(
            "update tool_calls set status = 'completed', is_error = $3, result = $4,
               artifact_id = $5, duration_ms = $6, finished_at = $7
             where workspace_id = $1 and id = $2 and status <> 'completed'",
            self.workspace_id().uuid(),
            outcome.id.uuid(),
            outcome.is_error,
            outcome.result,
            outcome.artifact_id.map(FileId::uuid),
            outcome.duration_ms as i64,
            now.date_time()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Lets a call that waited go ahead, with these arguments.
    pub async fn release_call(&mut self, id: CallId, arguments: &Value) -> Result<()> {
        sqlx::query!(
            "update tool_calls set status = 'requested', arguments = $3
             where workspace_id = $1 and id = $2 and status = 'waiting'",
            self.workspace_id().uuid(),
            id.uuid(),
            Json(arguments) as _
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Has a call wait for a person who is asked about its tool as it is defined now.
    pub async fn pin_call(&mut self, id: CallId, definition_hash: &str) -> Result<()> {
        sqlx::query!(
            "update tool_calls set status = 'waiting', definition_hash = $3
             where workspace_id = $1 and id = $2 and status <> 'completed'",
            self.workspace_id().uuid(),
            id.uuid(),
            definition_hash
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

impl StoredCall {
    /// The call as pages show it.
    pub fn into_tool_call(self) -> ToolCall {
        ToolCall {
            id: self.id,
            server: self.server,
            tool: self.tool,
            arguments: self.arguments,
            status: self.status,
            is_error: self.is_error,
            result: self.result,
            artifact_id: self.artifact_id,
            duration_ms: self.duration_ms,
            approval_id: self.approval_id,
        }
    }
}

impl CallRow {
    fn into_call(self) -> Result<StoredCall> {
        Ok(StoredCall {
            id: self.id.into(),
            message_id: self.message_id.into(),
            asked_id: self.asked_id,
            asked_name: self.asked_name,
            asked_arguments: self.asked_arguments,
            server_id: self.server_id.map(Into::into),
            server: self.server,
            tool: self.tool,
            arguments: self.arguments.0,
            is_repeatable: self.is_repeatable,
            definition_hash: self.definition_hash,
            status: self.status.parse().map_err(unreadable)?,
            is_error: self.is_error,
            result: self.result,
            artifact_id: self.artifact_id.map(Into::into),
            duration_ms: self.duration_ms as u64,
            approval_id: self.approval_id.map(Into::into),
        })
    }
}
