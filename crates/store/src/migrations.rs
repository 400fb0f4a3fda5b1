//! Brings the schema up to date.

use anyhow::{Context, bail};
use sqlx::migrate::{Migrate, Migrator};

use crate::Store;

static MIGRATOR: Migrator = sqlx::migrate!("../../migrations");

impl Store {
    /// Brings an empty database to a schema that some program had: exactly these versions.
    ///
    /// # Errors
    /// If this program does not know all of them, or one fails.
    pub(crate) async fn migrate_to(&self, versions: &[i64]) -> anyhow::Result<()> {
        let migrations: Vec<_> = MIGRATOR
            .iter()
            .filter(|migration| versions.contains(&migration.version))
            .cloned()
            .collect();
        if migrations.len() < versions.len() {
            bail!("it was made by a newer agentarea; use that program or a later one");
        }
        Migrator::with_migrations(migrations)
            .run(self.pool())
            .await
            .context("make the schema of that time")
    }

    /// Applies what is missing, one process at a time (advisory lock).
    ///
    /// # Errors
    /// If the database has a schema newer than this program, a migration fails, or the database
    /// does not answer.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        let mut connection = self
            .pool()
            .acquire()
            .await
            .context("connect to the database")?;
        let table = MIGRATOR.table_name.as_ref();
        // Another process may be making the very table.
        connection
            .lock()
            .await
            .context("wait for other processes")?;
        let listed = async {
            connection.ensure_migrations_table(table).await?;
            connection.list_applied_migrations(table).await
        };
        let listed = listed.await;
        connection
            .unlock()
            .await
            .context("let other processes go on")?;
        let applied = listed.context("list the schema's migrations")?;
        let known = MIGRATOR.iter().map(|migration| migration.version).max();
        if let Some(newer) = applied.iter().find(|applied| Some(applied.version) > known) {
            bail!(
                "the database has schema version {}, this program knows only {}; run a newer agentarea",
                newer.version,
                known.unwrap_or_default()
            );
        }
        drop(connection);
        MIGRATOR
            .run(self.pool())
            .await
            .context("bring the database schema up to date")
    }
}
