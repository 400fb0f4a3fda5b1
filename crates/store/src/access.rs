//! Changes of what people may do, told to every process.
//!
//! PostgreSQL delivers a notice when, and only if, the transaction that sent it commits.

use domain::UserId;
use sqlx::PgConnection;
use sqlx::postgres::PgListener;

use crate::{Result, Store};

const CHANNEL: &str = "agentarea_access";

/// Hears whose access has changed.
#[derive(Debug)]
pub struct AccessChanges {
    listener: PgListener,
}

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

impl Store {
    /// Listens from now on. Holds a connection of the pool.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn listen_for_access_changes(&self) -> Result<AccessChanges> {
        let mut listener = PgListener::connect_with(self.pool()).await?;
        listener.listen(CHANNEL).await?;
        Ok(AccessChanges { listener })
    }
}

impl AccessChanges {
    /// The next person whose access has changed; `None` if some may have been missed.
    ///
    /// # Errors
    /// `Unavailable`; listen anew then.
    pub async fn next(&mut self) -> Result<Option<UserId>> {
        let notice = self.listener.try_recv().await?;
        Ok(notice.and_then(|notice| notice.payload().parse().ok()))
    }
}
