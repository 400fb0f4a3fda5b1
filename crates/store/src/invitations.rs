//! Invitations, their tokens stored as hashes.

use domain::invitations::{Invitation, Offer};
use domain::{Cursor, InvitationId, Page, Paged, Timestamp, UserId, WorkspaceId};
use sqlx::PgConnection;

use crate::Result;
use crate::accounts::parse_role;
use crate::api_keys::parse_cursor;
use crate::database::TenantTx;

/// An invitation as its acceptance needs it.
#[derive(Clone, Debug)]
pub struct OpenInvitation {
    /// The id.
    pub id: InvitationId,
    /// The workspace.
    pub workspace_id: WorkspaceId,
    /// What its holder is shown.
    pub offer: Offer,
}

impl TenantTx {
    /// Writes an invitation in place of an earlier one for the same address.
    pub async fn create_invitation(
        &mut self,
        invitation: &Invitation,
        invited_by: UserId,
        token_hash: &[u8],
    ) -> Result<()> {
        sqlx::query!(
            "insert into invitations
               (id, workspace_id, email, role, token_hash, invited_by, created_at, expires_at)
             values ($1, $2, $3, $4, $5, $6, $7, $8)
             on conflict (workspace_id, lower(email)) do update
               set id = $1, role = $4, token_hash = $5, invited_by = $6, created_at = $7,
                 expires_at = $8",
            invitation.id.uuid(),
            self.workspace_id().uuid(),
            invitation.email,
            invitation.role.as_str(),
            token_hash,
            invited_by.uuid(),
            invitation.created_at.date_time(),
            invitation.expires_at.date_time()
        )
        .execute(self.connection())
        .await?;
        Ok(())
    }

    /// Invitations that can still be accepted, newest first.
    pub async fn list_invitations(
        &mut self,
        now: Timestamp,
        page: &Page,
    ) -> Result<Paged<Invitation>> {
        let after = parse_cursor(page)?;
        let rows = sqlx::query!(
            "select i.id, i.email, i.role, u.email as invited_by, i.created_at, i.expires_at
             from invitations i join users u on u.id = i.invited_by
             where i.workspace_id = $1 and i.expires_at > $2 and ($3::uuid is null or i.id < $3)
             order by i.id desc limit $4",
            self.workspace_id().uuid(),
            now.date_time(),
            after,
            i64::from(page.limit) + 1
        )
        .fetch_all(self.connection())
        .await?;
        let invitations = rows
            .into_iter()
            .map(|row| {
                Ok(Invitation {
                    id: row.id.into(),
                    email: row.email,
                    role: parse_role(&row.role)?,
                    invited_by: row.invited_by,
                    created_at: row.created_at.into(),
                    expires_at: row.expires_at.into(),
                })
            })
            .collect::<Result<Vec<_>>>()?;
        Ok(Paged::cut(
            invitations,
            page.limit,
            |invitation: &Invitation| Cursor(invitation.id.to_string()),
        ))
    }

    /// Deletes an invitation and gives its address; `None` if it was not there.
    pub async fn delete_invitation(&mut self, id: InvitationId) -> Result<Option<String>> {
        let email = sqlx::query_scalar!(
            "delete from invitations where workspace_id = $1 and id = $2 returning email",
            self.workspace_id().uuid(),
            id.uuid()
        )
        .fetch_optional(self.connection())
        .await?;
        Ok(email)
    }
}

/// The invitation of a token, unless it has expired.
pub async fn find(
    db: &mut PgConnection,
    token_hash: &[u8],
    now: Timestamp,
) -> Result<Option<OpenInvitation>> {
    let row = sqlx::query!(
        r#"select i.id, i.workspace_id, w.name as workspace, i.email, i.role,
             u.email as invited_by, i.expires_at,
             exists (select from users where lower(users.email) = lower(i.email)) as "has_account!"
           from invitations i
           join workspaces w on w.id = i.workspace_id
           join users u on u.id = i.invited_by
           where i.token_hash = $1 and i.expires_at > $2"#,
        token_hash,
        now.date_time()
    )
    .fetch_optional(db)
    .await?;
    row.map(|row| {
        Ok(OpenInvitation {
            id: row.id.into(),
            workspace_id: row.workspace_id.into(),
            offer: Offer {
                workspace: row.workspace,
                email: row.email,
                role: parse_role(&row.role)?,
                invited_by: row.invited_by,
                has_account: row.has_account,
                expires_at: row.expires_at.into(),
            },
        })
    })
    .transpose()
}

/// Deletes what can no longer be accepted.
pub async fn delete_expired(db: &mut PgConnection, now: Timestamp) -> Result<()> {
    sqlx::query!(
        "delete from invitations where expires_at < $1",
        now.date_time()
    )
    .execute(db)
    .await?;
    Ok(())
}
