//! Server functions of the members page.

#[cfg(feature = "ssr")]
use domain::{
    Action, Page, Timestamp, can, can_assign,
    invitations::{CreateInvitation, Invitation},
    members::{Member, UpdateMember},
};
use domain::{Error, InvitationId, Role, UserId};
use leptos::prelude::*;
use serde::{Deserialize, Serialize};

use crate::pages::settings::{Entry, Listing};
#[cfg(feature = "ssr")]
use crate::{
    layout::open_membership,
    time::{age, until},
    ui::{capitalized, or},
};

/// What the members page shows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Team {
    /// A page of members; the state is the role, the tags are roles to choose from.
    pub members: Listing,
    /// Open invitations, at most 100; none for those who may not invite.
    pub invitations: Vec<Entry>,
    /// Roles that whoever looks may give; none for those who may not invite.
    pub roles: Vec<String>,
    /// Id of whoever looks.
    pub me: String,
}

/// Members, oldest first, and what whoever looks may change about them.
#[server]
pub async fn get_team(after: Option<String>) -> Result<Team, Error> {
    let platform = crate::context::platform()?;
    let me = platform.me().await?;
    let role = open_membership(&me).ok_or(Error::Forbidden)?.role;
    let members = platform.list_members(Page::new(None, after)?).await?;
    let invitations = if can(role, Action::ManageMembers) {
        platform.list_invitations(Page::first(100)).await?.items
    } else {
        Vec::new()
    };
    let now = crate::context::now();
    Ok(Team {
        members: Listing::of(members, |member| {
            member_entry(member, me.user.id, role, now)
        }),
        invitations: invitations
            .into_iter()
            .map(|invitation| invitation_entry(invitation, now))
            .collect(),
        roles: choices(role, None),
        me: me.user.id.to_string(),
    })
}

/// Changes a member's role.
#[server]
pub async fn change_role(id: UserId, role: Role) -> Result<(), Error> {
    crate::context::platform()?
        .update_member(id, UpdateMember { role })
        .await?;
    Ok(())
}

/// Ends a membership, also one's own.
#[server]
pub async fn remove_member(id: UserId) -> Result<(), Error> {
    crate::context::platform()?.remove_member(id).await
}

/// Invites somebody; answers the link, which is shown once.
#[server]
pub async fn invite(email: String, role: Role) -> Result<String, Error> {
    let created = crate::context::platform()?
        .create_invitation(CreateInvitation { email, role })
        .await?;
    Ok(created.link)
}

/// Takes an invitation back.
#[server]
pub async fn withdraw_invitation(id: InvitationId) -> Result<(), Error> {
    crate::context::platform()?.delete_invitation(id).await
}

/// Roles that an actor may give to somebody who has the role `from`, weakest first.
#[cfg(feature = "ssr")]
fn choices(actor: Role, from: Option<Role>) -> Vec<String> {
    Role::ALL
        .into_iter()
        .rev()
        .filter(|to| can_assign(actor, from, Some(*to)))
        .map(|to| to.to_string())
        .collect()
}

#[cfg(feature = "ssr")]
fn member_entry(member: Member, me: UserId, actor: Role, now: Timestamp) -> Entry {
    let Member {
        user,
        role,
        joined_at,
    } = member;
    let is_me = user.id == me;
    let joined = format!("joined {}", age(joined_at, now));
    let detail = if user.name.is_empty() {
        capitalized(&joined)
    } else {
        format!("{} · {joined}", user.email)
    };
    Entry {
        id: user.id.to_string(),
        title: or(&user.name, &user.email).to_owned(),
        note: if is_me { "(you)" } else { "" }.to_owned(),
        detail,
        state: role.to_string(),
        tags: if is_me {
            Vec::new()
        } else {
            choices(actor, Some(role))
        },
        is_removable: !is_me && can_assign(actor, Some(role), None),
        ..Entry::default()
    }
}

#[cfg(feature = "ssr")]
fn invitation_entry(invitation: Invitation, now: Timestamp) -> Entry {
    Entry {
        id: invitation.id.to_string(),
        title: invitation.email,
        detail: format!(
            "{} · invited by {} · link expires {}",
            capitalized(invitation.role.as_str()),
            invitation.invited_by,
            until(invitation.expires_at, now)
        ),
        is_removable: true,
        ..Entry::default()
    }
}
