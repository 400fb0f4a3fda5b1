//! Deletes contents, and the files that nobody needs.

use domain::{FileId, Timestamp, WorkspaceId};
use store::blobs::Blobs;
use store::files::blob_key;
use store::{Store, within};
use time::Duration;

use crate::{Services, mint};

/// After this an upload is dead: no request lasts so long.
const UPLOADS_LAST: Duration = Duration::hours(1);
/// How long a file may be without a message.
const UNUSED_KEPT: Duration = Duration::hours(24);
/// Files deleted in one go.
const BATCH: u32 = 500;
/// Longest time for one of them: the database may be gone without a word.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(60);

impl Services {
    /// Deletes a withdrawn file's content, then the file.
    pub(crate) async fn delete_content(
        &self,
        workspace_id: WorkspaceId,
        id: FileId,
    ) -> store::Result<()> {
        delete(&self.store, &self.blobs, workspace_id, id).await
    }
}

/// Deletes what dead uploads left and files that no message had for long enough.
pub(crate) async fn delete_stale(store: &Store, blobs: &Blobs) -> store::Result<()> {
    let now = mint::now().date_time();
    let uploads_before = Timestamp::from(now - UPLOADS_LAST);
    let unused_before = Timestamp::from(now - UNUSED_KEPT);
    let withdrawing = async {
        let mut db = store.system().await?;
        store::files::withdraw_stale(&mut db, uploads_before, unused_before, BATCH).await
    };
    for (workspace_id, id) in within(PATIENCE, withdrawing).await? {
        within(PATIENCE, delete(store, blobs, workspace_id, id)).await?;
    }
    Ok(())
}

async fn delete(
    store: &Store,
    blobs: &Blobs,
    workspace_id: WorkspaceId,
    id: FileId,
) -> store::Result<()> {
    blobs.delete(&blob_key(workspace_id, id)).await?;
    let mut tx = store.begin(workspace_id).await?;
    tx.delete_file(id).await?;
    tx.commit().await
}
