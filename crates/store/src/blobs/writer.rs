//! Writing an object piece by piece.

use std::fmt;
use std::sync::Arc;

use bytes::{Bytes, BytesMut};
use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use tokio::io::AsyncWriteExt;

use crate::{Error, Result};

/// Parts on their way at once.
const PARTS_AT_ONCE: usize = 2;

/// An object that is being written. It exists only once [`BlobWriter::finish`] has succeeded.
pub struct BlobWriter {
    writer: BufWriter,
    /// What is still too small to be sent. Copied together, since the pieces are parts of buffers that
    /// would all be held until they are written.
    part: BytesMut,
    part_bytes: usize,
}

impl BlobWriter {
    pub(super) fn new(objects: Arc<dyn ObjectStore>, key: Path, part_bytes: usize) -> Self {
        Self {
            writer: BufWriter::with_capacity(objects, key, part_bytes)
                .with_max_concurrency(PARTS_AT_ONCE),
            part: BytesMut::new(),
            part_bytes,
        }
    }

    /// Adds to the object; waits while too much is on its way.
    ///
    /// # Errors
    /// `Objects` if the store does not take it.
    pub async fn add(&mut self, mut bytes: Bytes) -> Result<()> {
        while !bytes.is_empty() {
            let room = self.part_bytes - self.part.len();
            let fits = bytes.split_to(room.min(bytes.len()));
            self.part.extend_from_slice(&fits);
            if self.part.len() == self.part_bytes {
                let next = BytesMut::with_capacity(self.part_bytes);
                let part = std::mem::replace(&mut self.part, next);
                self.writer.put(part.freeze()).await?;
            }
        }
        Ok(())
    }

    /// Makes the object appear.
    ///
    /// # Errors
    /// `Objects` if the store does not take it; nothing is there then.
    pub async fn finish(mut self) -> Result<()> {
        if !self.part.is_empty() {
            self.writer.put(self.part.freeze()).await?;
        }
        self.writer.shutdown().await.map_err(|error| {
            match error.downcast::<object_store::Error>() {
                Ok(error) => error.into(),
                Err(error) => Error::Other(anyhow::Error::from(error).context("write an object")),
            }
        })
    }

    /// Takes everything back.
    ///
    /// # Errors
    /// `Objects` if the store does not answer.
    pub async fn abort(mut self) -> Result<()> {
        Ok(self.writer.abort().await?)
    }
}

impl fmt::Debug for BlobWriter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("BlobWriter")
    }
}
