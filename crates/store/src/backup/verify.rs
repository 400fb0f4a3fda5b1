//! Proving that a backup can be restored, by doing it.

use anyhow::{Context, bail};

use super::dump::hash_tables;
use super::{Backups, Manifest};
use crate::Store;
use crate::vault::Vault;

/// What was proven.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Tables that are equal after a restore.
    pub tables: usize,
    /// Their rows.
    pub rows: u64,
    /// Objects that are what was uploaded.
    pub objects: usize,
    /// Secrets that open with the keys at hand.
    pub secrets: u64,
}

impl Backups {
    /// Restores a backup into an empty database, reads it again and compares every table; opens
    /// every object and every secret; brings the schema up to date.
    ///
    /// # Errors
    /// Names the first thing that is not as it was.
    pub async fn verify(&self, manifest: &Manifest, scratch: &Store) -> anyhow::Result<Verified> {
        self.load(manifest, scratch).await?;
        let restored = hash_tables(scratch).await?;
        for entry in &manifest.tables {
            let found = restored.iter().find(|table| table.name == entry.name);
            let found = found.with_context(|| format!("the table {} is missing", entry.name))?;
            if found != entry {
                bail!(
                    "the table {} is not the same after a restore: {} rows instead of {}",
                    entry.name,
                    found.rows,
                    entry.rows
                );
            }
        }
        if restored.len() != manifest.tables.len() {
            bail!("the restored database has other tables");
        }
        scratch
            .migrate()
            .await
            .context("bring the restored schema up to date")?;
        self.read_objects(manifest, None).await?;
        let vault = Vault::new(self.keyring.clone(), self.keyring.first().clone(), || None);
        Ok(Verified {
            tables: restored.len(),
            rows: manifest.rows(),
            objects: manifest.objects.len(),
            secrets: open_secrets(scratch, &vault).await?,
        })
    }
}

async fn open_secrets(store: &Store, vault: &Vault) -> anyhow::Result<u64> {
    let mut opened = 0;
    for workspace_id in store.list_workspace_ids().await? {
        let mut tx = store.begin(workspace_id).await?;
        let ids = sqlx::query_scalar!(
            "select id from secrets where workspace_id = $1",
            workspace_id.uuid()
        )
        .fetch_all(tx.connection())
        .await
        .context("list the secrets")?;
        for id in ids {
            tx.find_secret(vault, id.into())
                .await
                .with_context(|| format!("open the secret {id}"))?;
            opened += 1;
        }
    }
    Ok(opened)
}
