//! What a backup says of itself.

use anyhow::{Context, bail};
use domain::Timestamp;
use serde::{Deserialize, Serialize};

use super::sealed::{SealedReader, SealedWriter};
use super::{Backups, ROOT};

/// Version of the layout.
pub(super) const FORMAT: u32 = 1;
/// Largest manifest; a million objects fit.
const MAX_BYTES: usize = 256 * 1024 * 1024;

/// What is in a backup, and what it must be like.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Manifest {
    /// Version of the layout.
    pub format: u32,
    /// Its name: the time, then something random.
    pub id: String,
    /// When the snapshot was taken.
    pub created_at: Timestamp,
    /// Version of the program that made it.
    pub program: String,
    /// Versions of the schema that were applied.
    pub migrations: Vec<i64>,
    /// The tables, each after those that it refers to.
    pub tables: Vec<TableEntry>,
    /// Contents of files.
    pub objects: Vec<ObjectEntry>,
}

/// A table's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct TableEntry {
    /// Its name.
    pub name: String,
    /// Its columns, in the order of the content.
    pub columns: Vec<String>,
    /// Number of rows.
    pub rows: u64,
    /// SHA-256 of the content before it was packed, hexadecimal.
    pub sha256: String,
}

/// An object's content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ObjectEntry {
    /// Where it is in the object store.
    pub key: String,
    /// Where it is among the backups.
    pub place: String,
    /// Its size.
    pub size_bytes: u64,
    /// SHA-256, hexadecimal.
    pub sha256: String,
}

impl Manifest {
    /// Rows of all tables.
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// Bytes of all objects.
    pub fn object_bytes(&self) -> u64 {
        self.objects.iter().map(|object| object.size_bytes).sum()
    }
}

impl Backups {
    pub(super) async fn write_manifest(&self, manifest: &Manifest) -> anyhow::Result<()> {
        let json = serde_json::to_vec(manifest).context("write the manifest")?;
        let place = place(&manifest.id);
        let mut writer = SealedWriter::create(&self.blobs, &place, self.keyring.first()).await?;
        writer.add(&json).await?;
        writer.finish().await.context("write the manifest")
    }

    pub(super) async fn read_manifest(&self, id: &str) -> anyhow::Result<Manifest> {
        let is_name = !id.is_empty() && id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-');
        if !is_name {
            bail!("{id:?} is no name of a backup");
        }
        let reading = async {
            let mut reader = SealedReader::open(&self.blobs, &place(id), &self.keyring).await?;
            let mut json = Vec::new();
            while let Some(piece) = reader.next().await? {
                json.extend_from_slice(&piece);
                if json.len() > MAX_BYTES {
                    bail!("the manifest is too large");
                }
            }
            let manifest: Manifest = serde_json::from_slice(&json).context("read the manifest")?;
            if manifest.format != FORMAT || manifest.id != id {
                bail!("the manifest is of another program or another backup");
            }
            Ok(manifest)
        };
        reading
            .await
            .with_context(|| format!("read the backup {id}"))
    }
}

fn place(id: &str) -> String {
    format!("{ROOT}/{id}/manifest")
}
