//! Signed-in browsers.

use domain::{Role, SessionId, Timestamp, UserId, WorkspaceId};
use sqlx::PgConnection;

use crate::Result;
use crate::accounts::parse_role;

/// A session to write.
#[derive(Clone, Debug)]
pub struct NewSession<'a> {
    /// The id.
    pub id: SessionId,
    /// SHA-256 of the token in the cookie.
    pub token_hash: &'a [u8],
    /// Who signed in.
    pub user_id: UserId,
    /// The workspace to look at.
    pub workspace_id: WorkspaceId,
    /// Now.
    pub now: Timestamp,
}

/// Who stands behind a session token or an API key.
#[derive(Clone, Copy, Debug)]
pub struct Principal<Id> {
    /// The session or key.
    pub id: Id,
    /// The person.
    pub user_id: UserId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// The person's role there.
    pub role: Role,
    /// Last recorded use.
    pub seen_at: Option<Timestamp>,
}

/// Writes a session.
pub async fn create(db: &mut PgConnection, session: NewSession<'_>) -> Result<()> {
    sqlx::query!(
        "insert into sessions (id, token_hash, user_id, workspace_id, created_at, seen_at)
         values ($1, $2, $3, $4, $5, $5)",
        session.id.uuid(),
        session.token_hash,
        session.user_id.uuid(),
        session.workspace_id.uuid(),
        session.now.date_time()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Who holds a token that was used after `alive_since`; nobody if no longer a member.
pub async fn find(
    db: &mut PgConnection,
    token_hash: &[u8],
    alive_since: Timestamp,
) -> Result<Option<Principal<SessionId>>> {
    let row = sqlx::query!(
        "select s.id, s.user_id, s.workspace_id, s.seen_at, m.role
         from sessions s join memberships m using (workspace_id, user_id)
         where s.token_hash = $1 and s.seen_at > $2",
        token_hash,
        alive_since.date_time()
    )
    .fetch_optional(db)
    .await?;
    row.map(|row| {
        Ok(Principal {
            id: row.id.into(),
            user_id: row.user_id.into(),
            workspace_id: row.workspace_id.into(),
            role: parse_role(&row.role)?,
            seen_at: Some(row.seen_at.into()),
        })
    })
    .transpose()
}

/// Records that a session is in use.
pub async fn touch(db: &mut PgConnection, id: SessionId, now: Timestamp) -> Result<()> {
    sqlx::query!(
        "update sessions set seen_at = $2 where id = $1",
        id.uuid(),
        now.date_time()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends a session; ending it twice is fine.
pub async fn delete(db: &mut PgConnection, id: SessionId) -> Result<()> {
    sqlx::query!("delete from sessions where id = $1", id.uuid())
        .execute(db)
        .await?;
    Ok(())
}

/// Deletes sessions not used since `before`.
pub async fn delete_stale(db: &mut PgConnection, before: Timestamp) -> Result<()> {
    sqlx::query!(
        "delete from sessions where seen_at < $1",
        before.date_time()
    )
    .execute(db)
    .await?;
    Ok(())
}
