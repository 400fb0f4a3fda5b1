//! Uploaded files: what is known of them. Their contents are in `blobs`.

use domain::files::{File, IMAGE_TYPES};
use domain::{FileId, Timestamp, UserId, WorkspaceId};
use sqlx::PgConnection;

use crate::Result;
use crate::database::TenantTx;

/// A file whose content is on its way.
#[derive(Clone, Copy, Debug)]
pub struct NewFile<'a> {
    /// The id.
    pub id: FileId,
    /// Who sends it.
    pub author_id: UserId,
    /// Its name.
    pub name: &'a str,
    /// Now.
    pub now: Timestamp,
}

/// Where a file's content is.
pub fn blob_key(workspace_id: WorkspaceId, id: FileId) -> String {
    format!("files/{workspace_id}/{id}")
}

impl TenantTx {
    /// Notes a file before its content comes.
    pub async fn create_file(&mut self, file: NewFile<'_>) -> Result<()> {
        sqlx::query!(
            "insert into files
               (id, workspace_id, author_id, name, media_type, size_bytes, sha256, state, created_at)
             values ($1, $2, $3, $4, '', 0, '', 'uploading', $5)",
            file.id.uuid(),
            self.workspace_id().uuid(),
            file.author_id.uuid(),
            file.name,
            file.now.date_time()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Bytes of all files of the workspace; others wait to ask until this transaction ends.
    pub async fn lock_file_bytes(&mut self) -> Result<u64> {
        let workspace_id = self.workspace_id().uuid();
        sqlx::query!(
            "select pg_advisory_xact_lock(hashtextextended('files of ' || $1::uuid::text, 0))",
            workspace_id
        )
        .fetch_one(self.connection())
        .await?;
        self.sum_file_bytes().await
    }

    /// Bytes of all files of the workspace.
    pub async fn sum_file_bytes(&mut self) -> Result<u64> {
        let bytes = sqlx::query_scalar!(
            r#"select coalesce(sum(size_bytes), 0)::bigint as "bytes!" from files
               where workspace_id = $1"#,
            self.workspace_id().uuid()
        )
        .fetch_one(self.connection())
        .await?;
        Ok(bytes as u64)
    }

    /// Makes a file whose content is there usable; tells whether it was still expected.
    pub async fn finish_file(
        &mut self,
        file: &File,
        sha256: &[u8],
        text: Option<&str>,
    ) -> Result<bool> {
        let done = sqlx::query!(
            "update files set media_type = $3, size_bytes = $4, sha256 = $5, text = $6,
               state = 'ready'
             where workspace_id = $1 and id = $2 and state = 'uploading'",
            self.workspace_id().uuid(),
            file.id.uuid(),
            file.media_type,
            file.size_bytes as i64,
            sha256,
            text
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// One file whose content is there.
    pub async fn find_file(&mut self, id: FileId) -> Result<Option<File>> {
        let row = sqlx::query!(
            r#"select name, media_type, size_bytes, encode(sha256, 'hex') as "sha256!",
                 text is not null or media_type = any($3) as "is_readable!", created_at
               from files where workspace_id = $1 and id = $2 and state = 'ready'"#,
            self.workspace_id().uuid(),
            id.uuid(),
            &IMAGE_TYPES.map(str::to_owned)
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| File {
            id,
            name: row.name,
            media_type: row.media_type,
            size_bytes: row.size_bytes as u64,
            sha256: row.sha256,
            is_readable: row.is_readable,
            created_at: row.created_at.into(),
        }))
    }

    /// Takes a file that no message has out of use; tells whether it was so.
    pub async fn withdraw_file(&mut self, id: FileId) -> Result<bool> {
        let done = sqlx::query!(
            "update files set state = 'deleting'
             where workspace_id = $1 and id = $2 and uses = 0 and state <> 'deleting'",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Forgets a file whose content is gone.
    pub async fn delete_file(&mut self, id: FileId) -> Result<()> {
        sqlx::query!(
            "delete from files where workspace_id = $1 and id = $2 and uses = 0",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

/// Takes files of all workspaces out of use that died while they were uploaded before
/// `uploads_before`, or that were made before `unused_before` and no message has. Gives them, with
/// those that were to be deleted already; at most `limit`.
pub async fn withdraw_stale(
    db: &mut PgConnection,
    uploads_before: Timestamp,
    unused_before: Timestamp,
    limit: u32,
) -> Result<Vec<(WorkspaceId, FileId)>> {
    let rows = sqlx::query!(
        "update files f set state = 'deleting'
         from (
           select workspace_id, id from files
           where uses = 0 and (state = 'deleting'
             or state = 'uploading' and created_at < $1
             or state = 'ready' and created_at < $2)
           order by created_at limit $3 for update skip locked
         ) stale
         where f.workspace_id = stale.workspace_id and f.id = stale.id and f.uses = 0
         returning f.workspace_id, f.id",
        uploads_before.date_time(),
        unused_before.date_time(),
        i64::from(limit)
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.workspace_id.into(), row.id.into()))
        .collect())
}
