//! Who may do what: one pure table.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Error, UserId, WorkspaceId};

/// What a member is in a workspace, from most to least powerful.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Everything, including making other owners.
    Owner,
    /// Everything but ownership.
    Admin,
    /// Builds agents and talks to them.
    Member,
    /// Reads.
    Viewer,
}

/// What can be asked of the platform. An API key's scopes are actions, too.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// See the workspace's objects.
    Read,
    /// Talk to agents, cancel runs.
    Converse,
    /// Let a tool call that asks go ahead, or not.
    DecideApprovals,
    /// Create, change and delete agents.
    BuildAgents,
    /// Create, change and delete model connections.
    ManageModels,
    /// Add, change and delete tool servers; accept changed tool definitions.
    ManageTools,
    /// Invite and remove members, change roles; see [`can_assign`].
    ManageMembers,
    /// Rename the workspace, set its budgets.
    ManageWorkspace,
    /// See who changed what.
    ReadAudit,
    /// Make further workspaces.
    CreateWorkspaces,
    /// Create and delete one's own API keys.
    ManageOwnApiKeys,
    /// Change one's own name and password, see and end one's own sessions. Never with an API key.
    ManageOwnAccount,
}

/// A set of actions.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Scopes(u16);

/// An authenticated person, in one workspace.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Actor {
    /// The person.
    pub user_id: UserId,
    /// The workspace the request is about.
    pub workspace_id: WorkspaceId,
    /// What the person is there.
    pub role: Role,
    /// What the session or key may be used for, whatever the role.
    pub scopes: Scopes,
}

/// Whether a role allows an action.
pub fn can(role: Role, action: Action) -> bool {
    use Action::*;
    match action {
        Read | ManageOwnApiKeys | ManageOwnAccount => true,
        Converse | DecideApprovals | BuildAgents => role != Role::Viewer,
        ManageModels | ManageTools | ManageMembers | ManageWorkspace | ReadAudit
        | CreateWorkspaces => matches!(role, Role::Owner | Role::Admin),
    }
}

/// Whether an actor of some role may turn a member of role `from` (`None`: somebody outside) into
/// one of role `to` (`None`: remove). Only owners touch ownership.
pub fn can_assign(actor: Role, from: Option<Role>, to: Option<Role>) -> bool {
    let touches_ownership = from == Some(Role::Owner) || to == Some(Role::Owner);
    can(actor, Action::ManageMembers) && (!touches_ownership || actor == Role::Owner)
}

impl Action {
    /// Every action, in the order in which people are shown them.
    pub const ALL: [Self; 12] = [
        Self::Read,
        Self::Converse,
        Self::DecideApprovals,
        Self::BuildAgents,
        Self::ManageModels,
        Self::ManageTools,
        Self::ManageMembers,
        Self::ManageWorkspace,
        Self::ReadAudit,
        Self::CreateWorkspaces,
        Self::ManageOwnApiKeys,
        Self::ManageOwnAccount,
    ];

    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Converse => "converse",
            Self::DecideApprovals => "decide_approvals",
            Self::BuildAgents => "build_agents",
            Self::ManageModels => "manage_models",
            Self::ManageTools => "manage_tools",
            Self::ManageMembers => "manage_members",
            Self::ManageWorkspace => "manage_workspace",
            Self::ReadAudit => "read_audit",
            Self::CreateWorkspaces => "create_workspaces",
            Self::ManageOwnApiKeys => "manage_own_api_keys",
            Self::ManageOwnAccount => "manage_own_account",
        }
    }

    /// Whether an API key can have it.
    pub fn is_for_keys(self) -> bool {
        self != Self::ManageOwnAccount
    }
}

impl FromStr for Action {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|action| action.as_str() == text)
            .ok_or_else(|| format!("no scope is called {text:?}"))
    }
}

impl Scopes {
    /// Every action.
    pub const ALL: Self = Self(u16::MAX);

    /// Some actions; reading is always among them.
    pub fn of(actions: impl IntoIterator<Item = Action>) -> Self {
        actions
            .into_iter()
            .fold(Self::bit(Action::Read), |set, action| {
                Self(set.0 | Self::bit(action).0)
            })
    }

    /// Every action that API keys can have.
    pub fn of_keys() -> Self {
        Self::of(
            Action::ALL
                .into_iter()
                .filter(|action| action.is_for_keys()),
        )
    }

    /// Whether an action is in the set.
    pub fn contains(self, action: Action) -> bool {
        self.0 & Self::bit(action).0 != 0
    }

    fn bit(action: Action) -> Self {
        Self(1 << action as u16)
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set()
            .entries(
                Action::ALL
                    .into_iter()
                    .filter(|action| self.contains(*action)),
            )
            .finish()
    }
}

impl Actor {
    /// Whether the actor's role and scopes allow `action`.
    pub fn can(&self, action: Action) -> bool {
        can(self.role, action) && self.scopes.contains(action)
    }

    /// Passes if the actor's role and scopes allow `action`.
    ///
    /// # Errors
    /// `Forbidden` otherwise.
    pub fn require(&self, action: Action) -> Result<(), Error> {
        match self.can(action) {
            true => Ok(()),
            false => Err(Error::Forbidden),
        }
    }
}

impl Role {
    /// Every role, most powerful first.
    pub const ALL: [Self; 4] = [Self::Owner, Self::Admin, Self::Member, Self::Viewer];

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
        Self::ALL
            .into_iter()
            .find(|role| role.as_str() == text)
            .ok_or_else(|| format!("no role is called {text:?}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn allowed(role: Role) -> Vec<&'static str> {
        let actions = Action::ALL.into_iter().filter(|action| can(role, *action));
        actions.map(Action::as_str).collect()
    }

    #[test]
    fn table_says_who_may_do_what() {
        let own = ["manage_own_api_keys", "manage_own_account"];
        let viewer = [&["read"][..], &own].concat();
        let member = [
            &["read", "converse", "decide_approvals", "build_agents"][..],
            &own,
        ]
        .concat();
        let everything: Vec<_> = Action::ALL.into_iter().map(Action::as_str).collect();

        assert_eq!(allowed(Role::Viewer), viewer);
        assert_eq!(allowed(Role::Member), member);
        assert_eq!(allowed(Role::Admin), everything);
        assert_eq!(allowed(Role::Owner), everything);
    }

    #[test]
    fn only_owners_give_or_take_ownership() {
        for role in Role::ALL {
            let may = role == Role::Owner;

            assert_eq!(can_assign(role, Some(Role::Member), Some(Role::Owner)), may);
            assert_eq!(can_assign(role, Some(Role::Owner), None), may);
            assert_eq!(can_assign(role, None, Some(Role::Owner)), may);
        }
        assert!(can_assign(
            Role::Admin,
            Some(Role::Admin),
            Some(Role::Viewer)
        ));
        assert!(!can_assign(Role::Member, Some(Role::Viewer), None));
    }

    #[test]
    fn scopes_always_read_and_never_more_than_they_say() {
        let scopes = Scopes::of([Action::Converse]);

        assert!(scopes.contains(Action::Read) && scopes.contains(Action::Converse));
        assert!(!scopes.contains(Action::ManageModels));
        assert!(!Scopes::of_keys().contains(Action::ManageOwnAccount));
    }
}
