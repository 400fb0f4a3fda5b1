//! Files: uploading, downloading, deleting, and what agents read of them.

mod cleaning;
mod content;
mod extraction;
mod upload;

use async_trait::async_trait;
use domain::audit::Deed;
use domain::files::{ConversationFile, File, Files};
use domain::{Action, ConversationId, Error, FileId};
use store::blobs::BlobStream;
use store::files::blob_key;

pub(crate) use cleaning::delete_stale;
pub(crate) use extraction::Extractor;
pub use extraction::extract_pdf_text;
pub use upload::{ReceivedFile, Refusal};

use crate::Session;
use crate::fault::OrFault;

/// Files of a conversation that are listed.
const MAX_LISTED: u32 = 200;
/// Longest text that agents read of one file, in characters.
pub(crate) const MAX_TEXT_CHARS: usize = 100_000;

/// How much of files there may be.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files of a workspace.
    pub workspace_bytes: u64,
}

#[async_trait]
impl Files for Session {
    async fn delete_file(&self, id: FileId) -> Result<(), Error> {
        let mut tx = self.change(Action::Converse, Deed::FileDelete).await?;
        let file = tx.find_file(id).await.or_fault()?;
        let file = file.ok_or(Error::NotFound)?;
        if !tx.withdraw_file(id).await.or_fault()? {
            return Err(Error::conflict(
                "a message has this file; delete its conversation to delete both",
            ));
        }
        tx.commit(id.uuid(), &file.name).await?;
        // From here on it is gone for everybody; what fails now is done by the housekeeping.
        if let Err(error) = self
            .services
            .delete_content(self.actor.workspace_id, id)
            .await
        {
            tracing::warn!(file.id = %id, error = %error, "a file's content is deleted later");
        }
        Ok(())
    }

    async fn list_conversation_files(
        &self,
        id: ConversationId,
    ) -> Result<Vec<ConversationFile>, Error> {
        let mut tx = self.begin(Action::Read).await?;
        let found = tx.find_log_state(id).await.or_fault()?;
        found.ok_or(Error::NotFound)?;
        tx.list_conversation_files(id, MAX_LISTED).await.or_fault()
    }
}

impl Session {
    /// Opens a file's content.
    ///
    /// # Errors
    /// `NotFound`; `Unavailable`.
    pub async fn download_file(&self, id: FileId) -> Result<(File, BlobStream), Error> {
        let file = self.get_file(id).await?;
        let key = blob_key(self.actor.workspace_id, id);
        let content = self.services.blobs.read(&key).await.or_fault()?;
        let content = content.ok_or_else(|| {
            tracing::error!(file.id = %id, "a file's content is missing in the object store");
            Error::NotFound
        })?;
        Ok((file, content))
    }

    /// What is known of a file.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn get_file(&self, id: FileId) -> Result<File, Error> {
        let mut tx = self.begin(Action::Read).await?;
        tx.find_file(id).await.or_fault()?.ok_or(Error::NotFound)
    }
}
