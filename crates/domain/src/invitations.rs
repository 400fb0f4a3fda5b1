//! Invitations: links that make their holder a member.

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::accounts::{check_email, check_new_password};
use crate::{Error, FieldErrors, InvitationId, Page, Paged, Role, Secret, Timestamp};

/// An invitation that nobody has accepted yet.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Invitation {
    /// The id.
    pub id: InvitationId,
    /// Address of the person invited; the account will have it.
    pub email: String,
    /// What the person will be.
    pub role: Role,
    /// Address of the person who invited.
    pub invited_by: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it stops working: seven days later.
    pub expires_at: Timestamp,
}

/// A new invitation; the only answer that ever holds its link.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CreatedInvitation {
    /// The stored part.
    #[serde(flatten)]
    pub invitation: Invitation,
    /// The link to send, shown once.
    pub link: String,
}

/// Input for a new invitation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CreateInvitation {
    /// Address of the person.
    pub email: String,
    /// What the person shall be.
    pub role: Role,
}

/// What the holder of a link is offered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Offer {
    /// Name of the workspace.
    pub workspace: String,
    /// Address that was invited.
    pub email: String,
    /// What the person will be.
    pub role: Role,
    /// Address of the person who invited.
    pub invited_by: String,
    /// Whether the address has an account, whose password must be given.
    pub has_account: bool,
    /// When the offer ends.
    pub expires_at: Timestamp,
}

/// Acceptance of an invitation.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AcceptInvitation {
    /// Last part of the link.
    pub token: Secret,
    /// Password of the account: a new one, or that of the account which exists.
    pub password: Secret,
}

/// The workspace's open invitations.
#[async_trait]
pub trait Invitations: Send + Sync {
    /// Lists the invitations that can still be accepted, newest first.
    async fn list_invitations(&self, page: Page) -> Result<Paged<Invitation>, Error>;

    /// Invites somebody. An earlier invitation of the same address stops working.
    ///
    /// # Errors
    /// `Invalid`, also for an address that is a member already; `Forbidden` if only an owner may
    /// give that role.
    async fn create_invitation(&self, input: CreateInvitation) -> Result<CreatedInvitation, Error>;

    /// Takes an invitation back.
    ///
    /// # Errors
    /// `NotFound`.
    async fn delete_invitation(&self, id: InvitationId) -> Result<(), Error>;
}

impl CreateInvitation {
    /// Checks every field.
    ///
    /// # Errors
    /// `Invalid` naming each wrong field.
    pub fn validate(&self) -> Result<(), Error> {
        let mut errors = FieldErrors::default();
        check_email(&mut errors, &self.email);
        errors.finish()
    }
}

impl AcceptInvitation {
    /// Checks the password of an account to be made.
    ///
    /// # Errors
    /// `Invalid`.
    pub fn validate(&self) -> Result<(), Error> {
        let mut errors = FieldErrors::default();
        check_new_password(&mut errors, "password", &self.password);
        errors.finish()
    }
}
