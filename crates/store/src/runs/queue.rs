//! The queue of record: leases with a fence.
//!
//! A worker holds a run while its lease lasts and its fence is the run's. Whoever takes a run over
//! raises the fence, so that nothing the old worker still writes is accepted. Times of leases are
//! the database's clock.

use domain::{AgentId, ConversationId, MessageId, RunId, UserId, WorkspaceId};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::database::TenantTx;
use crate::{Error, Result};

/// Proof of holding a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The run.
    pub run_id: RunId,
    /// Its workspace.
    pub workspace_id: WorkspaceId,
    /// Its conversation.
    pub conversation_id: ConversationId,
    /// Number that must match the run's for every write.
    pub fence: i64,
}

impl TenantTx {
    /// Locks the run that a lease holds, so that what others do with it comes before or after.
    ///
    /// # Errors
    /// `LeaseLost`; nothing is locked then.
    pub(super) async fn hold(&mut self, lease: &Lease) -> Result<()> {
        let held = sqlx::query_scalar!(
            "select fence from runs
             where workspace_id = $1 and id = $2 and fence = $3 and status = 'running' for update",
            self.workspace_id().uuid(),
            lease.run_id.uuid(),
            lease.fence
        )
        .fetch_optional(self.connection())
        .await?;
        held.map(|_| ()).ok_or(Error::LeaseLost)
    }
}

/// A run taken from the queue or from a dead worker.
#[derive(Clone, Copy, Debug)]
pub struct ClaimedRun {
    /// Proof of holding it.
    pub lease: Lease,
    /// The agent.
    pub agent_id: AgentId,
    /// Its version.
    pub agent_version: u32,
    /// Who asked.
    pub author_id: UserId,
    /// The user's message.
    pub message_id: MessageId,
    /// The message that the answer is.
    pub answer_id: MessageId,
    /// From 1; raised whenever it is taken over from a worker that died.
    pub attempt: u32,
    /// Whether its worker died, and it is not from the queue.
    pub is_orphan: bool,
    /// Whether somebody asked it to stop.
    pub is_cancel_requested: bool,
}

/// A run that this worker still holds.
#[derive(Clone, Copy, Debug)]
pub struct HeldRun {
    /// The run.
    pub run_id: RunId,
    /// Whether somebody asked it to stop.
    pub is_cancel_requested: bool,
}

struct ClaimedRow {
    id: Uuid,
    workspace_id: Uuid,
    conversation_id: Uuid,
    agent_id: Uuid,
    agent_version: i32,
    author_id: Uuid,
    message_id: Uuid,
    answer_id: Uuid,
    attempt: i32,
    fence: i64,
    cancel_requested_at: Option<OffsetDateTime>,
}

/// Seconds that a lease lasts without renewal.
pub(super) const LEASE_SECONDS: f64 = 10.0;

/// Takes up to `limit` queued runs whose turn it is, oldest first.
///
/// A run's turn comes when the run before it on its branch has ended, no other run of its
/// conversation is before it, and its workspace has fewer than `per_workspace` running, however many
/// workers look at one moment. One that shall be ended needs no such room. [`take_up`] must follow.
pub async fn claim_queued(
    db: &mut PgConnection,
    limit: u32,
    per_workspace: u32,
) -> Result<Vec<ClaimedRun>> {
    let rows = sqlx::query_as!(
        ClaimedRow,
        r#"select id as "id!", workspace_id as "workspace_id!",
             conversation_id as "conversation_id!", agent_id as "agent_id!",
             agent_version as "agent_version!", author_id as "author_id!",
             message_id as "message_id!", answer_id as "answer_id!", attempt as "attempt!",
             fence as "fence!", cancel_requested_at
           from claim_queued_runs($1, $2, $3, $4)"#,
        None::<Uuid>,
        LEASE_SECONDS,
        i64::from(limit),
        i64::from(per_workspace)
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| row.into_claimed(false))
        .collect())
}

/// Whether any run waits in the queue.
pub async fn has_queued(db: &mut PgConnection) -> Result<bool> {
    let has_queued = sqlx::query_scalar!(
        r#"select exists (select from runs where status = 'queued') as "has_queued!""#
    )
    .fetch_one(db)
    .await?;
    Ok(has_queued)
}

/// Takes up to `limit` running runs whose lease has run out, but none of `spared`. [`take_up`] must
/// follow.
pub async fn claim_orphaned(
    db: &mut PgConnection,
    limit: u32,
    spared: &[RunId],
) -> Result<Vec<ClaimedRun>> {
    let spared: Vec<Uuid> = spared.iter().map(|id| id.uuid()).collect();
    let rows = sqlx::query_as!(
        ClaimedRow,
        "with orphaned as (
           select workspace_id, id from runs
           where status = 'running' and lease_expires_at < now() and id <> all($3)
           order by lease_expires_at limit $2
           for update skip locked
         )
         update runs set fence = fence + 1, lease_owner = null,
           attempt = attempt + case when lease_owner is null then 0 else 1 end,
           lease_expires_at = now() + make_interval(secs => $1)
         from orphaned where runs.workspace_id = orphaned.workspace_id and runs.id = orphaned.id
         returning runs.id, runs.workspace_id, conversation_id, agent_id, agent_version, author_id,
           message_id, answer_id, attempt, fence, cancel_requested_at",
        LEASE_SECONDS,
        i64::from(limit),
        &spared
    )
    .fetch_all(db)
    .await?;
    Ok(rows.into_iter().map(|row| row.into_claimed(true)).collect())
}

/// Notes that a worker has heard of its claims. One that comes too late is nobody's when its lease
/// runs out, and counts as no attempt.
pub async fn take_up(db: &mut PgConnection, worker: Uuid, claimed: &[ClaimedRun]) -> Result<()> {
    let leases = claimed.iter().map(|run| run.lease);
    let (ids, fences): (Vec<Uuid>, Vec<i64>) = leases
        .map(|lease| (lease.run_id.uuid(), lease.fence))
        .unzip();
    sqlx::query!(
        "update runs set lease_owner = $1
         from unnest($2::uuid[], $3::bigint[]) as held (id, fence)
         where runs.id = held.id and runs.fence = held.fence and runs.status = 'running'",
        worker,
        &ids,
        &fences
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Renews leases; a run that is missing from the answer is no longer this worker's.
pub async fn renew(db: &mut PgConnection, leases: &[Lease]) -> Result<Vec<HeldRun>> {
    let ids: Vec<Uuid> = leases.iter().map(|lease| lease.run_id.uuid()).collect();
    let fences: Vec<i64> = leases.iter().map(|lease| lease.fence).collect();
    let rows = sqlx::query!(
        "update runs set lease_expires_at = now() + make_interval(secs => $3)
         from unnest($1::uuid[], $2::bigint[]) as held (id, fence)
         where runs.id = held.id and runs.fence = held.fence and runs.status = 'running'
         returning runs.id, cancel_requested_at",
        &ids,
        &fences,
        LEASE_SECONDS
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| HeldRun {
            run_id: row.id.into(),
            is_cancel_requested: row.cancel_requested_at.is_some(),
        })
        .collect())
}

/// Ends every lease at once. Only for a worker that knows to be the only one.
pub async fn expire_all_leases(db: &mut PgConnection) -> Result<u64> {
    let done = sqlx::query!(
        "update runs set lease_expires_at = now() - interval '1 second' where status = 'running'"
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected())
}

/// Gives leases up, so that others need not wait for them to run out. Who takes such a run over goes
/// on with the same attempt: nothing has gone wrong.
pub async fn release(db: &mut PgConnection, worker: Uuid) -> Result<()> {
    sqlx::query!(
        "update runs set lease_owner = null, lease_expires_at = now() - interval '1 second'
         where lease_owner = $1 and status = 'running'",
        worker
    )
    .execute(db)
    .await?;
    Ok(())
}

impl ClaimedRow {
    fn into_claimed(self, is_orphan: bool) -> ClaimedRun {
        ClaimedRun {
            lease: Lease {
                run_id: self.id.into(),
                workspace_id: self.workspace_id.into(),
                conversation_id: self.conversation_id.into(),
                fence: self.fence,
            },
            agent_id: self.agent_id.into(),
            agent_version: self.agent_version as u32,
            author_id: self.author_id.into(),
            message_id: self.message_id.into(),
            answer_id: self.answer_id.into(),
            attempt: self.attempt as u32,
            is_orphan,
            is_cancel_requested: self.cancel_requested_at.is_some(),
        }
    }
}
