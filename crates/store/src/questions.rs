//! Messages that can be asked again, and answers that have not ended.

use domain::conversations::MessageRole;
use domain::{ConversationId, MessageId, RunId};

use crate::Result;
use crate::database::TenantTx;
use crate::runs::parse_message_role;

/// A message that can be asked again, or in other words.
#[derive(Clone, Debug)]
pub struct Question {
    /// Who wrote the message that was looked for.
    pub found: MessageRole,
    /// The person's message of its run.
    pub message_id: MessageId,
    /// Its text.
    pub text: String,
    /// The run before it.
    pub parent_id: Option<RunId>,
}

impl TenantTx {
    /// What a message of a conversation was asked by.
    pub async fn find_question(
        &mut self,
        conversation_id: ConversationId,
        id: MessageId,
    ) -> Result<Option<Question>> {
        let row = sqlx::query!(
            "select m.role, r.parent_id, q.id, q.text from messages m
             join runs r on r.workspace_id = m.workspace_id and r.id = m.run_id
             join messages q on q.workspace_id = r.workspace_id and q.id = r.message_id
             where m.workspace_id = $1 and m.id = $3 and m.conversation_id = $2",
            self.workspace_id().uuid(),
            conversation_id.uuid(),
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| Question {
            found: parse_message_role(&row.role),
            message_id: row.id.into(),
            text: row.text,
            parent_id: row.parent_id.map(Into::into),
        }))
    }

    /// Answers that have not ended, of runs that go on, with their runs.
    pub async fn list_unfinished_answers(
        &mut self,
        id: ConversationId,
    ) -> Result<Vec<(MessageId, RunId)>> {
        let rows = sqlx::query!(
            "select m.id, m.run_id from runs r
             join messages m on m.workspace_id = r.workspace_id and m.run_id = r.id
             where r.workspace_id = $1 and r.conversation_id = $2
               and r.status in ('queued', 'running', 'waiting')
               and m.role = 'assistant' and m.finish_reason is null
             order by m.position",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_all(self.connection())
        .await?;
        let answers = rows.into_iter();
        Ok(answers
            .map(|row| (row.id.into(), row.run_id.into()))
            .collect())
    }
}
