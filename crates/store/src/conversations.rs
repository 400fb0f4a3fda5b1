//! Conversations and their messages.

use domain::conversations::{Conversation, Message, MessageRole};
use domain::runs::RunError;
use domain::{ConversationId, Cursor, Page, Paged, RunId, Timestamp};
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::database::TenantTx;
use crate::runs::unreadable;
use crate::{Error, Result};

/// A conversation with what its page needs besides.
#[derive(Clone, Debug)]
pub struct ConversationState {
    /// The conversation.
    pub conversation: Conversation,
    /// Whether its agent is deleted.
    pub is_archived: bool,
    /// Events in its log.
    pub last_seq: u64,
    /// Oldest run that is queued, running or waiting.
    pub active_run: Option<RunId>,
}

struct ConversationRow {
    id: Uuid,
    agent_id: Uuid,
    agent_name: String,
    title: String,
    run_status: Option<String>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

struct MessageRow {
    id: Uuid,
    role: String,
    text: String,
    reasoning: String,
    run_id: Uuid,
    finish_reason: Option<String>,
    error: Option<Json<RunError>>,
    position: i64,
    created_at: OffsetDateTime,
}

impl TenantTx {
    /// Conversations, last touched first.
    pub async fn list_conversations(&mut self, page: &Page) -> Result<Paged<Conversation>> {
        let (before, before_id) = match &page.after {
            Some(cursor) => {
                let (time, id) = parse_recency(cursor)?;
                (Some(time), Some(id))
            }
            None => (None, None),
        };
        let rows = sqlx::query_as!(
            ConversationRow,
            r#"select c.id, c.agent_id, v.config->>'name' as "agent_name!", c.title,
                 (select r.status from runs r
                  where r.workspace_id = c.workspace_id and r.conversation_id = c.id
                  order by r.id desc limit 1) as run_status,
                 c.created_at, c.updated_at
               from conversations c
               join agents a on a.workspace_id = c.workspace_id and a.id = c.agent_id
               join agent_versions v on v.workspace_id = a.workspace_id and v.agent_id = a.id
                 and v.version = a.version
               where c.workspace_id = $4
                 and ($1::timestamptz is null or (c.updated_at, c.id) < ($1, $2))
               order by c.updated_at desc, c.id desc limit $3"#,
            before,
            before_id,
            i64::from(page.limit) + 1,
            self.workspace_id().uuid()
        )
        .fetch_all(self.connection())
        .await?;
        let conversations = rows
            .into_iter()
            .map(ConversationRow::into_conversation)
            .collect::<Result<Vec<_>>>()?;
        Ok(Paged::cut(conversations, page.limit, recency))
    }

    /// One conversation.
    pub async fn find_conversation(
        &mut self,
        id: ConversationId,
    ) -> Result<Option<ConversationState>> {
        let row = sqlx::query!(
            r#"select c.agent_id, v.config->>'name' as "agent_name!", c.title, c.last_seq,
                 c.created_at, c.updated_at, a.archived_at,
                 (select r.status from runs r
                  where r.workspace_id = c.workspace_id and r.conversation_id = c.id
                  order by r.id desc limit 1) as run_status,
                 (select r.id from runs r
                  where r.workspace_id = c.workspace_id and r.conversation_id = c.id
                    and r.status in ('queued', 'running', 'waiting')
                  order by r.id limit 1) as active_run
               from conversations c
               join agents a on a.workspace_id = c.workspace_id and a.id = c.agent_id
               join agent_versions v on v.workspace_id = a.workspace_id and v.agent_id = a.id
                 and v.version = a.version
               where c.workspace_id = $2 and c.id = $1"#,
            id.uuid(),
            self.workspace_id().uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        let Some(row) = row else { return Ok(None) };
        let conversation = ConversationRow {
            id: id.uuid(),
            agent_id: row.agent_id,
            agent_name: row.agent_name,
            title: row.title,
            run_status: row.run_status,
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        Ok(Some(ConversationState {
            conversation: conversation.into_conversation()?,
            is_archived: row.archived_at.is_some(),
            last_seq: row.last_seq as u64,
            active_run: row.active_run.map(Into::into),
        }))
    }

    /// Writes a conversation.
    pub async fn create_conversation(&mut self, conversation: &Conversation) -> Result<()> {
        sqlx::query!(
            "insert into conversations (id, workspace_id, agent_id, title, created_at, updated_at)
             values ($1, $2, $3, $4, $5, $5)",
            conversation.id.uuid(),
            self.workspace_id().uuid(),
            conversation.agent_id.uuid(),
            conversation.title,
            conversation.created_at.date_time()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Changes a title; tells whether the conversation exists.
    pub async fn rename_conversation(
        &mut self,
        id: ConversationId,
        title: &str,
        now: Timestamp,
    ) -> Result<bool> {
        let done = sqlx::query!(
            "update conversations set title = $2, updated_at = $3
             where workspace_id = $4 and id = $1",
            id.uuid(),
            title,
            now.date_time(),
            self.workspace_id().uuid()
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Deletes a conversation with all it holds; tells whether it was there.
    pub async fn delete_conversation(&mut self, id: ConversationId) -> Result<bool> {
        // Locks the conversation first, so that nothing is added to it meanwhile.
        let found = sqlx::query_scalar!(
            r#"select 1 as "found!" from conversations where workspace_id = $1 and id = $2 for update"#,
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        if found.is_none() {
            return Ok(false);
        }
        sqlx::query!(
            "delete from run_steps where workspace_id = $1 and run_id in (
               select id from runs where workspace_id = $1 and conversation_id = $2)",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .execute(self.connection())
        .await?;
        sqlx::query!(
            "with gone_events as (
               delete from events where workspace_id = $1 and conversation_id = $2
             ), gone_messages as (
               delete from messages where workspace_id = $1 and conversation_id = $2
             ), gone_calls as (
               delete from tool_calls where workspace_id = $1 and conversation_id = $2
             ), gone_approvals as (
               delete from approvals where workspace_id = $1 and conversation_id = $2
             ), gone_runs as (
               delete from runs where workspace_id = $1 and conversation_id = $2
             )
             delete from conversations where workspace_id = $1 and id = $2",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .execute(self.connection())
        .await?;
        Ok(true)
    }

    /// Messages, newest first. The text of an answer in progress is empty.
    pub async fn list_messages(
        &mut self,
        id: ConversationId,
        page: &Page,
    ) -> Result<Paged<Message>> {
        let before = page
            .after
            .as_ref()
            .map(|cursor| cursor.0.parse::<i64>().map_err(|_| Error::UnknownCursor))
            .transpose()?;
        self.list_messages_before(id, before, i64::from(page.limit))
            .await
    }

    /// At most `limit` messages before a position, newest first.
    pub async fn list_messages_before(
        &mut self,
        id: ConversationId,
        before: Option<i64>,
        limit: i64,
    ) -> Result<Paged<Message>> {
        let mut rows = sqlx::query_as!(
            MessageRow,
            r#"select m.id, m.role, m.text, m.reasoning, m.run_id, m.finish_reason,
                 r.error as "error: Json<RunError>", m.position, m.created_at
               from messages m
               join runs r on r.workspace_id = m.workspace_id and r.id = m.run_id
               where m.workspace_id = $4 and m.conversation_id = $1 and ($2::bigint is null or m.position < $2)
               order by m.position desc limit $3"#,
            id.uuid(),
            before,
            limit + 1,
            self.workspace_id().uuid()
        )
        .fetch_all(self.connection())
        .await?;
        let has_more = rows.len() as i64 > limit;
        rows.truncate(limit as usize);
        let next = has_more
            .then(|| rows.last().map(|row| Cursor(row.position.to_string())))
            .flatten();
        let items = rows
            .into_iter()
            .map(MessageRow::into_message)
            .collect::<Result<Vec<_>>>()?;
        Ok(Paged { items, next })
    }

    /// Data of the `text_delta` and `text_truncated` events of a run, in order.
    pub async fn list_text_events(
        &mut self,
        conversation_id: ConversationId,
        run_id: RunId,
    ) -> Result<Vec<crate::events::LoggedEvent>> {
        let rows = sqlx::query!(
            r#"select seq, id, type as kind, time, data::text as "data!" from events
               where workspace_id = $1 and conversation_id = $2 and run_id = $3
                 and type in ('text_delta', 'text_truncated')
               order by seq"#,
            self.workspace_id().uuid(),
            conversation_id.uuid(),
            run_id.uuid()
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows
            .into_iter()
            .map(|row| crate::events::LoggedEvent {
                seq: row.seq as u64,
                id: row.id.into(),
                kind: row.kind,
                time: row.time.into(),
                conversation_id,
                run_id,
                data: row.data,
            })
            .collect())
    }
}

impl ConversationRow {
    fn into_conversation(self) -> Result<Conversation> {
        let run_status = self
            .run_status
            .map(|status| status.parse().map_err(unreadable))
            .transpose()?;
        Ok(Conversation {
            id: self.id.into(),
            agent_id: self.agent_id.into(),
            agent_name: self.agent_name,
            title: self.title,
            run_status,
            created_at: self.created_at.into(),
            updated_at: self.updated_at.into(),
        })
    }
}

impl MessageRow {
    fn into_message(self) -> Result<Message> {
        let finish_reason = self
            .finish_reason
            .map(|reason| reason.parse().map_err(unreadable))
            .transpose()?;
        let role = crate::runs::parse_message_role(&self.role);
        let error = match role {
            MessageRole::Assistant => self.error.map(|error| error.0),
            MessageRole::User => None,
        };
        Ok(Message {
            id: self.id.into(),
            role,
            text: self.text,
            reasoning: self.reasoning,
            tool_calls: Vec::new(),
            run_id: self.run_id.into(),
            finish_reason,
            error,
            created_at: self.created_at.into(),
        })
    }
}

/// Cursor of the conversations list: when and which.
fn recency(conversation: &Conversation) -> Cursor {
    Cursor(format!(
        "{}_{}",
        conversation.updated_at.unix_millis(),
        conversation.id
    ))
}

fn parse_recency(cursor: &Cursor) -> Result<(OffsetDateTime, Uuid)> {
    let (millis, id) = cursor.0.split_once('_').ok_or(Error::UnknownCursor)?;
    let millis: i64 = millis.parse().map_err(|_| Error::UnknownCursor)?;
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000)
        .map_err(|_| Error::UnknownCursor)?;
    let id = id.parse().map_err(|_| Error::UnknownCursor)?;
    Ok((time, id))
}
