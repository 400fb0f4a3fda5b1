//! Signed-in browsers.

use domain::accounts::BrowserSession;
use domain::{Cursor, Page, Paged, Role, Scopes, SessionId, Timestamp, UserId, WorkspaceId};
use sqlx::PgConnection;

use crate::Result;
use crate::accounts::parse_role;
use crate::api_keys::parse_cursor;

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
    /// Network address of the browser.
    pub address: &'a str,
    /// What the browser says it is.
    pub user_agent: &'a str,
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
    /// What the session or key may be used for.
    pub scopes: Scopes,
    /// Last recorded use.
    pub seen_at: Option<Timestamp>,
}

/// Writes a session.
pub async fn create(db: &mut PgConnection, session: NewSession<'_>) -> Result<()> {
    sqlx::query!(
        "insert into sessions
           (id, token_hash, user_id, workspace_id, address, user_agent, created_at, seen_at)
         values ($1, $2, $3, $4, $5, $6, $7, $7)",
        session.id.uuid(),
        session.token_hash,
        session.user_id.uuid(),
        session.workspace_id.uuid(),
        session.address,
        session.user_agent,
        session.now.date_time()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// A session that was found by its token.
#[derive(Clone, Copy, Debug)]
pub struct FoundSession {
    /// Whose it is.
    pub principal: Principal<SessionId>,
    /// Whether this very token must be replaced.
    pub must_renew: bool,
    /// Whether the token is not one that was replaced.
    pub is_current: bool,
}

/// Who holds a token that was used after `alive_since`, or one that was replaced a moment before
/// `now`; nobody if no longer a member.
pub async fn find(
    db: &mut PgConnection,
    token_hash: &[u8],
    alive_since: Timestamp,
    now: Timestamp,
) -> Result<Option<FoundSession>> {
    let row = sqlx::query!(
        r#"select s.id, s.user_id, s.workspace_id, s.seen_at, m.role,
             s.must_renew and s.token_hash = $1 as "must_renew!",
             s.token_hash = $1 as "is_current!"
           from sessions s join memberships m using (workspace_id, user_id)
           where (s.token_hash = $1 or (s.former_hash = $1 and s.former_until > $3))
             and s.seen_at > $2"#,
        token_hash,
        alive_since.date_time(),
        now.date_time()
    )
    .fetch_optional(db)
    .await?;
    row.map(|row| {
        let principal = Principal {
            id: row.id.into(),
            user_id: row.user_id.into(),
            workspace_id: row.workspace_id.into(),
            role: parse_role(&row.role)?,
            scopes: Scopes::ALL,
            seen_at: Some(row.seen_at.into()),
        };
        Ok(FoundSession {
            principal,
            must_renew: row.must_renew,
            is_current: row.is_current,
        })
    })
    .transpose()
}

/// Replaces a token that must be renewed; it still works until `former_until`.
///
/// Of several requests at once one replaces it; tells whether this was the one.
pub async fn replace_token(
    db: &mut PgConnection,
    id: SessionId,
    (former_hash, former_until): (&[u8], Timestamp),
    token_hash: &[u8],
) -> Result<bool> {
    let done = sqlx::query!(
        "update sessions
         set token_hash = $4, former_hash = $2, former_until = $3, must_renew = false
         where id = $1 and token_hash = $2 and must_renew",
        id.uuid(),
        former_hash,
        former_until.date_time(),
        token_hash
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
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

/// A person's sessions used after `alive_since`, the last used first; `current` is marked.
pub async fn list(
    db: &mut PgConnection,
    user_id: UserId,
    current: Option<SessionId>,
    alive_since: Timestamp,
    page: &Page,
) -> Result<Paged<BrowserSession>> {
    let after = parse_cursor(page)?;
    let rows = sqlx::query!(
        "select id, address, user_agent, created_at, seen_at from sessions
         where user_id = $1 and seen_at > $2
           and ($3::uuid is null
                or (seen_at, id) < (select s.seen_at, s.id from sessions s where s.id = $3))
         order by seen_at desc, id desc limit $4",
        user_id.uuid(),
        alive_since.date_time(),
        after,
        i64::from(page.limit) + 1
    )
    .fetch_all(db)
    .await?;
    let sessions = rows
        .into_iter()
        .map(|row| BrowserSession {
            id: row.id.into(),
            address: row.address,
            user_agent: row.user_agent,
            created_at: row.created_at.into(),
            seen_at: row.seen_at.into(),
            is_current: current.is_some_and(|current| current.uuid() == row.id),
        })
        .collect();
    Ok(Paged::cut(
        sessions,
        page.limit,
        |session: &BrowserSession| Cursor(session.id.to_string()),
    ))
}

/// Gives a session a new token and the workspace it looks at from now on; no former token works.
pub async fn renew(
    db: &mut PgConnection,
    id: SessionId,
    token_hash: &[u8],
    workspace_id: WorkspaceId,
) -> Result<()> {
    sqlx::query!(
        "update sessions
         set token_hash = $2, workspace_id = $3, must_renew = false, former_hash = null,
           former_until = null
         where id = $1",
        id.uuid(),
        token_hash,
        workspace_id.uuid()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// Ends a person's session; tells whether it was there.
pub async fn delete(db: &mut PgConnection, user_id: UserId, id: SessionId) -> Result<bool> {
    let done = sqlx::query!(
        "delete from sessions where user_id = $1 and id = $2",
        user_id.uuid(),
        id.uuid()
    )
    .execute(db)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// Ends all sessions of a person but `kept`.
pub async fn delete_others(
    db: &mut PgConnection,
    user_id: UserId,
    kept: Option<SessionId>,
) -> Result<()> {
    sqlx::query!(
        "delete from sessions where user_id = $1 and ($2::uuid is null or id <> $2)",
        user_id.uuid(),
        kept.map(SessionId::uuid)
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The workspace of a session and the person's role there now; `None` once either is over.
pub async fn find_role(
    db: &mut PgConnection,
    id: SessionId,
    workspace_id: WorkspaceId,
    alive_since: Timestamp,
) -> Result<Option<Role>> {
    let role = sqlx::query_scalar!(
        "select m.role from sessions s join memberships m on m.user_id = s.user_id
         where s.id = $1 and m.workspace_id = $2 and s.seen_at > $3",
        id.uuid(),
        workspace_id.uuid(),
        alive_since.date_time()
    )
    .fetch_optional(db)
    .await?;
    role.as_deref().map(parse_role).transpose()
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
