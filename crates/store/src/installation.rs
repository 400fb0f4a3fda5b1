//! Which installation this is, and which of its processes run containers.

use domain::Timestamp;
use sqlx::PgConnection;
use uuid::Uuid;

use crate::Result;

/// The id of this installation; `fresh` if it has had none.
pub async fn find_or_create(db: &mut PgConnection, fresh: Uuid) -> Result<Uuid> {
    sqlx::query!(
        "insert into installation (is_only, id) values (true, $1) on conflict do nothing",
        fresh
    )
    .execute(&mut *db)
    .await?;
    let id = sqlx::query_scalar!("select id from installation")
        .fetch_one(db)
        .await?;
    Ok(id)
}

/// A process that runs containers.
#[derive(Clone, Copy, Debug)]
pub struct ContainerProcess<'a> {
    /// Its id.
    pub id: Uuid,
    /// Where the others reach it.
    pub address: &'a str,
    /// Its engine's id; empty while none answers.
    pub engine: &'a str,
}

/// Notes that a process lives until then; forgets those that have been silent.
pub async fn put_process(
    db: &mut PgConnection,
    process: ContainerProcess<'_>,
    now: Timestamp,
    until: Timestamp,
) -> Result<()> {
    sqlx::query!(
        "with silent as (delete from container_processes where alive_until < $2 and id <> $1)
         insert into container_processes (id, alive_until, address, engine)
         values ($1, $3, $4, $5)
         on conflict (id) do update
           set alive_until = excluded.alive_until, engine = excluded.engine",
        process.id,
        now.date_time(),
        until.date_time(),
        process.address,
        process.engine
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The processes that live now.
pub async fn list_processes(db: &mut PgConnection, now: Timestamp) -> Result<Vec<Uuid>> {
    let ids = sqlx::query_scalar!(
        "select id from container_processes where alive_until >= $1",
        now.date_time()
    )
    .fetch_all(db)
    .await?;
    Ok(ids)
}

/// Notes that a process has ended.
pub async fn delete_process(db: &mut PgConnection, process: Uuid) -> Result<()> {
    sqlx::query!("delete from container_processes where id = $1", process)
        .execute(db)
        .await?;
    Ok(())
}
