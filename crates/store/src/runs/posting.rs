//! Writing a message and the run that answers it.

use domain::agents::AgentConfig;
use domain::conversations::MessageRole;
use domain::{AgentId, ConversationId, MessageId, RunId, Timestamp, UserId};
use sqlx::types::Json;
use uuid::Uuid;

use super::NewStep;
use crate::Result;
use crate::database::TenantTx;
use crate::events::{EventColumns, LoggedEvent, NewEvent};

/// What is known of a conversation when a message arrives; the conversation is locked.
#[derive(Clone, Debug)]
pub struct PostingContext {
    /// The conversation's title.
    pub title: String,
    /// Events in the log so far.
    pub last_seq: u64,
    /// The agent that answers.
    pub agent_id: AgentId,
    /// Its current version.
    pub agent_version: u32,
    /// What that version says.
    pub config: AgentConfig,
    /// Last change of the agent's model connection; `None` if it was deleted.
    pub connection_updated_at: Option<Timestamp>,
    /// Whether the agent is deleted.
    pub is_archived: bool,
    /// Whether a run is queued, running or waiting here.
    pub has_active_run: bool,
    /// Runs of the workspace that run now.
    pub running_in_workspace: u64,
}

/// A message of before, as the model shall see it.
#[derive(Clone, Debug)]
pub struct PriorMessage {
    /// Who wrote it.
    pub role: MessageRole,
    /// Its text.
    pub text: String,
}

/// A message with its run, to be written.
#[derive(Clone, Debug)]
pub struct NewRun<'a> {
    /// The run.
    pub id: RunId,
    /// The conversation.
    pub conversation_id: ConversationId,
    /// Who asks.
    pub author_id: UserId,
    /// The agent.
    pub agent_id: AgentId,
    /// Its version.
    pub agent_version: u32,
    /// The user's message.
    pub message_id: MessageId,
    /// The message that the answer will be.
    pub answer_id: MessageId,
    /// The user's text.
    pub text: &'a str,
    /// New title of the conversation.
    pub title: &'a str,
    /// Key of a request that may be repeated.
    pub idempotency_key: Option<&'a str>,
    /// The worker that begins at once; `None` leaves the run to the queue.
    pub started_by: Option<(Uuid, NewStep<'a>)>,
    /// Now.
    pub now: Timestamp,
}

impl TenantTx {
    /// Locks a conversation and reads what posting needs.
    pub async fn lock_for_posting(&mut self, id: ConversationId) -> Result<Option<PostingContext>> {
        let row = sqlx::query!(
            r#"select c.title, c.last_seq, c.agent_id, a.version, a.archived_at,
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
                 on v.workspace_id = a.workspace_id and v.agent_id = a.id and v.version = a.version
               left join model_connections m on m.workspace_id = c.workspace_id
                 and m.id = (v.config->'model'->>'connection_id')::uuid
               where c.workspace_id = $1 and c.id = $2
               for update of c"#,
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| PostingContext {
            title: row.title,
            last_seq: row.last_seq as u64,
            agent_id: row.agent_id.into(),
            agent_version: row.version as u32,
            config: row.config.0,
            connection_updated_at: row.connection_updated_at.map(Into::into),
            is_archived: row.archived_at.is_some(),
            has_active_run: row.has_active_run,
            running_in_workspace: row.running as u64,
        }))
    }

    /// The message and run that a request with this key made before.
    pub async fn find_posted(
        &mut self,
        conversation_id: ConversationId,
        idempotency_key: &str,
    ) -> Result<Option<(MessageId, RunId)>> {
        let row = sqlx::query!(
            "select id, message_id from runs
             where workspace_id = $1 and conversation_id = $2 and idempotency_key = $3",
            self.workspace_id().uuid(),
            conversation_id.uuid(),
            idempotency_key
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| (row.message_id.into(), row.id.into())))
    }

    /// The last `limit` messages with text, oldest first, up to message `last`.
    pub async fn list_prior_messages(
        &mut self,
        conversation_id: ConversationId,
        last: impl Into<Option<MessageId>>,
        limit: u32,
    ) -> Result<Vec<PriorMessage>> {
        let rows = sqlx::query!(
            "select role, text from messages
             where workspace_id = $1 and conversation_id = $2 and text <> ''
               and ($3::uuid is null or position <= (
                 select position from messages where workspace_id = $1 and id = $3))
             order by position desc limit $4",
            self.workspace_id().uuid(),
            conversation_id.uuid(),
            last.into().map(MessageId::uuid),
            i64::from(limit)
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows
            .into_iter()
            .rev()
            .map(|row| PriorMessage {
                role: parse_message_role(&row.role),
                text: row.text,
            })
            .collect())
    }

    /// Writes a message, its run and their events in one statement.
    ///
    /// `events` begin with the user's `message_created`; if the run starts at once, the last is
    /// the answer's. The conversation must be locked by [`TenantTx::lock_for_posting`].
    ///
    /// # Errors
    /// `Constraint("runs_idempotency_key")` if the key was used meanwhile.
    pub async fn create_run(
        &mut self,
        run: &NewRun<'_>,
        last_seq: u64,
        events: &[NewEvent],
    ) -> Result<Vec<LoggedEvent>> {
        let columns = EventColumns::new(events);
        let first_seq = last_seq as i64 + 1;
        let last_seq = last_seq as i64 + events.len() as i64;
        let worker = run.started_by.as_ref().map(|(worker, _)| *worker);
        let step = run.started_by.as_ref().map(|(_, step)| step);
        sqlx::query!(
            "with log as (
               update conversations set last_seq = $1, title = $2, updated_at = $3
               where workspace_id = $4 and id = $5
             ), run as (
               insert into runs
                 (id, workspace_id, conversation_id, agent_id, agent_version, author_id, message_id,
                  answer_id, idempotency_key, status, attempt, fence, lease_owner, lease_expires_at,
                  created_at, started_at)
               select $6, $4, $5, $7, $8, $9, $10, $11, $12,
                 case when $13::uuid is null then 'queued' else 'running' end, 1,
                 case when $13::uuid is null then 0 else 1 end, $13,
                 case when $13::uuid is null then null else now() + make_interval(secs => 10) end,
                 $3, case when $13::uuid is null then null else $3::timestamptz end
             ), question as (
               insert into messages
                 (id, workspace_id, conversation_id, run_id, role, text, position, created_at)
               select $10, $4, $5, $6, 'user', $14, $15, $3
             ), answer as (
               insert into messages
                 (id, workspace_id, conversation_id, run_id, role, text, position, created_at)
               select $11, $4, $5, $6, 'assistant', '', $1, $3 where $13::uuid is not null
             ), step as (
               insert into run_steps
                 (id, workspace_id, run_id, number, kind, attempt, status, target, started_at)
               select $16, $4, $6, 1, 'model_call', 1, 'started', $17, $3 where $13::uuid is not null
             )
             insert into events (workspace_id, conversation_id, seq, id, run_id, type, time, data)
             select $4, $5, $15 - 1 + new.number, new.id, $6, new.type, $3, new.data::json
             from unnest($18::uuid[], $19::text[], $20::text[])
               with ordinality as new (id, type, data, number)",
            last_seq,
            run.title,
            run.now.date_time(),
            self.workspace_id().uuid(),
            run.conversation_id.uuid(),
            run.id.uuid(),
            run.agent_id.uuid(),
            run.agent_version as i32,
            run.author_id.uuid(),
            run.message_id.uuid(),
            run.answer_id.uuid(),
            run.idempotency_key,
            worker,
            run.text,
            first_seq,
            step.map(|step| step.id.uuid()),
            step.map(|step| step.target),
            &columns.ids,
            &columns.kinds,
            &columns.data
        )
        .execute(self.connection())
        .await?;
        Ok(columns.into_logged(last_seq, run.conversation_id, run.id, run.now))
    }
}

pub(crate) fn parse_message_role(role: &str) -> MessageRole {
    match role {
        "assistant" => MessageRole::Assistant,
        _ => MessageRole::User,
    }
}
