//! Messages: those along one branch of a conversation – of a run, of the run before it, and so on –
//! and all of them.

use std::collections::HashMap;

use domain::conversations::{Message, MessageRole};
use domain::events::FinishReason;
use domain::runs::RunError;
use domain::{ConversationId, Cursor, MessageId, Page, Paged, RunId};
use sqlx::types::Json;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::attachments::{Attachment, Texts};
use crate::branches::Knot;
use crate::database::TenantTx;
use crate::runs::{parse_message_role, unreadable};
use crate::tool_calls::StoredCall;
use crate::{Error, Result};

/// A message on a branch.
#[derive(Clone, Debug)]
pub struct BranchMessage {
    /// The message; its run is the one on this branch.
    pub message: Message,
    /// The run before its run.
    pub parent_id: Option<RunId>,
}

/// A message of before, as the model shall see it.
#[derive(Clone, Debug)]
pub struct PriorMessage {
    /// Who wrote it.
    pub role: MessageRole,
    /// Its text.
    pub text: String,
    /// The tools that it asked for, with their results.
    pub calls: Vec<StoredCall>,
    /// What the provider wants to see again with its calls.
    pub carry: Option<String>,
    /// Its files, with their texts.
    pub files: Vec<Attachment>,
}

struct MessageRow {
    id: Uuid,
    role: String,
    text: String,
    reasoning: String,
    run_id: Uuid,
    parent_id: Option<Uuid>,
    finish_reason: Option<String>,
    error: Option<Json<RunError>>,
    position: i64,
    created_at: OffsetDateTime,
    has_files: bool,
}

/// Where a page of a branch begins: in which run, and before which of its messages.
#[derive(Clone, Copy)]
struct Place {
    run_id: Uuid,
    before: i64,
}

impl TenantTx {
    /// Messages of the branch that ends with `head`, newest first.
    ///
    /// The text of an answer in progress is empty.
    pub async fn list_messages(
        &mut self,
        conversation_id: ConversationId,
        head: Option<RunId>,
        page: &Page,
    ) -> Result<Paged<BranchMessage>> {
        let place = match (&page.after, head) {
            (Some(cursor), _) => Place::parse(cursor)?,
            (None, Some(head)) => Place {
                run_id: head.uuid(),
                before: i64::MAX,
            },
            (None, None) => return Ok(Paged::default()),
        };
        let mut rows = self
            .read_branch(conversation_id, place, i64::from(page.limit) + 1)
            .await?;
        let has_more = rows.len() > usize::from(page.limit);
        rows.truncate(usize::from(page.limit));
        let next = has_more
            .then(|| rows.last().map(MessageRow::cursor))
            .flatten();
        let ids = MessageRow::ids_with_files(&rows);
        let mut files = self.read_attachments(&ids, Texts::Without).await?;
        let items = rows
            .into_iter()
            .map(|row| {
                let files = files.remove(&row.id).unwrap_or_default();
                row.into_message(files)
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Paged { items, next })
    }

    /// The latest messages that say something or ask for tools, of the branch that ends with run
    /// `head`, oldest first, at most `limit`.
    pub async fn list_prior_messages(
        &mut self,
        conversation_id: ConversationId,
        head: Option<RunId>,
        limit: u32,
    ) -> Result<Vec<PriorMessage>> {
        let Some(head) = head else {
            return Ok(Vec::new());
        };
        let place = Place {
            run_id: head.uuid(),
            before: i64::MAX,
        };
        self.read_prior(conversation_id, place, limit).await
    }

    /// What the model of run `run_id` is asked: the messages before it, and the person's.
    pub async fn list_asked_messages(
        &mut self,
        conversation_id: ConversationId,
        run_id: RunId,
        limit: u32,
    ) -> Result<Vec<PriorMessage>> {
        // Of the run itself only the person's message is below 1.
        let place = Place {
            run_id: run_id.uuid(),
            before: 1,
        };
        self.read_prior(conversation_id, place, limit).await
    }

    async fn read_prior(
        &mut self,
        conversation_id: ConversationId,
        place: Place,
        limit: u32,
    ) -> Result<Vec<PriorMessage>> {
        let mut rows = self
            .read_branch(conversation_id, place, i64::from(limit))
            .await?;
        // Newest first. An answer in place of which another was asked for need not be read again.
        let mut newer = None;
        rows.retain(|row| {
            newer.replace(row.run_id) != Some(row.run_id) || !row.ended_by(FinishReason::Error)
        });
        let asking: Vec<MessageId> = rows
            .iter()
            .filter(|row| row.ended_by(FinishReason::ToolCalls))
            .map(|row| row.id.into())
            .collect();
        let (mut calls, mut carries) = (Vec::new(), HashMap::new());
        if !asking.is_empty() {
            calls = self.list_calls_of_messages(&asking).await?;
            carries = self.read_carries(&asking).await?;
        }
        let ids = MessageRow::ids_with_files(&rows);
        let mut files = self.read_attachments(&ids, Texts::With).await?;
        Ok(rows
            .into_iter()
            .rev()
            .filter(|row| !row.text.is_empty() || row.ended_by(FinishReason::ToolCalls))
            .map(|row| PriorMessage {
                role: parse_message_role(&row.role),
                files: files.remove(&row.id).unwrap_or_default(),
                text: row.text,
                carry: carries.remove(&row.id),
                calls: calls
                    .extract_if(.., |call| call.message_id.uuid() == row.id)
                    .collect(),
            })
            .collect())
    }

    /// At most `limit` messages from a place on, newest first. A person's message has position 0
    /// in its run.
    async fn read_branch(
        &mut self,
        conversation_id: ConversationId,
        place: Place,
        limit: i64,
    ) -> Result<Vec<MessageRow>> {
        // Nearly every run has a question and an answer, so half as many runs are enough.
        let rows = self
            .walk_branch(conversation_id, place, limit, limit / 2 + 1)
            .await?;
        let begins_further_up = rows.last().is_none_or(|row| row.parent_id.is_some());
        if rows.len() as i64 == limit || !begins_further_up {
            return Ok(rows);
        }
        self.walk_branch(conversation_id, place, limit, limit).await
    }

    /// As [`TenantTx::read_branch`], of at most one run more than `runs`.
    async fn walk_branch(
        &mut self,
        conversation_id: ConversationId,
        place: Place,
        limit: i64,
        runs: i64,
    ) -> Result<Vec<MessageRow>> {
        let rows = sqlx::query_as!(
            MessageRow,
            r#"with recursive path (id, parent_id, message_id, error, depth) as (
                 select r.id, r.parent_id, r.message_id, r.error, 0::bigint from runs r
                 where r.workspace_id = $1 and r.conversation_id = $2 and r.id = $3
                 union all
                 select r.id, r.parent_id, r.message_id, r.error, path.depth + 1
                 from path join runs r on r.workspace_id = $1 and r.id = path.parent_id
                 where path.depth < $6
               )
               select m.id as "id!", m.role as "role!", m.text as "text!",
                 m.reasoning as "reasoning!", path.id as "run_id!", path.parent_id, m.finish_reason,
                 -- A run fails in its last message, not in those that asked for tools before.
                 case when path.error is not null and m.role = 'assistant' and not exists (
                   select from messages later
                   where later.workspace_id = $1 and later.run_id = path.id
                     and later.role = 'assistant' and later.position > m.position
                 ) then path.error end as "error?: Json<RunError>",
                 m.position as "position!", m.created_at as "created_at!",
                 m.role = 'user' and exists (
                   select from message_attachments f
                   where f.workspace_id = $1 and f.message_id = m.id
                 ) as "has_files!"
               from path cross join lateral (
                 select a.id, a.role, a.text, a.reasoning, a.finish_reason, a.position,
                   a.created_at
                 from messages a
                 where a.workspace_id = $1 and a.run_id = path.id and a.role = 'assistant'
                 union all
                 select q.id, q.role, q.text, q.reasoning, q.finish_reason, 0, q.created_at
                 from messages q
                 where q.workspace_id = $1 and q.id = path.message_id
               ) m
               where path.depth > 0 or m.position < $4
               order by path.depth, m.position desc limit $5"#,
            self.workspace_id().uuid(),
            conversation_id.uuid(),
            place.run_id,
            place.before,
            limit,
            runs
        )
        .fetch_all(self.connection())
        .await?;
        Ok(rows)
    }

    /// All messages of a conversation, on whatever branch: those of up to `limit` runs after run
    /// `after`, oldest first, and the runs. No runs mean that there are no more.
    pub async fn list_all_messages(
        &mut self,
        conversation_id: ConversationId,
        after: Option<RunId>,
        limit: u32,
    ) -> Result<(Vec<Knot>, Vec<BranchMessage>)> {
        let runs = sqlx::query!(
            "select id, parent_id, message_id from runs
             where workspace_id = $1 and conversation_id = $2 and ($3::uuid is null or id > $3)
             order by id limit $4",
            self.workspace_id().uuid(),
            conversation_id.uuid(),
            after.map(RunId::uuid),
            i64::from(limit)
        )
        .fetch_all(self.connection())
        .await?;
        let ids: Vec<Uuid> = runs.iter().map(|run| run.id).collect();
        let rows = sqlx::query_as!(
            MessageRow,
            r#"select m.id, m.role, m.text, m.reasoning, m.run_id, r.parent_id, m.finish_reason,
                 case when r.error is not null and m.role = 'assistant' and not exists (
                   select from messages later
                   where later.workspace_id = $1 and later.run_id = r.id
                     and later.role = 'assistant' and later.position > m.position
                 ) then r.error end as "error?: Json<RunError>",
                 m.position, m.created_at,
                 m.role = 'user' and exists (
                   select from message_attachments f
                   where f.workspace_id = $1 and f.message_id = m.id
                 ) as "has_files!"
               from messages m
               join runs r on r.workspace_id = m.workspace_id and r.id = m.run_id
               where m.workspace_id = $1 and m.run_id = any($2)
               order by r.id, m.position"#,
            self.workspace_id().uuid(),
            &ids
        )
        .fetch_all(self.connection())
        .await?;
        let mut files = self
            .read_attachments(&MessageRow::ids_with_files(&rows), Texts::Without)
            .await?;
        let messages = rows
            .into_iter()
            .map(|row| {
                let files = files.remove(&row.id).unwrap_or_default();
                row.into_message(files)
            })
            .collect::<Result<Vec<_>>>()?;
        let knots = runs.into_iter().map(|run| Knot {
            id: run.id.into(),
            parent_id: run.parent_id.map(Into::into),
            message_id: run.message_id.into(),
        });
        Ok((knots.collect(), messages))
    }
}

impl Place {
    fn parse(cursor: &Cursor) -> Result<Self> {
        let (run_id, before) = cursor.0.split_once('_').ok_or(Error::UnknownCursor)?;
        Ok(Self {
            run_id: run_id.parse().map_err(|_| Error::UnknownCursor)?,
            before: before.parse().map_err(|_| Error::UnknownCursor)?,
        })
    }
}

impl MessageRow {
    fn ended_by(&self, reason: FinishReason) -> bool {
        self.finish_reason.as_deref() == Some(reason.as_str())
    }

    fn cursor(&self) -> Cursor {
        Cursor(format!("{}_{}", self.run_id, self.position))
    }

    fn ids_with_files(rows: &[Self]) -> Vec<Uuid> {
        let with_files = rows.iter().filter(|row| row.has_files);
        with_files.map(|row| row.id).collect()
    }

    fn into_message(self, files: Vec<Attachment>) -> Result<BranchMessage> {
        let finish_reason = self
            .finish_reason
            .map(|reason| reason.parse().map_err(unreadable))
            .transpose()?;
        let role = parse_message_role(&self.role);
        let error = self.error.map(|error| error.0);
        let message = Message {
            id: self.id.into(),
            role,
            text: self.text,
            reasoning: self.reasoning,
            thought_ms: None,
            tool_calls: Vec::new(),
            attachments: files.iter().map(|it| it.file.id).collect(),
            files: files.into_iter().map(|it| it.file).collect(),
            switched: None,
            run_id: self.run_id.into(),
            finish_reason,
            error,
            created_at: self.created_at.into(),
        };
        Ok(BranchMessage {
            message,
            parent_id: self.parent_id.map(Into::into),
        })
    }
}
