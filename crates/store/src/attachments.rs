//! Which files go with which message.

use std::collections::HashMap;

use domain::files::AttachedFile;
use domain::{ConversationId, FileId, MessageId};
use uuid::Uuid;

use crate::Result;
use crate::database::TenantTx;

/// A file of a message.
#[derive(Clone, Debug)]
pub struct Attachment {
    /// What people see.
    pub file: AttachedFile,
    /// What a model reads of it, if that was asked for.
    pub text: Option<String>,
}

/// Whether the texts of files are wanted, which may be long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Texts {
    With,
    Without,
}

impl TenantTx {
    /// Those of the files that are there, in the order of `ids`; nobody deletes them until this
    /// transaction ends.
    pub async fn lock_files(&mut self, ids: &[FileId]) -> Result<Vec<Attachment>> {
        let ids: Vec<Uuid> = ids.iter().map(|id| id.uuid()).collect();
        let rows = sqlx::query!(
            "select id, name, media_type, size_bytes, text from files
             where workspace_id = $1 and id = any($2) and state = 'ready'
             order by array_position($2, id) for update",
            self.workspace_id().uuid(),
            &ids
        )
        .fetch_all(self.connection())
        .await?;
        let found = rows.into_iter().map(|row| Attachment {
            file: AttachedFile {
                id: row.id.into(),
                name: row.name,
                media_type: row.media_type,
                size_bytes: row.size_bytes as u64,
            },
            text: row.text,
        });
        Ok(found.collect())
    }

    /// Gives a message its files, in this order.
    pub async fn attach_files(
        &mut self,
        conversation_id: ConversationId,
        message_id: MessageId,
        files: &[Attachment],
    ) -> Result<()> {
        let ids: Vec<Uuid> = files.iter().map(|it| it.file.id.uuid()).collect();
        sqlx::query!(
            "insert into message_attachments
               (workspace_id, conversation_id, message_id, position, file_id)
             select $1, $2, $3, file.position, file.id
             from unnest($4::uuid[]) with ordinality as file (id, position)",
            self.workspace_id().uuid(),
            conversation_id.uuid(),
            message_id.uuid(),
            &ids
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// The files of a message with their texts, in order.
    pub async fn list_attachments(&mut self, message_id: MessageId) -> Result<Vec<Attachment>> {
        let mut found = self
            .read_attachments(&[message_id.uuid()], Texts::With)
            .await?;
        Ok(found.remove(&message_id.uuid()).unwrap_or_default())
    }

    /// The files of messages, in order.
    pub(crate) async fn read_attachments(
        &mut self,
        messages: &[Uuid],
        texts: Texts,
    ) -> Result<HashMap<Uuid, Vec<Attachment>>> {
        if messages.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = sqlx::query!(
            "select a.message_id, f.id, f.name, f.media_type, f.size_bytes,
               case when $3 then f.text end as text
             from message_attachments a
             join files f on f.workspace_id = a.workspace_id and f.id = a.file_id
             where a.workspace_id = $1 and a.message_id = any($2)
             order by a.message_id, a.position",
            self.workspace_id().uuid(),
            messages,
            texts == Texts::With
        )
        .fetch_all(self.connection())
        .await?;
        let mut found: HashMap<Uuid, Vec<Attachment>> = HashMap::new();
        for row in rows {
            let file = AttachedFile {
                id: row.id.into(),
                name: row.name,
                media_type: row.media_type,
                size_bytes: row.size_bytes as u64,
            };
            let text = row.text;
            let attachment = Attachment { file, text };
            found.entry(row.message_id).or_default().push(attachment);
        }
        Ok(found)
    }
}
