//! Members of a workspace.

use async_trait::async_trait;
use domain::audit::Deed;
use domain::members::{Member, Members, UpdateMember};
use domain::{Action, Error, Page, Paged, Role, UserId, can_assign};

use crate::Session;
use crate::change::Change;
use crate::fault::OrFault;

#[async_trait]
impl Members for Session {
    async fn list_members(&self, page: Page) -> Result<Paged<Member>, Error> {
        let mut tx = self.begin(Action::Read).await?;
        tx.list_members(&page).await.or_fault()
    }

    async fn update_member(&self, id: UserId, input: UpdateMember) -> Result<Member, Error> {
        let mut change = self
            .change(Action::ManageMembers, Deed::MemberUpdate)
            .await?;
        let member = self
            .assign(&mut change, id, Some(input.role), Deed::MemberUpdate)
            .await?;
        if member.role == input.role {
            return Ok(member);
        }
        change.update_member(id, input.role).await.or_fault()?;
        change.announce_access(id).await?;
        let what = format!("{}: {} → {}", member.user.email, member.role, input.role);
        change.commit(id.uuid(), &what).await?;
        Ok(Member {
            role: input.role,
            ..member
        })
    }

    async fn remove_member(&self, id: UserId) -> Result<(), Error> {
        let is_leaving = id == self.actor.user_id;
        let action = match is_leaving {
            true => Action::ManageOwnAccount,
            false => Action::ManageMembers,
        };
        let mut change = self.change(action, Deed::MemberDelete).await?;
        let member = match is_leaving {
            true => keep_an_owner(&mut change, id, None).await?,
            false => {
                self.assign(&mut change, id, None, Deed::MemberDelete)
                    .await?
            }
        };
        change.delete_member(id).await.or_fault()?;
        change.announce_access(id).await?;
        change.commit(id.uuid(), &member.user.email).await
    }
}

impl Session {
    /// Checks that the actor may make a member what `to` says, `None` being nothing.
    async fn assign(
        &self,
        change: &mut Change,
        id: UserId,
        to: Option<Role>,
        deed: Deed,
    ) -> Result<Member, Error> {
        let member = keep_an_owner(change, id, to).await;
        let from = match &member {
            Ok(member) => Some(member.role),
            Err(Error::Conflict { .. }) => Some(Role::Owner),
            Err(error) => return Err(error.clone()),
        };
        match can_assign(self.actor.role, from, to) {
            true => member,
            false => self.refuse(deed).await,
        }
    }
}

/// Finds a member, and checks that an owner is left if the member becomes `to`.
async fn keep_an_owner(change: &mut Change, id: UserId, to: Option<Role>) -> Result<Member, Error> {
    let owners = change.lock_owners().await.or_fault()?;
    let member = change.find_member(id).await.or_fault()?;
    let member = member.ok_or(Error::NotFound)?;
    if member.role == Role::Owner && to != Some(Role::Owner) && owners == 1 {
        return Err(Error::conflict(
            "a workspace needs an owner; make somebody else an owner first",
        ));
    }
    Ok(member)
}
