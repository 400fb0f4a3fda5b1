//! Users, workspaces and memberships.

use domain::accounts::{Membership, User, Workspace};
use domain::{Role, Timestamp, UserId, WorkspaceId};
use sqlx::PgConnection;

use crate::{Result, Store};

/// A user as sign-in needs it.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// The user.
    pub user: User,
    /// PHC string of the password.
    pub password_hash: String,
}

/// Whether any user exists.
pub async fn any_user_exists(db: &mut PgConnection) -> Result<bool> {
    let exists = sqlx::query_scalar!(r#"select exists (select from users) as "exists!""#)
        .fetch_one(db)
        .await?;
    Ok(exists)
}

/// Finds a user by address, whatever its case.
pub async fn find_credentials(db: &mut PgConnection, email: &str) -> Result<Option<Credentials>> {
    let row = sqlx::query!(
        "select id, email, password_hash, created_at from users where lower(email) = lower($1)",
        email
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Credentials {
        user: User {
            id: row.id.into(),
            email: row.email,
            created_at: row.created_at.into(),
        },
        password_hash: row.password_hash,
    }))
}

/// One user.
pub async fn find_user(db: &mut PgConnection, id: UserId) -> Result<Option<User>> {
    let row = sqlx::query!(
        "select id, email, created_at from users where id = $1",
        id.uuid()
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| User {
        id: row.id.into(),
        email: row.email,
        created_at: row.created_at.into(),
    }))
}

/// A person's workspaces, in the order they joined.
pub async fn list_memberships(db: &mut PgConnection, user_id: UserId) -> Result<Vec<Membership>> {
    let rows = sqlx::query!(
        "select w.id, w.name, w.created_at, m.role
         from memberships m join workspaces w on w.id = m.workspace_id
         where m.user_id = $1 order by m.created_at, w.id",
        user_id.uuid()
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            Ok(Membership {
                workspace: Workspace {
                    id: row.id.into(),
                    name: row.name,
                    created_at: row.created_at.into(),
                },
                role: parse_role(&row.role)?,
            })
        })
        .collect()
}

/// A person's role in a workspace.
pub async fn find_role(
    db: &mut PgConnection,
    user_id: UserId,
    workspace_id: WorkspaceId,
) -> Result<Option<Role>> {
    let role = sqlx::query_scalar!(
        "select role from memberships where user_id = $1 and workspace_id = $2",
        user_id.uuid(),
        workspace_id.uuid()
    )
    .fetch_optional(db)
    .await?;
    role.as_deref().map(parse_role).transpose()
}

/// Finds a workspace by its exact name, the oldest first.
pub async fn find_workspace(db: &mut PgConnection, name: &str) -> Result<Option<Workspace>> {
    let row = sqlx::query!(
        "select id, name, created_at from workspaces where name = $1 order by created_at limit 1",
        name
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Workspace {
        id: row.id.into(),
        name: row.name,
        created_at: row.created_at.into(),
    }))
}

impl Store {
    /// Begins work that makes users and workspaces, which belong to no tenant yet.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn begin_accounts(&self) -> Result<AccountsTx> {
        let mut tx = self.pool().begin().await?;
        // One at a time, so that two first visits cannot both become the owner.
        sqlx::query!("select pg_advisory_xact_lock(hashtext('agentarea accounts'))")
            .fetch_one(&mut *tx)
            .await?;
        Ok(AccountsTx { tx })
    }
}

/// A transaction that makes users and workspaces. Held by one process at a time.
#[derive(Debug)]
pub struct AccountsTx {
    tx: sqlx::Transaction<'static, sqlx::Postgres>,
}

impl AccountsTx {
    /// The connection, for the look-ups of this module.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Writes a user.
    ///
    /// # Errors
    /// `Constraint("users_email_key")` if the address is taken.
    pub async fn create_user(&mut self, user: &User, password_hash: &str) -> Result<()> {
        sqlx::query!(
            "insert into users (id, email, password_hash, created_at) values ($1, $2, $3, $4)",
            user.id.uuid(),
            user.email,
            password_hash,
            user.created_at.date_time()
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Writes a workspace.
    pub async fn create_workspace(&mut self, workspace: &Workspace) -> Result<()> {
        sqlx::query!(
            "insert into workspaces (id, name, created_at) values ($1, $2, $3)",
            workspace.id.uuid(),
            workspace.name,
            workspace.created_at.date_time()
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Makes a person a member; an existing membership stays as it is.
    pub async fn add_member(
        &mut self,
        workspace_id: WorkspaceId,
        user_id: UserId,
        role: Role,
        now: Timestamp,
    ) -> Result<()> {
        sqlx::query!(
            "insert into memberships (workspace_id, user_id, role, created_at)
             values ($1, $2, $3, $4) on conflict do nothing",
            workspace_id.uuid(),
            user_id.uuid(),
            role.as_str(),
            now.date_time()
        )
        .execute(&mut *self.tx)
        .await?;
        Ok(())
    }

    /// Makes everything done in it last.
    pub async fn commit(self) -> Result<()> {
        Ok(self.tx.commit().await?)
    }
}

pub(crate) fn parse_role(role: &str) -> Result<Role> {
    role.parse()
        .map_err(|error: String| anyhow::anyhow!(error).into())
}
