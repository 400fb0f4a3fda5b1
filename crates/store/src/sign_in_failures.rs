//! Failed sign-ins, by whom or what they are counted.

use domain::Timestamp;
use sqlx::PgConnection;

use crate::Result;

/// When the failures of a subject since `since` happened, oldest first.
pub async fn list(
    db: &mut PgConnection,
    subject: &[u8],
    since: Timestamp,
) -> Result<Vec<Timestamp>> {
    let failed_at = sqlx::query_scalar!(
        r#"select array(select t from unnest(failed_at) t where t > $2 order by t) as "failed_at!"
           from sign_in_failures where subject = $1"#,
        subject,
        since.date_time()
    )
    .fetch_optional(db)
    .await?;
    Ok(failed_at
        .unwrap_or_default()
        .into_iter()
        .map(Into::into)
        .collect())
}

/// Adds a failure; forgets those before `since`.
pub async fn create(
    db: &mut PgConnection,
    subject: &[u8],
    now: Timestamp,
    since: Timestamp,
) -> Result<()> {
    sqlx::query!(
        "insert into sign_in_failures (subject, failed_at) values ($1, array[$2::timestamptz])
         on conflict (subject) do update set failed_at = array(
           select t from unnest(sign_in_failures.failed_at) t where t > $3 order by t
         ) || $2::timestamptz",
        subject,
        now.date_time(),
        since.date_time()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Forgets the failures of a subject.
pub async fn delete(db: &mut PgConnection, subject: &[u8]) -> Result<()> {
    sqlx::query!("delete from sign_in_failures where subject = $1", subject)
        .execute(db)
        .await?;
    Ok(())
}

/// Forgets what nobody counts any more.
pub async fn delete_old(db: &mut PgConnection, since: Timestamp) -> Result<()> {
    sqlx::query!(
        "delete from sign_in_failures where not exists (
           select from unnest(failed_at) t where t > $1)",
        since.date_time()
    )
    .execute(db)
    .await?;
    Ok(())
}
