//! The seam between the dashboard and the backend.

use async_trait::async_trait;

use crate::Error;
use crate::accounts::{Accounts, MachineCheck, SetUp, SignIn, SignedIn};
use crate::agents::Agents;
use crate::api_keys::ApiKeys;
use crate::conversations::Conversations;
use crate::models::Models;
use crate::runs::Runs;

/// Everything a signed-in actor can do. Every call is authorized against that actor.
pub trait Platform: Accounts + Agents + ApiKeys + Conversations + Models + Runs {}

impl<T: Accounts + Agents + ApiKeys + Conversations + Models + Runs> Platform for T {}

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
}
