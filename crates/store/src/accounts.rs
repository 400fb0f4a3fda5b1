//! Users, workspaces and memberships.

use std::sync::Arc;

use domain::accounts::{Membership, User, Workspace};
use domain::{Role, UserId, WorkspaceId};
use sqlx::PgConnection;

use crate::database::{begin, enter};
use crate::replicas::Replicas;
use crate::{Result, Store, TenantTx};

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
        "select id, email, name, password_hash, created_at from users where lower(email) = lower($1)",
        email
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| Credentials {
        user: User {
            id: row.id.into(),
            email: row.email,
            name: row.name,
            created_at: row.created_at.into(),
        },
        password_hash: row.password_hash,
    }))
}

/// One user.
pub async fn find_user(db: &mut PgConnection, id: UserId) -> Result<Option<User>> {
    let row = sqlx::query!(
        "select id, email, name, created_at from users where id = $1",
        id.uuid()
    )
    .fetch_optional(db)
    .await?;
    Ok(row.map(|row| User {
        id: row.id.into(),
        email: row.email,
        name: row.name,
        created_at: row.created_at.into(),
    }))
}

/// A person and their workspaces, in the order they joined.
pub async fn find_account(
    db: &mut PgConnection,
    id: UserId,
) -> Result<Option<(User, Vec<Membership>)>> {
    let rows = sqlx::query!(
        r#"select u.email, u.name, u.created_at, w.id as "workspace_id?",
             w.name as "workspace_name?", w.created_at as "workspace_created_at?", m.role as "role?"
           from users u
           left join memberships m on m.user_id = u.id
           left join workspaces w on w.id = m.workspace_id
           where u.id = $1 order by m.created_at, w.id"#,
        id.uuid()
    )
    .fetch_all(db)
    .await?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let user = User {
        id,
        email: row.email.clone(),
        name: row.name.clone(),
        created_at: row.created_at.into(),
    };
    let mut memberships = Vec::with_capacity(rows.len());
    for row in rows {
        if let (Some(id), Some(name), Some(created_at), Some(role)) = (
            row.workspace_id,
            row.workspace_name,
            row.workspace_created_at,
            row.role,
        ) {
            memberships.push(Membership {
                workspace: Workspace {
                    id: id.into(),
                    name,
                    created_at: created_at.into(),
                },
                role: parse_role(&role)?,
            });
        }
    }
    Ok(Some((user, memberships)))
}

/// Changes the name that others see.
pub async fn rename_user(db: &mut PgConnection, id: UserId, name: &str) -> Result<()> {
    sqlx::query!("update users set name = $2 where id = $1", id.uuid(), name)
        .execute(db)
        .await?;
    Ok(())
}

/// Changes a password.
pub async fn update_password(db: &mut PgConnection, id: UserId, password_hash: &str) -> Result<()> {
    sqlx::query!(
        "update users set password_hash = $2 where id = $1",
        id.uuid(),
        password_hash
    )
    .execute(db)
    .await?;
    Ok(())
}

/// PHC string of a person's password.
pub async fn find_password(db: &mut PgConnection, id: UserId) -> Result<Option<String>> {
    let hash = sqlx::query_scalar!("select password_hash from users where id = $1", id.uuid())
        .fetch_optional(db)
        .await?;
    Ok(hash)
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
    /// Begins work on people, sessions and workspaces, which belong to no tenant.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn begin_system(&self) -> Result<SystemTx> {
        let tx = begin(self.pool(), "begin".to_owned()).await?;
        let replicas = self.shared_replicas();
        Ok(SystemTx { tx, replicas })
    }
}

/// A transaction on what belongs to no tenant. Dropping it without committing undoes everything.
#[derive(Debug)]
pub struct SystemTx {
    tx: sqlx::Transaction<'static, sqlx::Postgres>,
    /// To be told of a commit inside a workspace.
    replicas: Option<Arc<Replicas>>,
}

impl SystemTx {
    /// The connection, for the functions of this crate.
    pub fn connection(&mut self) -> &mut PgConnection {
        &mut self.tx
    }

    /// Waits until nobody else makes users or workspaces, so that two first visits cannot both
    /// become the owner.
    pub async fn lock_accounts(&mut self) -> Result<()> {
        sqlx::query!("select pg_advisory_xact_lock(hashtext('agentarea accounts'))")
            .fetch_one(&mut *self.tx)
            .await?;
        Ok(())
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

    /// Goes on inside one workspace, in the same transaction.
    pub async fn into_tenant(mut self, workspace_id: WorkspaceId) -> Result<TenantTx> {
        enter(&mut self.tx, workspace_id).await?;
        Ok(TenantTx::inside(self.tx, workspace_id, self.replicas))
    }
}

impl TenantTx {
    /// The workspace itself; `None` if it was deleted.
    pub async fn find_own_workspace(&mut self) -> Result<Option<Workspace>> {
        let row = sqlx::query!(
            "select id, name, created_at from workspaces where id = $1",
            self.workspace_id().uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(row.map(|row| Workspace {
            id: row.id.into(),
            name: row.name,
            created_at: row.created_at.into(),
        }))
    }

    /// Renames the workspace.
    pub async fn rename_workspace(&mut self, name: &str) -> Result<()> {
        sqlx::query!(
            "update workspaces set name = $2 where id = $1",
            self.workspace_id().uuid(),
            name
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}

pub(crate) fn parse_role(role: &str) -> Result<Role> {
    role.parse()
        .map_err(|error: String| anyhow::anyhow!(error).into())
}
