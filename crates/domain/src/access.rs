//! Who may do what: one pure table.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, UserId, WorkspaceId};

/// What a member is in a workspace, from most to least powerful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, including giving the workspace away.
    Owner,
    /// Everything but ownership.
    Admin,
    /// Builds agents and talks to them.
    Member,
    /// Reads.
    Viewer,
}

/// What can be asked of the platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// See the workspace's objects.
    Read,
    /// Talk to agents, cancel runs.
    Converse,
    /// Create, change and delete agents.
    BuildAgents,
    /// Create, change and delete model connections.
    ManageModels,
    /// Create and delete one's own API keys.
    ManageOwnApiKeys,
}

/// An authenticated person, in one workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The person.
    pub user_id: UserId,
    /// The workspace the request is about.
    pub workspace_id: WorkspaceId,
    /// What the person is there.
    pub role: Role,
}

/// Whether a role allows an action.
pub fn can(role: Role, action: Action) -> bool {
    match action {
        Action::Read | Action::ManageOwnApiKeys => true,
        Action::Converse | Action::BuildAgents => role != Role::Viewer,
        Action::ManageModels => matches!(role, Role::Owner | Role::Admin),
    }
}

impl Actor {
    /// Passes if the actor's role allows `action`.
    ///
    /// # Errors
    /// `Forbidden` otherwise.
    pub fn require(&self, action: Action) -> Result<(), Error> {
        if can(self.role, action) {
            Ok(())
        } else {
            Err(Error::Forbidden)
        }
    }
}

impl Role {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Admin => "admin",
            Self::Member => "member",
            Self::Viewer => "viewer",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "owner" => Ok(Self::Owner),
            "admin" => Ok(Self::Admin),
            "member" => Ok(Self::Member),
            "viewer" => Ok(Self::Viewer),
            other => Err(format!("no role is called {other:?}")),
        }
    }
}
