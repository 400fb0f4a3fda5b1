//! Putting a backup into a database.

use std::collections::HashSet;
use std::io::Write;

use anyhow::{Context, bail};
use flate2::write::GzDecoder;
use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::dump::hex;
use super::sealed::SealedReader;
use super::tables::{self, Table, quoted, quoted_list};
use super::{Backups, Manifest, ROOT, TableEntry};
use crate::Store;
use crate::blobs::Blobs;

/// Where the schema of before waits until the new one is complete.
const BEFORE: &str = "agentarea_before_restore";

/// Whether a backup may take the place of what people have made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Overwrite {
    /// Only an installation without users is replaced.
    Never,
    /// What is there is thrown away.
    Always,
}

impl Backups {
    /// Puts a backup in place of everything in the database, and its files into `objects`.
    ///
    /// The whole backup is read and compared before anything is touched, and what was there is
    /// thrown away only when all is there; if anything fails before, it is as it was.
    ///
    /// # Errors
    /// If the backup is damaged, or anything else uses the database.
    pub async fn restore(
        &self,
        manifest: &Manifest,
        store: &Store,
        objects: &Blobs,
        overwrite: Overwrite,
    ) -> anyhow::Result<()> {
        let mut connection = store.system().await.context("connect")?.detach();
        if overwrite == Overwrite::Never && has_people(&mut connection).await? {
            bail!("this installation has users; with --force, what it holds is thrown away");
        }
        refuse_if_in_use(&mut connection).await?;
        self.check(manifest).await?;
        self.read_objects(manifest, Some(objects)).await?;
        let away = format!(
            "drop schema if exists {BEFORE} cascade; alter schema public rename to {BEFORE}; \
             create schema public"
        );
        in_one(&mut connection, &away)
            .await
            .context("put the database of before aside")?;
        let loaded = async {
            self.load(manifest, store).await?;
            store.migrate().await
        };
        if let Err(error) = loaded.await {
            let back =
                format!("drop schema public cascade; alter schema {BEFORE} rename to public");
            in_one(&mut connection, &back)
                .await
                .with_context(|| format!("put the database of before back from {BEFORE}"))?;
            return Err(error.context("the database is as it was"));
        }
        in_one(&mut connection, &format!("drop schema {BEFORE} cascade"))
            .await
            .context("throw the database of before away")?;
        connection.close().await.context("disconnect")?;
        delete_others(manifest, objects).await
    }

    /// Reads everything and compares it, without a database.
    ///
    /// # Errors
    /// Names what is missing or damaged.
    async fn check(&self, manifest: &Manifest) -> anyhow::Result<()> {
        for entry in &manifest.tables {
            self.read_table(manifest, entry, None)
                .await
                .with_context(|| format!("the table {}", entry.name))?;
        }
        self.read_objects(manifest, None).await
    }

    /// Fills an empty database, with the schema of the backup.
    pub(super) async fn load(&self, manifest: &Manifest, store: &Store) -> anyhow::Result<()> {
        store.migrate_to(&manifest.migrations).await?;
        let mut connection = store.system().await.context("connect")?.detach();
        let tables = tables::list(&mut connection).await?;
        connection.execute("begin").await.context("begin")?;
        // What the migrations themselves have written is in the backup, too.
        let all: Vec<String> = tables.iter().map(|table| quoted(&table.name)).collect();
        let empty = format!("truncate {}", all.join(", "));
        connection
            .execute(AssertSqlSafe(empty))
            .await
            .context("empty the tables")?;
        for entry in &manifest.tables {
            let table = tables.iter().find(|table| table.name == entry.name);
            let table = table.with_context(|| format!("there is no table {}", entry.name))?;
            self.load_table(&mut connection, manifest, table, entry)
                .await
                .with_context(|| format!("fill the table {}", entry.name))?;
        }
        connection.execute("commit").await.context("commit")?;
        connection.close().await.context("disconnect")?;
        Ok(())
    }

    async fn load_table(
        &self,
        db: &mut PgConnection,
        manifest: &Manifest,
        table: &Table,
        entry: &TableEntry,
    ) -> anyhow::Result<()> {
        let name = quoted(&table.name);
        // Rows come as they are: triggers have run already, and policies are about reading.
        let mut prepare = format!("alter table {name} disable trigger user");
        let mut finish = format!("alter table {name} enable trigger user");
        if table.is_forced {
            prepare += &format!("; alter table {name} no force row level security");
            finish += &format!("; alter table {name} force row level security");
        }
        db.execute(AssertSqlSafe(prepare))
            .await
            .context("prepare")?;
        self.read_table(manifest, entry, Some(db)).await?;
        // Now, while policies are still off; at the end of the transaction it would be too late.
        db.execute("set constraints all immediate").await?;
        db.execute(AssertSqlSafe(finish)).await.context("finish")?;
        Ok(())
    }

    /// Opens a table's content and compares it; copies it into `db` if that is given.
    async fn read_table(
        &self,
        manifest: &Manifest,
        entry: &TableEntry,
        db: Option<&mut PgConnection>,
    ) -> anyhow::Result<()> {
        let place = format!("{ROOT}/{}/tables/{}", manifest.id, entry.name);
        let mut reader = SealedReader::open(&self.blobs, &place, &self.keyring).await?;
        let mut hash = Sha256::new();
        let mut unpacker = GzDecoder::new(Vec::new());
        let mut copy = match db {
            Some(db) => {
                let columns = quoted_list(&entry.columns);
                let name = quoted(&entry.name);
                let into =
                    format!("copy {name} ({columns}) from stdin (format text, encoding 'UTF8')");
                Some(db.copy_in_raw(&into).await.context("begin to write")?)
            }
            None => None,
        };
        let read = async {
            while let Some(packed) = reader.next().await? {
                unpacker.write_all(&packed).context("unpack")?;
                let plain = std::mem::take(unpacker.get_mut());
                hash.update(&plain);
                if let Some(copy) = copy.as_mut() {
                    copy.send(plain).await.context("write")?;
                }
            }
            let plain = unpacker.finish().context("unpack")?;
            hash.update(&plain);
            if let Some(copy) = copy.as_mut() {
                copy.send(plain).await.context("write")?;
            }
            if hex(&hash.finalize()) != entry.sha256 {
                bail!("it is not what was backed up");
            }
            Ok(())
        };
        match (read.await, copy) {
            (Ok(()), Some(copy)) => {
                let rows = copy.finish().await.context("write")?;
                anyhow::ensure!(rows == entry.rows, "{rows} rows instead of {}", entry.rows);
                Ok(())
            }
            (Ok(()), None) => Ok(()),
            (Err(error), Some(copy)) => {
                let _ = copy.abort("the backup cannot be read").await;
                Err(error)
            }
            (Err(error), None) => Err(error),
        }
    }
}

/// Whether somebody has an account here; not in a database without a schema.
async fn has_people(db: &mut PgConnection) -> anyhow::Result<bool> {
    let has_schema: bool = sqlx::query_scalar("select to_regclass('public.users') is not null")
        .fetch_one(&mut *db)
        .await
        .context("look at the database")?;
    if !has_schema {
        return Ok(false);
    }
    sqlx::query_scalar("select exists (select from users)")
        .fetch_one(db)
        .await
        .context("look at the database")
}

async fn refuse_if_in_use(db: &mut PgConnection) -> anyhow::Result<()> {
    let others: i64 = sqlx::query_scalar(
        "select count(*) from pg_stat_activity
         where datname = current_database() and application_name = 'agentarea'
           and pid <> pg_backend_pid()",
    )
    .fetch_one(db)
    .await
    .context("see who uses the database")?;
    if others > 0 {
        bail!("a server uses this database; stop all servers first");
    }
    Ok(())
}

async fn in_one(db: &mut PgConnection, statements: &str) -> anyhow::Result<()> {
    let statements = format!("begin; {statements}; commit");
    if let Err(error) = db.execute(AssertSqlSafe(statements)).await {
        let _ = db.execute("rollback").await;
        return Err(error.into());
    }
    Ok(())
}

/// Deletes the contents of files that the restored database does not know.
async fn delete_others(manifest: &Manifest, objects: &Blobs) -> anyhow::Result<()> {
    let known: HashSet<&str> = manifest
        .objects
        .iter()
        .map(|entry| entry.key.as_str())
        .collect();
    let mut listed = objects.list("files");
    while let Some(blob) = listed.try_next().await.context("list the objects")? {
        if !known.contains(blob.key.as_str()) {
            objects
                .delete(&blob.key)
                .await
                .context("delete an old object")?;
        }
    }
    Ok(())
}
