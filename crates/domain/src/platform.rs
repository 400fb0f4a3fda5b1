//! The seam between the dashboard and the backend.

use async_trait::async_trait;

use crate::accounts::{Accounts, MachineCheck, SetUp, SignIn, SignedIn};
use crate::agents::Agents;
use crate::api_keys::ApiKeys;
use crate::approvals::Approvals;
use crate::audit::Audit;
use crate::budgets::Budgets;
use crate::conversations::Conversations;
use crate::files::Files;
use crate::invitations::{AcceptInvitation, Invitations, Offer};
use crate::mcp_servers::McpServers;
use crate::members::Members;
use crate::models::Models;
use crate::runs::Runs;
use crate::usage::Usages;
use crate::{Error, Secret};

/// Everything a signed-in actor can do. Every call is authorized against that actor.
pub trait Platform:
    Accounts
    + Agents
    + ApiKeys
    + Approvals
    + Audit
    + Budgets
    + Conversations
    + Files
    + Invitations
    + McpServers
    + Members
    + Models
    + Runs
    + Usages
{
}

impl<T> Platform for T where
    T: Accounts
        + Agents
        + ApiKeys
        + Approvals
        + Audit
        + Budgets
        + Budgets
        + Conversations
        + Files
        + Invitations
        + McpServers
        + Members
        + Models
        + Runs
        + Usages
{
}

/// What anybody can do before signing in.
#[async_trait]
pub trait Entrance: Send + Sync {
    /// Whether the first user exists.
    async fn is_set_up(&self) -> Result<bool, Error>;

    /// What the set-up page says about this machine.
    async fn check_machine(&self) -> Result<Vec<MachineCheck>, Error>;

    /// Makes the owner and the first workspace with the built-in model, and signs in.
    ///
    /// # Errors
    /// `NotFound` once a user exists; `Invalid`.
    async fn set_up(&self, input: SetUp) -> Result<SignedIn, Error>;

    /// Checks address and password, equally fast for known and unknown addresses.
    ///
    /// # Errors
    /// `Unauthenticated`; `RateLimited` after too many failures.
    async fn sign_in(&self, input: SignIn) -> Result<SignedIn, Error>;

    /// What the holder of an invitation's link is offered.
    ///
    /// # Errors
    /// `NotFound` if it is unknown, used, taken back or expired.
    async fn find_offer(&self, token: &Secret) -> Result<Offer, Error>;

    /// Makes the invited person a member, with a new account if there is none, and signs in.
    ///
    /// # Errors
    /// `NotFound` as for [`Entrance::find_offer`]; `Invalid` for a password that is too short, or
    /// wrong for the account that exists; `RateLimited` after too many wrong ones.
    async fn accept_invitation(&self, input: AcceptInvitation) -> Result<SignedIn, Error>;
}
