//! Questions about tool calls.

use domain::approvals::{Approval, ApprovalFilter, ApprovalReason, ApprovalStatus};
use domain::{
    AgentId, ApprovalId, CallId, ConversationId, Cursor, McpServerId, Page, Paged, RunId,
    Timestamp, UserId, WorkspaceId,
};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::Result;
use crate::api_keys::parse_cursor;
use crate::database::TenantTx;
use crate::runs::{Lease, unreadable};

/// A question to be asked.
#[derive(Clone, Debug)]
pub struct NewApproval {
    /// The id.
    pub id: ApprovalId,
    /// The call.
    pub call_id: CallId,
    /// The agent that wants to call.
    pub agent_id: AgentId,
    /// The tool server; `None` for tools inside this program.
    pub server_id: Option<McpServerId>,
    /// Its name.
    pub server: String,
    /// The tool's bare name.
    pub tool: String,
    /// What it would be called with.
    pub arguments: Value,
    /// Hash of the tool's definition.
    pub definition_hash: String,
    /// Why a person is asked.
    pub reason: ApprovalReason,
    /// Now.
    pub created_at: Timestamp,
    /// When it is taken as rejected.
    pub expires_at: Timestamp,
}

/// A tool that people have let this conversation use.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct UsedTool {
    /// The tool server; `None` for tools inside this program.
    pub server_id: Option<McpServerId>,
    /// The tool's bare name.
    pub tool: String,
    /// Hash of its definition then.
    pub definition_hash: String,
}

/// What became of a question.
#[derive(Clone, Copy, Debug)]
pub struct Decided<'a> {
    /// The question.
    pub id: ApprovalId,
    /// Not `Pending`.
    pub status: ApprovalStatus,
    /// Who decided; `None` if nobody did in time.
    pub by: Option<UserId>,
    /// What that person said.
    pub reason: Option<&'a str>,
    /// What the call shall be made with.
    pub arguments: &'a Value,
    /// When.
    pub now: Timestamp,
}

struct ApprovalRow {
    id: Uuid,
    call_id: Uuid,
    run_id: Uuid,
    conversation_id: Uuid,
    title: String,
    agent_id: Uuid,
    agent_name: String,
    server: String,
    tool: String,
    arguments: Json<Value>,
    reason: String,
    status: String,
    created_at: OffsetDateTime,
    expires_at: OffsetDateTime,
    decided_at: Option<OffsetDateTime>,
    decided_by: Option<Uuid>,
    decision_reason: Option<String>,
}

/// Open questions of all workspaces whose time is over, at most 100.
pub async fn list_expired(
    db: &mut PgConnection,
    now: Timestamp,
) -> Result<Vec<(WorkspaceId, ApprovalId)>> {
    let rows = sqlx::query!(
        "select workspace_id, id from approvals
         where status = 'pending' and expires_at < $1 order by expires_at limit 100",
        now.date_time()
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.workspace_id.into(), row.id.into()))
        .collect())
}

impl TenantTx {
    /// Writes questions of a run.
    pub async fn create_approvals(
        &mut self,
        lease: &Lease,
        approvals: &[NewApproval],
    ) -> Result<()> {
        for approval in approvals {
            sqlx::query!(
                "insert into approvals
                   (id, workspace_id, conversation_id, run_id, call_id, agent_id, server_id, server,
                    tool, arguments, definition_hash, reason, status, created_at, expires_at)
                 values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'pending', $13, $14)",
                approval.id.uuid(),
                self.workspace_id().uuid(),
                lease.conversation_id.uuid(),
                lease.run_id.uuid(),
                approval.call_id.uuid(),
                approval.agent_id.uuid(),
                approval.server_id.map(McpServerId::uuid),
                approval.server,
                approval.tool,
                Json(&approval.arguments) as _,
                approval.definition_hash,
                approval.reason.as_str(),
                approval.created_at.date_time(),
                approval.expires_at.date_time()
            )
            .execute(self.connection())
            .await?;
        }
        Ok(())
    }

    /// Questions, newest first.
    pub async fn list_approvals(
        &mut self,
        filter: &ApprovalFilter,
        page: &Page,
    ) -> Result<Paged<Approval>> {
        let after = parse_cursor(page)?;
        let rows = self
            .approval_rows(None, filter.status, after, i64::from(page.limit) + 1)
            .await?;
        let approvals = rows
            .into_iter()
            .map(ApprovalRow::into_approval)
            .collect::<Result<Vec<_>>>()?;
        Ok(Paged::cut(approvals, page.limit, |approval: &Approval| {
            Cursor(approval.id.to_string())
        }))
    }

    /// One question.
    pub async fn find_approval(&mut self, id: ApprovalId) -> Result<Option<Approval>> {
        let rows = self.approval_rows(Some(id), None, None, 1).await?;
        rows.into_iter()
            .next()
            .map(ApprovalRow::into_approval)
            .transpose()
    }

    async fn approval_rows(
        &mut self,
        id: Option<ApprovalId>,
        status: Option<ApprovalStatus>,
        after: Option<Uuid>,
        limit: i64,
    ) -> Result<Vec<ApprovalRow>> {
        let rows = sqlx::query_as!(
            ApprovalRow,
            r#"select a.id, a.call_id, a.run_id, a.conversation_id, c.title, a.agent_id,
                 v.config->>'name' as "agent_name!", a.server, a.tool,
                 a.arguments as "arguments: Json<Value>", a.reason, a.status, a.created_at,
                 a.expires_at, a.decided_at, a.decided_by, a.decision_reason
               from approvals a
               join conversations c on c.workspace_id = a.workspace_id and c.id = a.conversation_id
               join agents g on g.workspace_id = a.workspace_id and g.id = a.agent_id
               join agent_versions v on v.workspace_id = a.workspace_id and v.agent_id = a.agent_id
                 and v.version = g.version
               where a.workspace_id = $1 and ($2::uuid is null or a.id = $2)
                 and ($3::text is null or a.status = $3) and ($4::uuid is null or a.id < $4)
               order by a.id desc limit $5"#,
            self.workspace_id().uuid(),
            id.map(ApprovalId::uuid),
            status.map(ApprovalStatus::as_str),
            after,
            limit
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows)
    }

    /// Number of open questions.
    pub async fn count_pending_approvals(&mut self) -> Result<u64> {
        let count = sqlx::query_scalar!(
            r#"select count(*) as "count!" from approvals
               where workspace_id = $1 and status = 'pending'"#,
            self.workspace_id().uuid()
        )
        .fetch_one(self.connection())
        .await?;
        Ok(count as u64)
    }

    /// Tools that people have let this conversation use by the agent's policy.
    pub async fn list_approved_tools(&mut self, id: ConversationId) -> Result<Vec<UsedTool>> {
        let rows = sqlx::query!(
            "select distinct server_id, tool, definition_hash from approvals
             where workspace_id = $1 and conversation_id = $2 and status = 'approved'
               and reason <> 'unknown_outcome'",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| UsedTool {
                server_id: row.server_id.map(Into::into),
                tool: row.tool,
                definition_hash: row.definition_hash,
            })
            .collect())
    }

    /// Locks a question's run, so that the question and the run's waiting change one at a time.
    pub async fn lock_run(&mut self, id: RunId) -> Result<()> {
        sqlx::query!(
            "select id from runs where workspace_id = $1 and id = $2 for update",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(())
    }

    /// Decides an open question; `false` if it is open no more.
    pub async fn decide_approval(&mut self, decided: Decided<'_>) -> Result<bool> {
        let done = sqlx::query!(
            "update approvals set status = $3, decided_at = $4, decided_by = $5,
               decision_reason = $6, arguments = $7
             where workspace_id = $1 and id = $2 and status = 'pending'",
            self.workspace_id().uuid(),
            decided.id.uuid(),
            decided.status.as_str(),
            decided.now.date_time(),
            decided.by.map(UserId::uuid),
            decided.reason,
            Json(decided.arguments) as _
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Gives a run whose questions are all decided back to the queue.
    pub async fn requeue_if_decided(&mut self, id: RunId) -> Result<bool> {
        let done = sqlx::query!(
            "update runs set status = 'queued'
             where workspace_id = $1 and id = $2 and status = 'waiting'
               and not exists (select from approvals a
                 where a.workspace_id = $1 and a.run_id = $2 and a.status = 'pending')",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }
}

impl UsedTool {
    /// Whether it is the same tool, however it is defined.
    pub fn is_same_tool(&self, other: &Self) -> bool {
        self.server_id == other.server_id && self.tool == other.tool
    }
}

impl ApprovalRow {
    fn into_approval(self) -> Result<Approval> {
        Ok(Approval {
            id: self.id.into(),
            call_id: self.call_id.into(),
            run_id: self.run_id.into(),
            conversation_id: self.conversation_id.into(),
            conversation_title: self.title,
            agent_id: self.agent_id.into(),
            agent_name: self.agent_name,
            server: self.server,
            tool: self.tool,
            arguments: self.arguments.0,
            reason: self.reason.parse().map_err(unreadable)?,
            status: self.status.parse().map_err(unreadable)?,
            created_at: self.created_at.into(),
            expires_at: self.expires_at.into(),
            decided_at: self.decided_at.map(Into::into),
            decided_by: self.decided_by.map(Into::into),
            decision_reason: self.decision_reason,
        })
    }
}
