//! API keys, stored as hashes.

use domain::api_keys::ApiKey;
use domain::{Action, ApiKeyId, Cursor, Page, Paged, Role, Scopes, Timestamp, UserId};
use sqlx::PgConnection;

use crate::accounts::parse_role;
use crate::database::TenantTx;
use crate::sessions::Principal;
use crate::{Error, Result};

impl TenantTx {
    /// Writes a key.
    pub async fn create_api_key(
        &mut self,
        api_key: &ApiKey,
        user_id: UserId,
        secret_hash: &[u8],
    ) -> Result<()> {
        let scopes: Option<Vec<String>> = api_key.scopes.as_ref().map(|scopes| {
            scopes
                .iter()
                .map(|scope| scope.as_str().to_owned())
                .collect()
        });
        sqlx::query!(
            "insert into api_keys
               (id, workspace_id, user_id, name, prefix, secret_hash, expires_at, created_at, scopes)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
            api_key.id.uuid(),
            self.workspace_id().uuid(),
            user_id.uuid(),
            api_key.name,
            api_key.prefix,
            secret_hash,
            api_key.expires_at.map(Timestamp::date_time),
            api_key.created_at.date_time(),
            scopes.as_deref()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// A person's keys, newest first.
    pub async fn list_api_keys(&mut self, user_id: UserId, page: &Page) -> Result<Paged<ApiKey>> {
        let after = parse_cursor(page)?;
        let rows = sqlx::query!(
            "select id, name, prefix, scopes, expires_at, last_used_at, created_at from api_keys
             where workspace_id = $1 and user_id = $2 and ($3::uuid is null or id < $3)
             order by id desc limit $4",
            self.workspace_id().uuid(),
            user_id.uuid(),
            after,
            i64::from(page.limit) + 1
        )
        .fetch_all(self.connection())
        .await?;
        let api_keys = rows
            .into_iter()
            .map(|row| {
                Ok(ApiKey {
                    id: row.id.into(),
                    name: row.name,
                    prefix: row.prefix,
                    scopes: parse_scopes(row.scopes)?,
                    expires_at: row.expires_at.map(Into::into),
                    last_used_at: row.last_used_at.map(Into::into),
                    created_at: row.created_at.into(),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Paged::cut(api_keys, page.limit, |key: &ApiKey| {
            Cursor(key.id.to_string())
        }))
    }

    /// Deletes a person's key and gives its name; `None` if it was not there.
    pub async fn delete_api_key(
        &mut self,
        user_id: UserId,
        id: ApiKeyId,
    ) -> Result<Option<String>> {
        let name = sqlx::query_scalar!(
            "delete from api_keys where workspace_id = $1 and user_id = $2 and id = $3 returning name",
            self.workspace_id().uuid(),
            user_id.uuid(),
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(name)
    }
}

/// Who holds a key that has not expired, and when it will.
pub async fn find(
    db: &mut PgConnection,
    secret_hash: &[u8],
    now: Timestamp,
) -> Result<Option<(Principal<ApiKeyId>, Option<Timestamp>)>> {
    let row = sqlx::query!(
        "select k.id, k.user_id, k.workspace_id, k.scopes, k.expires_at, k.last_used_at, m.role
         from api_keys k join memberships m using (workspace_id, user_id)
         where k.secret_hash = $1 and (k.expires_at is null or k.expires_at > $2)",
        secret_hash,
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
            scopes: match parse_scopes(row.scopes)? {
                Some(scopes) => Scopes::of(scopes),
                None => Scopes::of_keys(),
            },
            seen_at: row.last_used_at.map(Into::into),
        };
        Ok((principal, row.expires_at.map(Into::into)))
    })
    .transpose()
}

/// Records that a key is in use.
pub async fn touch(db: &mut PgConnection, id: ApiKeyId, now: Timestamp) -> Result<()> {
    sqlx::query!(
        "update api_keys set last_used_at = $2 where id = $1",
        id.uuid(),
        now.date_time()
    )
    .execute(db)
    .await?;
    Ok(())
}

/// The role behind a key in its workspace now; `None` once the key or the membership is over.
pub async fn find_role(
    db: &mut PgConnection,
    id: ApiKeyId,
    now: Timestamp,
) -> Result<Option<Role>> {
    let role = sqlx::query_scalar!(
        "select m.role from api_keys k join memberships m using (workspace_id, user_id)
         where k.id = $1 and (k.expires_at is null or k.expires_at > $2)",
        id.uuid(),
        now.date_time()
    )
    .fetch_optional(db)
    .await?;
    role.as_deref().map(parse_role).transpose()
}

fn parse_scopes(scopes: Option<Vec<String>>) -> Result<Option<Vec<Action>>> {
    scopes
        .map(|scopes| {
            scopes
                .iter()
                .map(|scope| {
                    scope
                        .parse()
                        .map_err(|error: String| anyhow::anyhow!(error).into())
                })
                .collect()
        })
        .transpose()
}

/// Reads the cursor of a list that is ordered by id.
pub(crate) fn parse_cursor(page: &Page) -> Result<Option<uuid::Uuid>> {
    page.after
        .as_ref()
        .map(|cursor| cursor.0.parse().map_err(|_| Error::UnknownCursor))
        .transpose()
}
