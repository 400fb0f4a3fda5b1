//! Inviting people; accepting is part of the entrance.

use async_trait::async_trait;
use domain::audit::Deed;
use domain::invitations::{CreateInvitation, CreatedInvitation, Invitation, Invitations};
use domain::{Action, Error, InvitationId, Page, Paged, can_assign};
use time::Duration;

use crate::fault::OrFault;
use crate::{Session, mint};

/// How long an invitation can be accepted.
const LIFETIME: Duration = Duration::days(7);

#[async_trait]
impl Invitations for Session {
    async fn list_invitations(&self, page: Page) -> Result<Paged<Invitation>, Error> {
        let mut tx = self.begin(Action::ManageMembers).await?;
        tx.list_invitations(mint::now(), &page).await.or_fault()
    }

    async fn create_invitation(&self, input: CreateInvitation) -> Result<CreatedInvitation, Error> {
        let mut change = self
            .change(Action::ManageMembers, Deed::InvitationCreate)
            .await?;
        if !can_assign(self.actor.role, None, Some(input.role)) {
            return self.refuse(Deed::InvitationCreate).await;
        }
        input.validate()?;
        let email = input.email.trim().to_lowercase();
        if change.is_member(&email).await.or_fault()? {
            return Err(Error::invalid(
                "email",
                "is a member of this workspace already",
            ));
        }
        let inviter = change.find_member(self.actor.user_id).await.or_fault()?;
        let token = mint::token();
        let now = mint::now();
        let invitation = Invitation {
            id: mint::id(),
            email,
            role: input.role,
            invited_by: inviter.ok_or(Error::Unauthenticated)?.user.email,
            created_at: now,
            expires_at: (now.date_time() + LIFETIME).into(),
        };
        change
            .create_invitation(&invitation, self.actor.user_id, &mint::hash(&token))
            .await
            .or_fault()?;
        let what = format!("{}: {}", invitation.email, invitation.role);
        change.commit(invitation.id.uuid(), &what).await?;
        let origin = &self.services.config.public_url;
        Ok(CreatedInvitation {
            link: format!("{origin}/invitations/{token}"),
            invitation,
        })
    }

    async fn delete_invitation(&self, id: InvitationId) -> Result<(), Error> {
        let mut change = self
            .change(Action::ManageMembers, Deed::InvitationDelete)
            .await?;
        let email = change.delete_invitation(id).await.or_fault()?;
        let email = email.ok_or(Error::NotFound)?;
        change.commit(id.uuid(), &email).await
    }
}
