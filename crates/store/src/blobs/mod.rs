//! Objects: the contents of files and backups, in a folder or in an S3 bucket.
//!
//! Keys are made by this program and never by a user. Contents are streams; at most three parts are
//! held in memory, two of them on their way.

mod place;
mod writer;

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt, TryStreamExt};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt};

pub use place::Place;
pub use writer::BlobWriter;

use crate::{Error, Result};

/// The object store. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Blobs {
    objects: Arc<dyn ObjectStore>,
    /// The folder, if it is one.
    folder: Option<PathBuf>,
    /// How much is written at once.
    part_bytes: usize,
}

/// The content of an object.
pub type BlobStream = BoxStream<'static, io::Result<Bytes>>;

/// An object in a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Blob {
    /// Where it is.
    pub key: String,
    /// How large it is.
    pub size_bytes: u64,
}

impl Blobs {
    /// Begins to write an object; it appears, whole, when the writer is finished.
    pub fn write(&self, key: &str) -> BlobWriter {
        BlobWriter::new(self.objects.clone(), Path::from(key), self.part_bytes)
    }

    /// Writes a small object at once.
    ///
    /// # Errors
    /// `Objects` if the store does not take it.
    pub async fn put(&self, key: &str, content: Bytes) -> Result<()> {
        let payload = object_store::PutPayload::from_bytes(content);
        self.objects.put(&Path::from(key), payload).await?;
        Ok(())
    }

    /// Opens an object; `None` if there is none.
    ///
    /// # Errors
    /// `Objects` if the store does not answer.
    pub async fn read(&self, key: &str) -> Result<Option<BlobStream>> {
        match self.objects.get(&Path::from(key)).await {
            Ok(found) => Ok(Some(found.into_stream().map_err(io::Error::other).boxed())),
            Err(object_store::Error::NotFound { .. }) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Deletes an object and what a writer that died left of it. One that is gone is no error.
    ///
    /// # Errors
    /// `Objects` if the store does not answer.
    pub async fn delete(&self, key: &str) -> Result<()> {
        if let Some(folder) = &self.folder {
            delete_unfinished(&folder.join(key)).await?;
        }
        match self.objects.delete(&Path::from(key)).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Lists the objects below a folder, in no order.
    pub fn list(&self, folder: &str) -> BoxStream<'static, Result<Blob>> {
        let objects = self.objects.list(Some(&Path::from(folder)));
        objects
            .map(|found| {
                let found = found?;
                Ok(Blob {
                    key: found.location.to_string(),
                    size_bytes: found.size,
                })
            })
            .boxed()
    }
}

/// Writers put their parts into `<path>#1`, or the next number if that is taken.
async fn delete_unfinished(path: &std::path::Path) -> Result<()> {
    for number in 1.. {
        let mut name = path.as_os_str().to_owned();
        name.push(format!("#{number}"));
        match tokio::fs::remove_file(PathBuf::from(name)).await {
            Ok(()) => {}
            Err(error) if error.kind() == io::ErrorKind::NotFound => break,
            Err(error) => return Err(Error::Other(error.into())),
        }
    }
    Ok(())
}
