//! Reading the database in one snapshot.

use std::io::Write;

use anyhow::Context;
use domain::WorkspaceId;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::TryStreamExt;
use sha2::{Digest, Sha256};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};
use uuid::Uuid;

use super::sealed::SealedWriter;
use super::tables::{self, Table, quoted, quoted_list};
use super::{Backups, ROOT, TableEntry};
use crate::Store;
use crate::files::blob_key;

/// Settings that the text of a value depends on.
const PLAIN_TEXT: &str = "set local timezone = 'UTC'; set local datestyle = 'ISO, YMD'; \
     set local intervalstyle = 'iso_8601'; set local bytea_output = 'hex'; \
     set local extra_float_digits = 1; set local client_encoding = 'UTF8'";

/// A file whose content belongs to a snapshot.
#[derive(Clone, Debug)]
pub(super) struct SnapshotFile {
    pub(super) key: String,
    pub(super) id: Uuid,
    pub(super) size_bytes: u64,
    pub(super) sha256: String,
}

/// Where a table's content goes while it is read.
#[allow(clippy::large_enum_variant, reason = "there is one at a time")]
pub(super) enum Sink {
    /// Only counted and hashed.
    Nowhere,
    /// Packed and sealed.
    Sealed(GzEncoder<Vec<u8>>, SealedWriter),
}

impl Backups {
    /// Writes all tables; gives the schema's versions, the tables and the files.
    pub(super) async fn dump(
        &self,
        store: &Store,
        id: &str,
    ) -> anyhow::Result<(Vec<i64>, Vec<TableEntry>, Vec<SnapshotFile>)> {
        let mut connection = store.system().await.context("connect")?.detach();
        begin_snapshot(&mut connection).await?;
        let migrations = migrations(&mut connection).await?;
        let workspaces = workspaces(&mut connection).await?;
        let mut entries = Vec::new();
        for table in tables::list(&mut connection).await? {
            let place = format!("{ROOT}/{id}/tables/{}", table.name);
            let writer = SealedWriter::create(&self.blobs, &place, self.keyring.first()).await?;
            let packer = GzEncoder::new(Vec::new(), Compression::default());
            let sink = Sink::Sealed(packer, writer);
            let entry = read_table(&mut connection, &table, &workspaces, sink).await;
            entries.push(entry.with_context(|| format!("read the table {}", table.name))?);
        }
        let files = files(&mut connection).await?;
        connection.close().await.context("end the snapshot")?;
        Ok((migrations, entries, files))
    }
}

/// What the tables of a database hold, without writing it anywhere.
pub(super) async fn hash_tables(store: &Store) -> anyhow::Result<Vec<TableEntry>> {
    let mut connection = store.system().await.context("connect")?.detach();
    begin_snapshot(&mut connection).await?;
    let workspaces = workspaces(&mut connection).await?;
    let mut entries = Vec::new();
    for table in tables::list(&mut connection).await? {
        entries.push(read_table(&mut connection, &table, &workspaces, Sink::Nowhere).await?);
    }
    connection.close().await.context("end the snapshot")?;
    Ok(entries)
}

async fn begin_snapshot(db: &mut PgConnection) -> anyhow::Result<()> {
    let begin = format!("begin isolation level repeatable read read only; {PLAIN_TEXT}");
    db.execute(AssertSqlSafe(begin))
        .await
        .context("begin a snapshot")?;
    Ok(())
}

async fn migrations(db: &mut PgConnection) -> anyhow::Result<Vec<i64>> {
    sqlx::query_scalar("select version from _sqlx_migrations where success order by version")
        .fetch_all(db)
        .await
        .context("read the schema's version")
}

async fn workspaces(db: &mut PgConnection) -> anyhow::Result<Vec<WorkspaceId>> {
    let ids = sqlx::query_scalar!("select id from workspaces order by id")
        .fetch_all(db)
        .await
        .context("list the workspaces")?;
    Ok(ids.into_iter().map(WorkspaceId::from).collect())
}

async fn files(db: &mut PgConnection) -> anyhow::Result<Vec<SnapshotFile>> {
    let rows = sqlx::query!(
        r#"select workspace_id, id, size_bytes, encode(sha256, 'hex') as "sha256!"
           from files where state = 'ready' order by workspace_id, id"#
    )
    .fetch_all(db)
    .await
    .context("list the files")?;
    Ok(rows
        .into_iter()
        .map(|row| SnapshotFile {
            key: blob_key(row.workspace_id.into(), row.id.into()),
            id: row.id,
            size_bytes: row.size_bytes as u64,
            sha256: row.sha256,
        })
        .collect())
}

/// Reads a table in the order of its key. Tenants' rows are read as each tenant, one after the
/// other: nobody else may see them all.
async fn read_table(
    db: &mut PgConnection,
    table: &Table,
    workspaces: &[WorkspaceId],
    mut sink: Sink,
) -> anyhow::Result<TableEntry> {
    let mut hash = Sha256::new();
    let mut rows = 0;
    let columns = quoted_list(&table.columns);
    let mut select = format!("select {columns} from {}", quoted(&table.name));
    if table.is_tenants {
        // Also for a role that policies do not bind.
        select += " where workspace_id = current_setting('app.workspace_id')::uuid";
    }
    if !table.order.is_empty() {
        select += &format!(" order by {}", table.order.join(", "));
    }
    let copy = format!("copy ({select}) to stdout (format text, encoding 'UTF8')");
    if !table.is_tenants {
        rows += copy_out(db, &copy, &mut hash, &mut sink).await?;
    } else {
        for workspace_id in workspaces {
            crate::database::enter(db, *workspace_id).await?;
            rows += copy_out(db, &copy, &mut hash, &mut sink).await?;
            db.execute("reset role")
                .await
                .context("leave the workspace")?;
        }
    }
    if let Sink::Sealed(packer, mut writer) = sink {
        writer.add(&packer.finish().context("pack")?).await?;
        writer.finish().await?;
    }
    Ok(TableEntry {
        name: table.name.clone(),
        columns: table.columns.clone(),
        rows,
        sha256: hex(&hash.finalize()),
    })
}

async fn copy_out(
    db: &mut PgConnection,
    copy: &str,
    hash: &mut Sha256,
    sink: &mut Sink,
) -> anyhow::Result<u64> {
    let mut rows = 0;
    let mut content = db.copy_out_raw(copy).await.context("begin to read")?;
    while let Some(bytes) = content.try_next().await.context("read")? {
        // In this format a line break inside a value is written as a backslash and a letter.
        rows += bytes.iter().filter(|byte| **byte == b'\n').count() as u64;
        hash.update(&bytes);
        if let Sink::Sealed(packer, writer) = sink {
            packer.write_all(&bytes).context("pack")?;
            let packed = std::mem::take(packer.get_mut());
            writer.add(&packed).await?;
        }
    }
    Ok(rows)
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
