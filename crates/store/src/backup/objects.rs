//! Contents of files: copied once, and shared by all backups that have them.

use std::collections::HashSet;

use anyhow::{Context, bail};
use futures::TryStreamExt;
use sha2::{Digest, Sha256};

use super::dump::{SnapshotFile, hex};
use super::sealed::{SealedReader, SealedWriter};
use super::{Backups, Manifest, ObjectEntry, ROOT};
use crate::blobs::{BlobWriter, Blobs};

impl Backups {
    /// Copies what no backup has yet. A file that was deleted since the snapshot is left out.
    pub(super) async fn copy_objects(
        &self,
        objects: &Blobs,
        files: Vec<SnapshotFile>,
    ) -> anyhow::Result<Vec<ObjectEntry>> {
        let folder = format!("{ROOT}/objects/{}", self.keyring.first().fingerprint());
        let mut known = HashSet::new();
        let mut listed = self.blobs.list(&folder);
        while let Some(blob) = listed.try_next().await.context("list the kept objects")? {
            known.insert(blob.key);
        }
        let mut entries = Vec::new();
        for file in files {
            let place = format!("{folder}/{}", file.id);
            let is_there = known.contains(&place) || self.copy(objects, &file, &place).await?;
            if is_there {
                entries.push(ObjectEntry {
                    key: file.key,
                    place,
                    size_bytes: file.size_bytes,
                    sha256: file.sha256,
                });
            }
        }
        Ok(entries)
    }

    async fn copy(
        &self,
        objects: &Blobs,
        file: &SnapshotFile,
        place: &str,
    ) -> anyhow::Result<bool> {
        let Some(mut content) = objects.read(&file.key).await.context("read an object")? else {
            tracing::warn!(object = file.key, "left out: it was deleted meanwhile");
            return Ok(false);
        };
        let mut writer = SealedWriter::create(&self.blobs, place, self.keyring.first()).await?;
        let mut hash = Sha256::new();
        while let Some(bytes) = content.try_next().await.context("read an object")? {
            hash.update(&bytes);
            writer.add(&bytes).await?;
        }
        if hex(&hash.finalize()) != file.sha256 {
            bail!("the object {} is not what was uploaded", file.key);
        }
        writer.finish().await?;
        Ok(true)
    }

    /// Opens every object of a backup and compares it; writes it to `into` if that is given.
    pub(super) async fn read_objects(
        &self,
        manifest: &Manifest,
        into: Option<&Blobs>,
    ) -> anyhow::Result<()> {
        for entry in &manifest.objects {
            let mut copy = into.map(|objects| objects.write(&entry.key));
            let read = self.read_object(entry, copy.as_mut()).await;
            match (read, copy) {
                (Ok(()), Some(copy)) => copy.finish().await.context("write an object")?,
                (Ok(()), None) => {}
                (Err(error), copy) => {
                    if let Some(copy) = copy {
                        let _ = copy.abort().await;
                    }
                    return Err(error.context(format!("the object {}", entry.key)));
                }
            }
        }
        Ok(())
    }

    async fn read_object(
        &self,
        entry: &ObjectEntry,
        mut copy: Option<&mut BlobWriter>,
    ) -> anyhow::Result<()> {
        let mut reader = SealedReader::open(&self.blobs, &entry.place, &self.keyring).await?;
        let mut hash = Sha256::new();
        while let Some(bytes) = reader.next().await? {
            hash.update(&bytes);
            if let Some(copy) = copy.as_mut() {
                copy.add(bytes).await.context("write")?;
            }
        }
        if hex(&hash.finalize()) != entry.sha256 {
            bail!("it is not what was backed up");
        }
        Ok(())
    }
}
