//! Keeps results of tools whole that are too long for models.

use std::time::Duration;

use bytes::Bytes;
use domain::files::{File, safe_name};
use domain::{CallId, FileId};
use sha2::{Digest, Sha256};
use store::Store;
use store::blobs::Blobs;
use store::files::{NewFile, blob_key};
use store::runs::Lease;

use crate::mint;

const MEDIA_TYPE: &str = "text/plain";
/// Longest wait for the storage, for which the run waits, too.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where results are kept.
pub(super) struct Artifacts {
    pub(super) store: Store,
    pub(super) blobs: Blobs,
    /// Bytes that all files of a workspace may have.
    pub(super) workspace_bytes: u64,
}

impl Artifacts {
    /// Keeps a text as a file and gives its id. It is deleted after a day unless the call names it.
    ///
    /// `None` if that fails or the workspace has no room: the run goes on without.
    pub(super) async fn keep(&self, lease: &Lease, call: CallId, text: &str) -> Option<FileId> {
        match store::within(PATIENCE, self.try_keep(lease, call, text)).await {
            Ok(kept) => kept,
            Err(error) => {
                tracing::warn!(run.id = %lease.run_id, error = %error, "keep a long result");
                None
            }
        }
    }

    async fn try_keep(
        &self,
        lease: &Lease,
        call: CallId,
        text: &str,
    ) -> store::Result<Option<FileId>> {
        let size_bytes = text.len() as u64;
        let (id, now) = (mint::id(), mint::now());
        let mut tx = self.store.begin(lease.workspace_id).await?;
        if tx.sum_file_bytes().await? + size_bytes > self.workspace_bytes {
            return Ok(None);
        }
        let Some((tool, author_id)) = tx.find_caller(call).await? else {
            return Ok(None);
        };
        let name = safe_name(&format!("{tool} result.txt"));
        let new = NewFile {
            id,
            author_id,
            name: &name,
            now,
        };
        tx.create_file(new).await?;
        tx.commit().await?;
        let content = Bytes::copy_from_slice(text.as_bytes());
        let sha256 = Sha256::digest(&content);
        self.blobs
            .put(&blob_key(lease.workspace_id, id), content)
            .await?;
        let file = File {
            id,
            name,
            media_type: MEDIA_TYPE.to_owned(),
            size_bytes,
            sha256: String::new(),
            is_readable: false,
            created_at: now,
        };
        let mut tx = self.store.begin(lease.workspace_id).await?;
        let is_kept = tx.finish_file(&file, &sha256, None).await?;
        tx.commit().await?;
        Ok(is_kept.then_some(id))
    }
}
