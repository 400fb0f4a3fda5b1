//! Changes of what people may do, told to every process; `bus` listens.
//!
//! PostgreSQL delivers a notice when, and only if, the transaction that sent it commits.

use domain::UserId;
use sqlx::PgConnection;

use crate::Result;

pub(crate) const CHANNEL: &str = "agentarea_access";

/// Tells every process that a person's access has changed, once the transaction commits.
pub async fn announce(db: &mut PgConnection, user_id: UserId) -> Result<()> {
    sqlx::query!(
        r#"select pg_notify($1, $2) as "sent!: ()""#,
        CHANNEL,
        user_id.to_string()
    )
    .fetch_one(db)
    .await?;
    Ok(())
}
