//! When images on container engines were last used, and which of them servers name.
//!
//! Times are the database's, as those of leases.

use std::time::Duration;

use sqlx::PgConnection;
use uuid::Uuid;

use crate::Result;
use crate::mcp_instances::interval;

/// What servers name of images.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Named {
    /// Ids on an engine.
    pub ids: Vec<String>,
    /// Digests in a registry: `name@sha256:…`.
    pub digests: Vec<String>,
    /// References as people give them.
    pub references: Vec<String>,
}

/// Every image that a server has pinned or names, whether or not it runs.
pub async fn list_named(db: &mut PgConnection) -> Result<Named> {
    let rows = sqlx::query!(
        r#"select distinct source->>'pinned_image' as id, source->>'pinned_digest' as digest,
             source->>'image' as reference
           from mcp_servers where source->>'type' in ('container', 'package')"#
    )
    .fetch_all(db)
    .await?;
    let mut named = Named::default();
    for row in rows {
        named.ids.extend(row.id);
        named.digests.extend(row.digest);
        named.references.extend(row.reference);
    }
    Ok(named)
}

/// Notes that images are used now; those of `found` that nothing is known of begin now, too. Answers
/// for how long each of `found` has not been used.
pub async fn note_used(
    db: &mut PgConnection,
    found: &[String],
    used: &[String],
) -> Result<Vec<(String, Duration)>> {
    sqlx::query!(
        "insert into container_images (image, used_at) select unnest($1::text[]), now()
         on conflict (image) do update set used_at = excluded.used_at
           where container_images.image = any($2)",
        found,
        used
    )
    .execute(&mut *db)
    .await?;
    let rows = sqlx::query!(
        r#"select image, extract(epoch from now() - used_at)::bigint as "seconds!"
           from container_images where image = any($1)"#,
        found
    )
    .fetch_all(db)
    .await?;
    let unused = rows.into_iter().map(|row| {
        let seconds = u64::try_from(row.seconds).unwrap_or(0);
        (row.image, Duration::from_secs(seconds))
    });
    Ok(unused.collect())
}

/// Forgets an image that was removed, unless a use of it within `unused` has been noted meanwhile.
pub async fn forget(db: &mut PgConnection, image: &str, unused: Duration) -> Result<()> {
    sqlx::query!(
        "delete from container_images where image = $1 and used_at <= now() - $2::interval",
        image,
        interval(unused)
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Whether a process is to look after its engine's images: it leads the fleet, or whoever leads it
/// uses another engine.
pub async fn looks_after(db: &mut PgConnection, process: Uuid, engine: &str) -> Result<bool> {
    let is_ours = sqlx::query_scalar!(
        r#"select exists (
             select from installation i
             left join container_processes p on p.id = i.leader and i.leader_until >= now()
             where i.leader = $1 or p.engine <> $2) as "is_ours!""#,
        process,
        engine
    )
    .fetch_one(db)
    .await?;
    Ok(is_ours)
}
