//! Writing a message and the run that answers it.

use domain::agents::AgentConfig;
use domain::conversations::MessageRole;
use domain::{
    AgentId, AuditId, ConnectionId, ConversationId, MessageId, RunId, Timestamp, WorkspaceId,
};
use sqlx::PgConnection;
use sqlx::types::Json;
use uuid::Uuid;

use super::NewStep;
use crate::audit::Author;
use crate::database::TenantTx;
use crate::events::{EventColumns, LoggedEvent, NewEvent};
use crate::{Result, Store};

/// What is known of a conversation when a message arrives; the conversation is locked.
#[derive(Clone, Debug)]
pub struct PostingContext {
    /// Events in the log so far.
    pub last_seq: u64,
    /// Last run of the branch that is shown.
    pub head: Option<RunId>,
    /// The agent that answers.
    pub agent: AnsweringAgent,
    /// Whether the agent is deleted.
    pub is_archived: bool,
    /// Whether a run is queued, running or waiting here.
    pub has_active_run: bool,
    /// Runs of the workspace that run now.
    pub running_in_workspace: u64,
}

/// How far below a workspace's limit runs start without waiting for others that start now, which
/// nobody counts yet. It is as many as two processes can be writing at one moment.
const UNCOUNTED: u32 = 32;

impl PostingContext {
    /// Whether one more run of the workspace may start at once; close to its limit only the queue
    /// starts runs, one after another.
    pub fn has_room(&self, runs_per_workspace: u32) -> bool {
        self.running_in_workspace + u64::from(UNCOUNTED) <= u64::from(runs_per_workspace)
    }
}

/// An agent as it is when a run begins.
#[derive(Clone, Debug)]
pub struct AnsweringAgent {
    /// The agent.
    pub id: AgentId,
    /// Its version.
    pub version: u32,
    /// What that version says.
    pub config: AgentConfig,
    /// Whether the conversation tries drafts out.
    pub may_be_draft: bool,
    /// Last change of its model connection; `None` if that was deleted, or not looked up.
    pub connection_updated_at: Option<Timestamp>,
}

/// What a request made when it came first.
#[derive(Clone, Debug)]
pub struct Posted {
    /// The message that is answered.
    pub message_id: MessageId,
    /// The run.
    pub run_id: RunId,
    /// The message's text.
    pub text: String,
}

/// A message with its run, to be written.
#[derive(Clone, Debug)]
pub struct NewRun<'a> {
    /// The run.
    pub id: RunId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// The run before it on its branch.
    pub parent_id: Option<RunId>,
    /// Who asks.
    pub author: &'a Author,
    /// Id of the line in the audit log.
    pub audit_id: AuditId,
    /// The agent.
    pub agent_id: AgentId,
    /// Its version.
    pub agent_version: u32,
    /// The user's message.
    pub message_id: MessageId,
    /// The message that the answer will be.
    pub answer_id: MessageId,
    /// The user's text; `None` if the message is there already.
    pub text: Option<&'a str>,
    /// Title of the conversation if it has none yet.
    pub title: &'a str,
    /// Key of a request that may be repeated.
    pub idempotency_key: Option<&'a str>,
    /// The worker that begins at once; `None` leaves the run to the queue.
    pub started_by: Option<(Uuid, NewStep<'a>)>,
    /// Now.
    pub now: Timestamp,
}

/// What must still be so for [`Store::create_run_if_unchanged`], besides the length of the log and
/// the agent's version.
#[derive(Clone, Copy, Debug)]
pub struct Unchanged {
    /// The agent's model connection.
    pub connection_id: ConnectionId,
    /// Its last change.
    pub connection_updated_at: Timestamp,
    /// Runs that the workspace may have at once.
    pub runs_per_workspace: u32,
}

impl TenantTx {
    /// Locks a conversation and reads what posting needs.
    pub async fn lock_for_posting(&mut self, id: ConversationId) -> Result<Option<PostingContext>> {
        // A statement of its own: one that waits for a lock reads only the locked row anew, and
        // everything else as it was before.
        sqlx::query!(
            "select from conversations where workspace_id = $1 and id = $2 for update",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .execute(self.connection())
        .await?;
        let row = sqlx::query!(
            r#"select c.last_seq, c.head_run_id, c.agent_id, v.version, a.archived_at, c.uses_draft,
                 v.config as "config: Json<AgentConfig>", m.updated_at as "connection_updated_at?",
                 exists (
                   select from runs r
                   where r.workspace_id = c.workspace_id and r.conversation_id = c.id
                     and r.status in ('queued', 'running', 'waiting')
                 ) as "has_active_run!",
                 (select count(*) from runs r
                  where r.workspace_id = c.workspace_id and r.status = 'running') as "running!"
               from conversations c
               join agents a on a.workspace_id = c.workspace_id and a.id = c.agent_id
               join agent_versions v
                 on v.workspace_id = a.workspace_id and v.agent_id = a.id
                 and v.version = case when c.uses_draft
                   then coalesce(a.draft_version, a.version) else a.version end
               left join model_connections m on m.workspace_id = c.workspace_id
                 and m.id = (v.config->'model'->>'connection_id')::uuid
               where c.workspace_id = $1 and c.id = $2"#,
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| PostingContext {
            last_seq: row.last_seq as u64,
            head: row.head_run_id.map(Into::into),
            agent: AnsweringAgent {
                id: row.agent_id.into(),
                version: row.version as u32,
                config: row.config.0,
                may_be_draft: row.uses_draft,
                connection_updated_at: row.connection_updated_at.map(Into::into),
            },
            is_archived: row.archived_at.is_some(),
            has_active_run: row.has_active_run,
            running_in_workspace: row.running as u64,
        }))
    }

    /// The message and run that a request with this key made since `since`. Of one that is older
    /// the key is free again.
    pub async fn find_posted(
        &mut self,
        conversation_id: ConversationId,
        idempotency_key: &str,
        since: Timestamp,
    ) -> Result<Option<Posted>> {
        sqlx::query!(
            "update runs set idempotency_key = null
             where workspace_id = $1 and conversation_id = $2 and idempotency_key = $3
               and created_at < $4",
            self.workspace_id().uuid(),
            conversation_id.uuid(),
            idempotency_key,
            since.date_time()
        )
        .execute(self.connection())
        .await?;
        let row = sqlx::query!(
            "select r.id, r.message_id, m.text from runs r
             join messages m on m.workspace_id = r.workspace_id and m.id = r.message_id
             where r.workspace_id = $1 and r.conversation_id = $2 and r.idempotency_key = $3",
            self.workspace_id().uuid(),
            conversation_id.uuid(),
            idempotency_key
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| Posted {
            message_id: row.message_id.into(),
            run_id: row.id.into(),
            text: row.text,
        }))
    }

    /// Writes a message, its run and their events.
    ///
    /// `events` begin with the user's `message_created` if that is new; if the run starts at once,
    /// the last is the answer's. The conversation must be locked by [`TenantTx::lock_for_posting`].
    ///
    /// # Errors
    /// `Constraint("runs_idempotency_key")` if the key was used meanwhile.
    pub async fn create_run(
        &mut self,
        run: &NewRun<'_>,
        last_seq: u64,
        events: &[NewEvent],
    ) -> Result<Vec<LoggedEvent>> {
        let workspace_id = self.workspace_id();
        let place = Place {
            workspace_id,
            last_seq,
            unchanged: None,
        };
        let logged = create_run(self.connection(), place, run, events).await?;
        Ok(logged.ok_or_else(|| anyhow::anyhow!("the conversation was not locked"))?)
    }
}

impl Store {
    /// Writes a message, its run and their events in one round trip, if nothing has changed since
    /// they were `known` and it is the run's turn; `None`, having written nothing, otherwise.
    ///
    /// # Errors
    /// `Constraint("runs_idempotency_key")` if the key was used before.
    pub async fn create_run_if_unchanged(
        &self,
        workspace_id: WorkspaceId,
        known: Unchanged,
        run: &NewRun<'_>,
        last_seq: u64,
        events: &[NewEvent],
    ) -> Result<Option<Vec<LoggedEvent>>> {
        let place = Place {
            workspace_id,
            last_seq,
            unchanged: Some(known),
        };
        // The function takes on the tenant's role and workspace for its own transaction.
        let mut db = self.at_hand().await?;
        let logged = create_run(&mut db, place, run, events).await?;
        self.keep_at_hand(db);
        self.note_write(workspace_id);
        Ok(logged)
    }
}

struct Place {
    workspace_id: WorkspaceId,
    last_seq: u64,
    unchanged: Option<Unchanged>,
}

async fn create_run(
    db: &mut PgConnection,
    place: Place,
    run: &NewRun<'_>,
    events: &[NewEvent],
) -> Result<Option<Vec<LoggedEvent>>> {
    let columns = EventColumns::new(events);
    let last_seq = place.last_seq as i64;
    let worker = run.started_by.as_ref().map(|(worker, _)| *worker);
    let step = run.started_by.as_ref().map(|(_, step)| step);
    let known = place.unchanged;
    let is_written = sqlx::query_scalar!(
        r#"select create_run($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16,
             $17, $18, $19, $20, $21, $22, $23, $24, $25, $26, $27, $28) as "is_written!""#,
        place.workspace_id.uuid(),
        run.conversation_id.uuid(),
        last_seq,
        run.title,
        run.id.uuid(),
        run.parent_id.map(RunId::uuid),
        run.agent_id.uuid(),
        run.agent_version as i32,
        run.author.user_id.uuid(),
        run.message_id.uuid(),
        run.answer_id.uuid(),
        run.idempotency_key,
        run.text,
        worker,
        step.map(|step| step.id.uuid()),
        step.map(|step| step.target),
        run.now.date_time(),
        &columns.ids,
        &columns.kinds,
        &columns.data,
        known.is_some(),
        known.map(|known| known.connection_id.uuid()),
        known.map(|known| known.connection_updated_at.date_time()),
        known.map(|known| i64::from(known.runs_per_workspace)),
        i64::from(UNCOUNTED),
        run.audit_id.uuid(),
        run.author.via.as_str(),
        run.author.request_id,
    )
    .fetch_one(db)
    .await?;
    let last_seq = last_seq + events.len() as i64;
    Ok(is_written.then(|| columns.into_logged(last_seq, run.conversation_id, run.id, run.now)))
}

pub(crate) fn parse_message_role(role: &str) -> MessageRole {
    match role {
        "assistant" => MessageRole::Assistant,
        _ => MessageRole::User,
    }
}
