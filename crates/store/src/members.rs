//! Members of a workspace.

use domain::accounts::User;
use domain::members::Member;
use domain::{Cursor, Page, Paged, Role, Timestamp, UserId};

use crate::Result;
use crate::access;
use crate::accounts::parse_role;
use crate::api_keys::parse_cursor;
use crate::database::TenantTx;

impl TenantTx {
    /// Members, by the age of their accounts, oldest first.
    pub async fn list_members(&mut self, page: &Page) -> Result<Paged<Member>> {
        let after = parse_cursor(page)?;
        let rows = sqlx::query!(
            "select u.id, u.email, u.name, u.created_at, m.role, m.created_at as joined_at
             from memberships m join users u on u.id = m.user_id
             where m.workspace_id = $1 and ($2::uuid is null or u.id > $2)
             order by u.id limit $3",
            self.workspace_id().uuid(),
            after,
            i64::from(page.limit) + 1
        )
        .fetch_all(self.connection())
        .await?;
        let members = rows
            .into_iter()
            .map(|row| {
                Ok(Member {
                    user: User {
                        id: row.id.into(),
                        email: row.email,
                        name: row.name,
                        created_at: row.created_at.into(),
                    },
                    role: parse_role(&row.role)?,
                    joined_at: row.joined_at.into(),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Paged::cut(members, page.limit, |member: &Member| {
            Cursor(member.user.id.to_string())
        }))
    }

    /// One member; `None` if the person is none here.
    pub async fn find_member(&mut self, id: UserId) -> Result<Option<Member>> {
        let row = sqlx::query!(
            "select u.id, u.email, u.name, u.created_at, m.role, m.created_at as joined_at
             from memberships m join users u on u.id = m.user_id
             where m.workspace_id = $1 and m.user_id = $2",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        row.map(|row| {
            Ok(Member {
                user: User {
                    id: row.id.into(),
                    email: row.email,
                    name: row.name,
                    created_at: row.created_at.into(),
                },
                role: parse_role(&row.role)?,
                joined_at: row.joined_at.into(),
            })
        })
        .transpose()
    }

    /// Whether the person with this address is a member.
    pub async fn is_member(&mut self, email: &str) -> Result<bool> {
        let is_member = sqlx::query_scalar!(
            r#"select exists (
                 select from memberships m join users u on u.id = m.user_id
                 where m.workspace_id = $1 and lower(u.email) = lower($2)
               ) as "is_member!""#,
            self.workspace_id().uuid(),
            email
        )
        .fetch_one(self.connection())
        .await?;
        Ok(is_member)
    }

    /// Tells every process that a person's access has changed, once the transaction commits.
    pub async fn announce_access(&mut self, id: UserId) -> Result<()> {
        access::announce(self.connection(), id).await
    }

    /// Lets nobody else change roles here until the end of the transaction, and counts the owners.
    pub async fn lock_owners(&mut self) -> Result<usize> {
        let owners = sqlx::query_scalar!(
            "select user_id from memberships where workspace_id = $1 and role = 'owner' for update",
            self.workspace_id().uuid()
        )
        .fetch_all(self.connection())
        .await?;
        Ok(owners.len())
    }

    /// Makes a person a member; an existing membership stays as it is. Tells whether it is new.
    pub async fn create_member(&mut self, id: UserId, role: Role, now: Timestamp) -> Result<bool> {
        let done = sqlx::query!(
            "insert into memberships (workspace_id, user_id, role, created_at)
             values ($1, $2, $3, $4) on conflict do nothing",
            self.workspace_id().uuid(),
            id.uuid(),
            role.as_str(),
            now.date_time()
        )
        .execute(self.connection())
        .await?;
        Ok(done.rows_affected() > 0)
    }

    /// Changes a role.
    pub async fn update_member(&mut self, id: UserId, role: Role) -> Result<()> {
        sqlx::query!(
            "update memberships set role = $3 where workspace_id = $1 and user_id = $2",
            self.workspace_id().uuid(),
            id.uuid(),
            role.as_str()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Ends a membership; the person's API keys here go with it.
    pub async fn delete_member(&mut self, id: UserId) -> Result<()> {
        sqlx::query!(
            "delete from memberships where workspace_id = $1 and user_id = $2",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }
}
