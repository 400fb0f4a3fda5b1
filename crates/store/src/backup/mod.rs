//! Backups: everything the database and the object store hold, as sealed objects in one place.
//!
//! A backup is read from the database in one snapshot while servers run, table by table as
//! PostgreSQL's own COPY text, so that it fits every version of PostgreSQL and needs no right that
//! the platform does not have anyway. The schema is not in it: this program knows all its versions.
//!
//! ```text
//! backups/<id>/manifest          written last: without it there is no backup
//! backups/<id>/tables/<table>    packed and sealed
//! backups/objects/<key>/<file>   contents of files, sealed with master key <key>, shared by backups
//! ```

mod dump;
mod load;
mod lock;
mod manifest;
mod objects;
mod prune;
mod sealed;
mod tables;
mod verify;

use anyhow::{Context, bail};
use domain::Timestamp;
use futures::TryStreamExt;

pub use load::Overwrite;
pub use manifest::{Manifest, ObjectEntry, TableEntry};
pub use prune::{Pruned, Retention};
pub use verify::Verified;

use crate::Store;
use crate::blobs::Blobs;
use crate::master_keys::Keyring;

const ROOT: &str = "backups";

/// A place with backups, and the keys that they are sealed with.
#[derive(Clone, Debug)]
pub struct Backups {
    blobs: Blobs,
    keyring: Keyring,
}

/// A backup in a list.
#[derive(Clone, Debug)]
pub enum Listed {
    /// One that can be read.
    Readable(Manifest),
    /// One that cannot, and why.
    Unreadable {
        /// Its name.
        id: String,
        /// What is wrong.
        reason: String,
    },
}

impl Backups {
    /// Backups in `blobs`. New ones are sealed with the ring's first key.
    pub fn new(blobs: Blobs, keyring: Keyring) -> Self {
        Self { blobs, keyring }
    }

    /// Makes a backup of the database and of the files in `objects`.
    ///
    /// # Errors
    /// If something cannot be read or written; there is no backup then.
    pub async fn create(
        &self,
        store: &Store,
        objects: &Blobs,
        id: String,
        now: Timestamp,
    ) -> anyhow::Result<Manifest> {
        let _lock = lock::take(store).await?;
        let (migrations, tables, files) = self.dump(store, &id).await?;
        let manifest = Manifest {
            format: manifest::FORMAT,
            id,
            created_at: now,
            program: env!("CARGO_PKG_VERSION").to_owned(),
            migrations,
            tables,
            objects: self.copy_objects(objects, files).await?,
        };
        self.write_manifest(&manifest).await?;
        Ok(manifest)
    }

    /// Lists the backups, the newest first.
    ///
    /// # Errors
    /// If the place does not answer.
    pub async fn list(&self) -> anyhow::Result<Vec<Listed>> {
        let mut found = self.blobs.list(ROOT);
        let mut ids = Vec::new();
        while let Some(blob) = found.try_next().await.context("list the backups")? {
            let id = blob.key.strip_prefix("backups/");
            if let Some(id) = id.and_then(|rest| rest.strip_suffix("/manifest")) {
                ids.push(id.to_owned());
            }
        }
        // Names begin with the time.
        ids.sort_unstable_by(|a, b| b.cmp(a));
        let mut listed = Vec::new();
        for id in ids {
            listed.push(match self.read_manifest(&id).await {
                Ok(manifest) => Listed::Readable(manifest),
                Err(error) => Listed::Unreadable {
                    id,
                    reason: format!("{error:#}"),
                },
            });
        }
        Ok(listed)
    }

    /// Reads a backup's manifest; `latest` is the newest backup.
    ///
    /// # Errors
    /// If there is none, or it cannot be read with the keys at hand.
    pub async fn find(&self, id: &str) -> anyhow::Result<Manifest> {
        if id != "latest" {
            return self.read_manifest(id).await;
        }
        match self.list().await?.into_iter().next() {
            Some(Listed::Readable(manifest)) => Ok(manifest),
            Some(Listed::Unreadable { id, reason }) => bail!("the newest backup {id}: {reason}"),
            None => bail!("there are no backups"),
        }
    }
}
