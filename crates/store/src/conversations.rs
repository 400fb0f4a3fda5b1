//! Conversations; their messages are in `messages`.

use domain::conversations::{Conversation, ConversationFilter, SearchHit};
use domain::runs::{RunStatus, StepStatus, Usage};
use domain::{ConversationId, Cursor, Page, Paged, RunId, Timestamp};
use time::OffsetDateTime;
use uuid::Uuid;

use crate::database::TenantTx;
use crate::excerpts::excerpt;
use crate::runs::unreadable;
use crate::words::words_query;
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
    /// Oldest run that is queued, running or waiting, and which of these.
    pub active_run: Option<(RunId, RunStatus)>,
    /// Whether another model than the agent's ever answered here.
    pub has_switched: bool,
}

struct ConversationRow {
    id: Uuid,
    agent_id: Uuid,
    agent_name: String,
    title: String,
    is_pinned: bool,
    uses_draft: bool,
    head_run_id: Option<Uuid>,
    run_status: Option<String>,
    created_at: OffsetDateTime,
    updated_at: OffsetDateTime,
}

/// What to change of a conversation; `None` leaves it.
#[derive(Clone, Copy, Debug, Default)]
pub struct ConversationChange<'a> {
    /// The title.
    pub title: Option<&'a str>,
    /// Whether it stands above the others.
    pub is_pinned: Option<bool>,
    /// Last run of the branch that is shown.
    pub head: Option<RunId>,
}

impl TenantTx {
    /// Conversations, pinned ones first, then those last touched.
    pub async fn list_conversations(
        &mut self,
        filter: &ConversationFilter,
        page: &Page,
    ) -> Result<Paged<Conversation>> {
        let after = page.after.as_ref().map(parse_place).transpose()?;
        let words = filter.query.as_deref().map(words_query);
        let rows = sqlx::query_as!(
            ConversationRow,
            r#"select c.id, c.agent_id, v.config->>'name' as "agent_name!", c.title, c.is_pinned,
                 c.uses_draft, c.head_run_id,
                 (select r.status from runs r
                  where r.workspace_id = c.workspace_id and r.conversation_id = c.id
                  order by r.id desc limit 1) as run_status,
                 c.created_at, c.updated_at
               from conversations c
               join agents a on a.workspace_id = c.workspace_id and a.id = c.agent_id
               join agent_versions v on v.workspace_id = a.workspace_id and v.agent_id = a.id
                 and v.version = a.version
               where c.workspace_id = $1
                 and ($2::bool is null or (c.is_pinned, c.updated_at, c.id) < ($2, $3, $4))
                 and ($5::text is null
                   or words_of(c.title) @@ to_tsquery('simple', $5)
                   or c.id in (
                     select w.conversation_id from message_words w
                     where w.workspace_id = $1 and w.words @@ to_tsquery('simple', $5)))
               order by c.is_pinned desc, c.updated_at desc, c.id desc limit $6"#,
            self.workspace_id().uuid(),
            after.map(|(is_pinned, _, _)| is_pinned),
            after.map(|(_, time, _)| time),
            after.map(|(_, _, id)| id),
            words,
            i64::from(page.limit) + 1
        )
        .fetch_all(self.connection())
        .await?;
        let conversations = rows
            .into_iter()
            .map(ConversationRow::into_conversation)
            .collect::<Result<Vec<_>>>()?;
        let mut page = Paged::cut(conversations, page.limit, place);
        if let Some(query) = filter.query.as_deref() {
            self.find_hits(&mut page.items, query).await?;
        }
        Ok(page)
    }

    /// Fills in where `query` was found.
    async fn find_hits(&mut self, conversations: &mut [Conversation], query: &str) -> Result<()> {
        let ids: Vec<Uuid> = conversations.iter().map(|it| it.id.uuid()).collect();
        let rows = sqlx::query!(
            "select hit.conversation_id, hit.message_id, m.text
             from (
               select distinct on (w.conversation_id) w.conversation_id, w.message_id
               from message_words w
               where w.workspace_id = $1 and w.conversation_id = any($2)
                 and w.words @@ to_tsquery('simple', $3)
               order by w.conversation_id, w.message_id desc
             ) hit
             join messages m on m.workspace_id = $1 and m.id = hit.message_id",
            self.workspace_id().uuid(),
            &ids,
            words_query(query)
        )
        .fetch_all(self.connection())
        .await?;
        for conversation in conversations {
            let id = conversation.id.uuid();
            let row = rows.iter().find(|row| row.conversation_id == id);
            conversation.hit = row.and_then(|row| {
                let excerpt = excerpt(&row.text, query)?;
                Some(SearchHit {
                    message_id: row.message_id.into(),
                    before: excerpt.before,
                    found: excerpt.found,
                    after: excerpt.after,
                })
            });
        }
        Ok(())
    }

    /// One conversation.
    pub async fn find_conversation(
        &mut self,
        id: ConversationId,
    ) -> Result<Option<ConversationState>> {
        let row = sqlx::query!(
            r#"select c.agent_id, v.config->>'name' as "agent_name!", c.title, c.is_pinned,
                 c.uses_draft, c.head_run_id, c.last_seq, c.created_at, c.updated_at, a.archived_at,
                 (select r.status from runs r
                  where r.workspace_id = c.workspace_id and r.conversation_id = c.id
                  order by r.id desc limit 1) as run_status,
                 active.id as "active_run?", active.status as "active_status?",
                 exists (
                   select from events e
                   where e.workspace_id = c.workspace_id and e.conversation_id = c.id
                     and e.type = 'model_switched'
                 ) as "has_switched!"
               from conversations c
               join agents a on a.workspace_id = c.workspace_id and a.id = c.agent_id
               join agent_versions v on v.workspace_id = a.workspace_id and v.agent_id = a.id
                 and v.version = a.version
               left join lateral (
                 select r.id, r.status from runs r
                 where r.workspace_id = c.workspace_id and r.conversation_id = c.id
                   and r.status in ('queued', 'running', 'waiting')
                 order by r.status = 'queued', r.id limit 1
               ) active on true
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
            is_pinned: row.is_pinned,
            uses_draft: row.uses_draft,
            head_run_id: row.head_run_id,
            run_status: row.run_status,
            created_at: row.created_at,
            updated_at: row.updated_at,
        };
        let active_run = match (row.active_run, row.active_status) {
            (Some(id), Some(status)) => Some((id.into(), status.parse().map_err(unreadable)?)),
            _ => None,
        };
        Ok(Some(ConversationState {
            conversation: conversation.into_conversation()?,
            is_archived: row.archived_at.is_some(),
            last_seq: row.last_seq as u64,
            active_run,
            has_switched: row.has_switched,
        }))
    }

    /// Writes a conversation.
    pub async fn create_conversation(&mut self, conversation: &Conversation) -> Result<()> {
        sqlx::query!(
            "insert into conversations
               (id, workspace_id, agent_id, title, is_titled, created_at, updated_at, uses_draft)
             values ($1, $2, $3, $4, $4 <> '', $5, $5, $6)",
            conversation.id.uuid(),
            self.workspace_id().uuid(),
            conversation.agent_id.uuid(),
            conversation.title,
            conversation.created_at.date_time(),
            conversation.uses_draft
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Changes a conversation. Only a new title touches it.
    pub async fn update_conversation(
        &mut self,
        id: ConversationId,
        change: ConversationChange<'_>,
        now: Timestamp,
    ) -> Result<()> {
        sqlx::query!(
            "update conversations set
               updated_at = case when $3::text is null then updated_at else $4 end,
               title = coalesce($3, title),
               is_titled = is_titled or $3 is not null,
               is_pinned = coalesce($5, is_pinned),
               head_run_id = coalesce($6, head_run_id)
             where workspace_id = $1 and id = $2",
            self.workspace_id().uuid(),
            id.uuid(),
            change.title,
            now.date_time(),
            change.is_pinned,
            change.head.map(RunId::uuid)
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Deletes a conversation with all it holds, and books the calls that are under way in it, of the
    /// model what it has `used` so far; tells whether it was there.
    pub async fn delete_conversation(
        &mut self,
        id: ConversationId,
        used: Usage,
        now: Timestamp,
    ) -> Result<bool> {
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
        if let Some((run_id, ..)) = self.find_running_run(id).await? {
            self.end_call_steps(run_id, StepStatus::Failed, &[], now)
                .await?;
            self.book_broken_model_call(run_id, used, now).await?;
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
               delete from messages where workspace_id = $1 and run_id in (
                 select id from runs where workspace_id = $1 and conversation_id = $2)
             ), gone_attachments as (
               delete from message_attachments where workspace_id = $1 and conversation_id = $2
             ), gone_files as (
               delete from conversation_files where workspace_id = $1 and conversation_id = $2
             ), gone_words as (
               delete from message_words where workspace_id = $1 and conversation_id = $2
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

    /// The `text_delta`, `reasoning_delta` and `text_truncated` events of a run, in order.
    pub async fn list_text_events(
        &mut self,
        conversation_id: ConversationId,
        run_id: RunId,
    ) -> Result<Vec<crate::events::LoggedEvent>> {
        let rows = sqlx::query!(
            r#"select seq, id, type as kind, time, data::text as "data!" from events
               where workspace_id = $1 and conversation_id = $2 and run_id = $3
                 and type in ('text_delta', 'reasoning_delta', 'text_truncated')
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
            is_pinned: self.is_pinned,
            uses_draft: self.uses_draft,
            head_run_id: self.head_run_id.map(Into::into),
            run_status,
            created_at: self.created_at.into(),
            updated_at: self.updated_at.into(),
            hit: None,
        })
    }
}

/// Cursor of the conversations list: whether pinned, when and which.
fn place(conversation: &Conversation) -> Cursor {
    Cursor(format!(
        "{}_{}_{}",
        u8::from(conversation.is_pinned),
        conversation.updated_at.unix_millis(),
        conversation.id
    ))
}

fn parse_place(cursor: &Cursor) -> Result<(bool, OffsetDateTime, Uuid)> {
    let mut parts = cursor.0.splitn(3, '_');
    let mut next = || parts.next().ok_or(Error::UnknownCursor);
    let is_pinned = match next()? {
        "0" => false,
        "1" => true,
        _ => return Err(Error::UnknownCursor),
    };
    let millis: i64 = next()?.parse().map_err(|_| Error::UnknownCursor)?;
    let time = OffsetDateTime::from_unix_timestamp_nanos(i128::from(millis) * 1_000_000)
        .map_err(|_| Error::UnknownCursor)?;
    let id = next()?.parse().map_err(|_| Error::UnknownCursor)?;
    Ok((is_pinned, time, id))
}
