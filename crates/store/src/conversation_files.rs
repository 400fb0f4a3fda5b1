//! Files that agents keep in conversations, and those that people attached there.

use domain::files::ConversationFile;
use domain::{ConversationId, FileId, Timestamp, UserId};

use crate::Result;
use crate::database::TenantTx;

/// A file with what a model reads of it.
#[derive(Clone, Debug)]
pub struct ReadableFile {
    /// The path, or the name of an attachment.
    pub path: String,
    /// Its text; `None` if it has none.
    pub text: Option<String>,
}

impl TenantTx {
    /// The files of a conversation by path: those that its agents keep, then attachments.
    pub async fn list_conversation_files(
        &mut self,
        id: ConversationId,
        limit: u32,
    ) -> Result<Vec<ConversationFile>> {
        let rows = sqlx::query!(
            r#"select path as "path!", id as "id!", media_type as "media_type!",
                 size_bytes as "size_bytes!", is_attached as "is_attached!", updated_at as "updated_at!"
               from (
                 select c.path, f.id, f.media_type, f.size_bytes, false as is_attached, c.updated_at
                 from conversation_files c
                 join files f on f.workspace_id = c.workspace_id and f.id = c.file_id
                 where c.workspace_id = $1 and c.conversation_id = $2
                 union all
                 select distinct f.name, f.id, f.media_type, f.size_bytes, true, f.created_at
                 from message_attachments a
                 join files f on f.workspace_id = a.workspace_id and f.id = a.file_id
                 where a.workspace_id = $1 and a.conversation_id = $2
               ) files
               order by is_attached, path, id limit $3"#,
            self.workspace_id().uuid(),
            id.uuid(),
            i64::from(limit)
        )
        .fetch_all(self.connection())
        .await?;
        let files = rows.into_iter().map(|row| ConversationFile {
            path: row.path,
            file_id: row.id.into(),
            media_type: row.media_type,
            size_bytes: row.size_bytes as u64,
            is_attached: row.is_attached,
            updated_at: row.updated_at.into(),
        });
        Ok(files.collect())
    }

    /// The texts of a conversation's files, at most `limit`; with a path only those so called.
    pub async fn read_conversation_files(
        &mut self,
        id: ConversationId,
        path: Option<&str>,
        limit: u32,
    ) -> Result<Vec<ReadableFile>> {
        let files = sqlx::query_as!(
            ReadableFile,
            r#"select path as "path!", text from (
                 select c.path, f.text, false as is_attached
                 from conversation_files c
                 join files f on f.workspace_id = c.workspace_id and f.id = c.file_id
                 where c.workspace_id = $1 and c.conversation_id = $2
                   and ($3::text is null or c.path = $3)
                 union all
                 select f.name, f.text, true from message_attachments a
                 join files f on f.workspace_id = a.workspace_id and f.id = a.file_id
                 where a.workspace_id = $1 and a.conversation_id = $2
                   and ($3::text is null or f.name = $3)
               ) files
               order by is_attached, path limit $4"#,
            self.workspace_id().uuid(),
            id.uuid(),
            path,
            i64::from(limit)
        )
        .fetch_all(self.connection())
        .await?;
        Ok(files)
    }

    /// Whose words the agent of a conversation's active run answers; `None` if there is none.
    pub async fn find_asking_person(&mut self, id: ConversationId) -> Result<Option<UserId>> {
        let author = sqlx::query_scalar!(
            "select author_id from runs
             where workspace_id = $1 and conversation_id = $2 and status = 'running'
             order by id desc limit 1",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(author.map(Into::into))
    }

    /// Puts a file at a path, in place of what was there. `false` if that would be one more than
    /// `max_files`, or the conversation is gone.
    pub async fn keep_conversation_file(
        &mut self,
        id: ConversationId,
        path: &str,
        file_id: FileId,
        max_files: u32,
        now: Timestamp,
    ) -> Result<bool> {
        let workspace_id = self.workspace_id().uuid();
        // Against deletion, and against another call of the same turn.
        let found = sqlx::query_scalar!(
            r#"select 1 as "found!" from conversations where workspace_id = $1 and id = $2
               for no key update"#,
            workspace_id,
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        if found.is_none() {
            return Ok(false);
        }
        sqlx::query!(
            "delete from conversation_files
             where workspace_id = $1 and conversation_id = $2 and path = $3",
            workspace_id,
            id.uuid(),
            path
        )
        .execute(self.connection())
        .await?;
        let done = sqlx::query!(
            "insert into conversation_files
               (workspace_id, conversation_id, path, file_id, updated_at)
             select $1, $2, $3, $4, $5
             where (select count(*) from conversation_files
               where workspace_id = $1 and conversation_id = $2) < $6",
            workspace_id,
            id.uuid(),
            path,
            file_id.uuid(),
            now.date_time(),
            i64::from(max_files)
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }
}
