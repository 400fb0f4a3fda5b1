//! Uploading: the content passes through to the object store and is looked at on its way.

use bytes::Bytes;
use domain::audit::Deed;
use domain::files::{File, IMAGE_TYPES, safe_name};
use domain::{Action, Error, FileId};
use futures::{Stream, StreamExt};
use store::blobs::BlobWriter;
use store::files::{NewFile, blob_key};

use super::content::{Content, Findings, PDF};
use crate::fault::OrFault;
use crate::{Session, mint};

/// Why an upload was not taken.
#[derive(Debug)]
pub enum Refusal {
    /// The file has more than this many bytes.
    TooLarge(u64),
    /// The client broke off.
    BrokenOff,
    /// Anything else.
    Error(Error),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// A file whose content is in the object store, but which nobody can see yet.
#[must_use = "it is kept or discarded"]
#[derive(Debug)]
pub struct ReceivedFile {
    file: File,
    sha256: [u8; 32],
    text: Option<String>,
}

impl ReceivedFile {
    /// Tells this upload from others: two with the same content and name are the same.
    pub fn fingerprint(&self) -> Vec<u8> {
        [&self.sha256, self.file.name.as_bytes()].concat()
    }
}

impl Session {
    /// Passes if the actor may upload, before anything is looked at.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn may_upload(&self) -> Result<(), Error> {
        self.allow(Action::Converse, Deed::FileCreate).await
    }

    /// Takes a file's content in. It is nobody's until [`Session::keep_file`]; if this fails,
    /// nothing of it is left.
    ///
    /// # Errors
    /// See [`Refusal`]; `Forbidden`, and `Invalid` if the workspace has no room for it.
    pub async fn receive_file<E: Send>(
        &self,
        given_name: &str,
        content: impl Stream<Item = Result<Bytes, E>> + Send,
    ) -> Result<ReceivedFile, Refusal> {
        self.may_upload().await?;
        let name = safe_name(given_name);
        let file = NewFile {
            id: mint::id(),
            author_id: self.actor.user_id,
            name: &name,
            now: mint::now(),
        };
        let mut tx = self.begin(Action::Converse).await?;
        let limits = self.services.config.files;
        let used = tx.sum_file_bytes().await.or_fault()?;
        let room = limits.workspace_bytes.saturating_sub(used);
        tx.create_file(file).await.or_fault()?;
        tx.commit().await.or_fault()?;
        let key = blob_key(self.actor.workspace_id, file.id);
        let mut writer = self.services.blobs.write(&key);
        let received = match store_content(&mut writer, content, limits.file_bytes, room).await {
            Ok(content) => match writer.finish().await.or_fault() {
                Ok(()) => Ok(content),
                Err(error) => Err(error.into()),
            },
            Err(refusal) => {
                if let Err(error) = writer.abort().await {
                    tracing::debug!(error = %error, "an upload had nothing to take back");
                }
                Err(refusal)
            }
        };
        match received {
            Ok(content) => Ok(self.look_into(file, content.finish(file.name)).await),
            Err(refusal) => {
                self.drop_upload(file.id).await;
                Err(refusal)
            }
        }
    }

    /// Makes a received file one of the workspace's.
    ///
    /// # Errors
    /// `Invalid` if other uploads have taken the room meanwhile.
    pub async fn keep_file(&self, received: ReceivedFile) -> Result<File, Error> {
        let file = &received.file;
        let kept = async {
            let mut tx = self.change(Action::Converse, Deed::FileCreate).await?;
            let used = tx.lock_file_bytes().await.or_fault()?;
            if used + file.size_bytes > self.services.config.files.workspace_bytes {
                return Err(no_room());
            }
            let text = received.text.as_deref();
            if !tx
                .finish_file(file, &received.sha256, text)
                .await
                .or_fault()?
            {
                return Err(Error::conflict("the upload took too long; try again"));
            }
            tx.commit(file.id.uuid(), &file.name).await
        };
        match kept.await {
            Ok(()) => Ok(received.file),
            Err(error) => {
                self.drop_upload(received.file.id).await;
                Err(error)
            }
        }
    }

    /// Drops a received file.
    pub async fn discard_file(&self, received: ReceivedFile) {
        self.drop_upload(received.file.id).await;
    }

    /// Finds out what agents read of a file.
    async fn look_into(&self, new: NewFile<'_>, found: Findings) -> ReceivedFile {
        let text = match found.media_type {
            PDF => {
                let key = blob_key(self.actor.workspace_id, new.id);
                self.services
                    .extractor
                    .read_pdf(&self.services.blobs, &key)
                    .await
            }
            _ => found.text,
        };
        ReceivedFile {
            file: File {
                id: new.id,
                name: new.name.to_owned(),
                media_type: found.media_type.to_owned(),
                size_bytes: found.size_bytes,
                sha256: found
                    .sha256
                    .iter()
                    .map(|byte| format!("{byte:02x}"))
                    .collect(),
                is_readable: text.is_some() || IMAGE_TYPES.contains(&found.media_type),
                created_at: new.now,
            },
            sha256: found.sha256,
            // PostgreSQL's texts hold no NUL.
            text: text.map(|text| text.replace('\0', "")),
        }
    }

    async fn drop_upload(&self, id: FileId) {
        let workspace_id = self.actor.workspace_id;
        let dropped = async {
            let mut tx = self.services.store.begin(workspace_id).await?;
            tx.withdraw_file(id).await?;
            tx.commit().await?;
            self.services.delete_content(workspace_id, id).await
        };
        if let Err(error) = dropped.await {
            tracing::warn!(file.id = %id, error = %error, "a dead upload is cleaned up later");
        }
    }
}

async fn store_content<E>(
    writer: &mut BlobWriter,
    content: impl Stream<Item = Result<Bytes, E>>,
    max_bytes: u64,
    room: u64,
) -> Result<Content, Refusal> {
    let mut passed = Content::default();
    let mut content = std::pin::pin!(content);
    while let Some(bytes) = content.next().await {
        let bytes = bytes.map_err(|_| Refusal::BrokenOff)?;
        passed.add(&bytes);
        if passed.size_bytes() > max_bytes {
            return Err(Refusal::TooLarge(max_bytes));
        }
        if passed.size_bytes() > room {
            return Err(no_room().into());
        }
        writer.add(bytes).await.or_fault()?;
    }
    Ok(passed)
}

fn no_room() -> Error {
    Error::invalid(
        "file",
        "does not fit into the space for this workspace's files; delete conversations with files",
    )
}
