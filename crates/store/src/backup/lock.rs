//! One process at a time makes or prunes backups of a database: they share objects.

use anyhow::{Context, bail};

use crate::Store;
use crate::database::SystemConnection;

/// Number of the advisory lock: "back" in ASCII.
const LOCK: i64 = 0x6261_636b;

/// Held until it is dropped.
pub(super) struct Lock {
    /// Taken out of the pool, so that closing it gives the lock back.
    _connection: sqlx::PgConnection,
}

pub(super) async fn take(store: &Store) -> anyhow::Result<Lock> {
    let connection: SystemConnection = store.system().await.context("connect")?;
    let mut connection = connection.detach();
    let is_ours = sqlx::query_scalar!(r#"select pg_try_advisory_lock($1) as "is_ours!""#, LOCK)
        .fetch_one(&mut connection)
        .await
        .context("take the lock")?;
    if !is_ours {
        bail!("another process is making or pruning backups of this database");
    }
    Ok(Lock {
        _connection: connection,
    })
}
