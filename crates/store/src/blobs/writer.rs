//! Writing an object piece by piece.

use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use object_store::ObjectStore;
use object_store::buffered::BufWriter;
use object_store::path::Path;
use tokio::io::AsyncWriteExt;

use super::PART_BYTES;
use crate::{Error, Result};

/// Parts on their way at once.
const PARTS_AT_ONCE: usize = 2;

/// An object that is being written. It exists only once [`BlobWriter::finish`] has succeeded.
pub struct BlobWriter {
    writer: BufWriter,
}

impl BlobWriter {
    pub(super) fn new(objects: Arc<dyn ObjectStore>, key: Path) -> Self {
        Self {
            writer: BufWriter::with_capacity(objects, key, PART_BYTES)
                .with_max_concurrency(PARTS_AT_ONCE),
        }
    }

    /// Adds to the object; waits while too much is on its way.
    ///
    /// # Errors
    /// `Objects` if the store does not take it.
    pub async fn add(&mut self, bytes: Bytes) -> Result<()> {
        Ok(self.writer.put(bytes).await?)
    }

    /// Makes the object appear.
    ///
    /// # Errors
    /// `Objects` if the store does not take it; nothing is there then.
    pub async fn finish(mut self) -> Result<()> {
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
