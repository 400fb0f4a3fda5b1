//! Members of a workspace.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::accounts::User;
use crate::{Error, Page, Paged, Role, Timestamp, UserId};

/// A person in a workspace.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Member {
    /// The person.
    pub user: User,
    /// What the person is here.
    pub role: Role,
    /// Since when.
    pub joined_at: Timestamp,
}

/// Change of a membership.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct UpdateMember {
    /// The new role.
    pub role: Role,
}

/// The workspace's members. Every change closes the live streams of the person concerned.
#[async_trait]
pub trait Members: Send + Sync {
    /// Lists the members, oldest first.
    async fn list_members(&self, page: Page) -> Result<Paged<Member>, Error>;

    /// Changes a role.
    ///
    /// # Errors
    /// `NotFound`; `Forbidden` if only an owner may do it; `Conflict` for the last owner.
    async fn update_member(&self, id: UserId, input: UpdateMember) -> Result<Member, Error>;

    /// Ends a membership, with the person's API keys here. Everybody may remove themselves.
    ///
    /// # Errors
    /// As for [`Members::update_member`].
    async fn remove_member(&self, id: UserId) -> Result<(), Error>;
}
