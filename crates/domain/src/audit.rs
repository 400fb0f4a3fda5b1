//! Who changed what, and when.

use std::fmt;
use std::str::FromStr;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::{AuditId, Error, Page, Paged, Timestamp, UserId};

macro_rules! deeds {
    ($($(#[$doc:meta])* $deed:ident = $name:literal,)*) => {
        /// What was done: the kind of object, a dot, a verb.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Deed {
            $($(#[$doc])* $deed,)*
        }

        impl Deed {
            /// Every deed, by kind of object.
            pub const ALL: &[Self] = &[$(Self::$deed,)*];

            /// The name in the database and the API.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$deed => $name,)*
                }
            }
        }
    };
}

deeds! {
    /// An agent was made.
    AgentCreate = "agent.create",
    /// An agent was deleted.
    AgentDelete = "agent.delete",
    /// An agent's draft was let go.
    AgentDiscard = "agent.discard",
    /// An agent's draft was saved.
    AgentDraft = "agent.draft",
    /// An agent's draft was made its live version.
    AgentPublish = "agent.publish",
    /// An old version of an agent was restored.
    AgentRestore = "agent.restore",
    /// An agent was changed.
    AgentUpdate = "agent.update",
    /// An API key was made.
    ApiKeyCreate = "api_key.create",
    /// An API key was deleted.
    ApiKeyDelete = "api_key.delete",
    /// A tool call that asked was decided.
    ApprovalDecide = "approval.decide",
    /// A budget was set.
    BudgetCreate = "budget.create",
    /// A budget was lifted.
    BudgetDelete = "budget.delete",
    /// A budget was changed.
    BudgetUpdate = "budget.update",
    /// A conversation was begun.
    ConversationCreate = "conversation.create",
    /// A conversation was deleted.
    ConversationDelete = "conversation.delete",
    /// A conversation was renamed or pinned, or another branch shown.
    ConversationUpdate = "conversation.update",
    /// A file was uploaded.
    FileCreate = "file.create",
    /// A file was deleted.
    FileDelete = "file.delete",
    /// Somebody was invited.
    InvitationCreate = "invitation.create",
    /// An invitation was taken back.
    InvitationDelete = "invitation.delete",
    /// A tool server was added.
    McpServerCreate = "mcp_server.create",
    /// A tool server was deleted.
    McpServerDelete = "mcp_server.delete",
    /// A tool server was connected to anew.
    McpServerRestart = "mcp_server.restart",
    /// Somebody signs in at a tool server for the workspace.
    McpServerSignIn = "mcp_server.sign_in",
    /// The tokens of a tool server were forgotten.
    McpServerSignOut = "mcp_server.sign_out",
    /// A tool server's container was ended.
    McpServerStop = "mcp_server.stop",
    /// A server was put into the workspace's catalog.
    McpCatalogEntryCreate = "mcp_catalog_entry.create",
    /// A server was taken out of the workspace's catalog.
    McpCatalogEntryDelete = "mcp_catalog_entry.delete",
    /// A tool server was changed.
    McpServerUpdate = "mcp_server.update",
    /// A changed definition of a tool was accepted.
    McpToolAccept = "mcp_tool.accept",
    /// A tool was called through the gateway.
    McpToolCall = "mcp_tool.call",
    /// A tool was tried.
    McpToolTry = "mcp_tool.try",
    /// Somebody joined the workspace.
    MemberCreate = "member.create",
    /// A membership was ended.
    MemberDelete = "member.delete",
    /// A role was changed.
    MemberUpdate = "member.update",
    /// A message was posted.
    MessageCreate = "message.create",
    /// Price or facts of a model were changed.
    ModelUpdate = "model.update",
    /// A model connection was made.
    ModelConnectionCreate = "model_connection.create",
    /// A model connection was deleted.
    ModelConnectionDelete = "model_connection.delete",
    /// A model connection was tried out.
    ModelConnectionTest = "model_connection.test",
    /// A model connection was changed.
    ModelConnectionUpdate = "model_connection.update",
    /// A run was asked to stop.
    RunCancel = "run.cancel",
    /// A message was asked again.
    RunCreate = "run.create",
    /// Somebody signed in.
    SessionCreate = "session.create",
    /// A session was ended.
    SessionDelete = "session.delete",
    /// Somebody looked at another workspace.
    SessionUpdate = "session.update",
    /// Somebody changed their name or password.
    UserUpdate = "user.update",
    /// The workspace was made.
    WorkspaceCreate = "workspace.create",
    /// The workspace was renamed.
    WorkspaceUpdate = "workspace.update",
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum DeedResult {
    /// It was done.
    Done,
    /// The actor's role or scopes did not allow it.
    Refused,
    /// It was tried and did not succeed.
    Failed,
}

/// How the actor was signed in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Via {
    /// A browser.
    Session,
    /// An API key.
    ApiKey,
    /// The command line of the server.
    CommandLine,
}

/// One line of the audit log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AuditEvent {
    /// The id.
    pub id: AuditId,
    /// When.
    pub time: Timestamp,
    /// Who.
    pub actor_id: UserId,
    /// Address of that person now.
    pub actor: String,
    /// How the person was signed in.
    pub via: Via,
    /// What was done.
    pub action: Deed,
    /// Id of the object, if it has one.
    pub object_id: Option<String>,
    /// Name of the object at that time; empty if it has none.
    pub object_name: String,
    /// What came of it.
    pub result: DeedResult,
    /// Finds the request in the server's log.
    pub request_id: String,
}

/// Which lines to list; what is `None` does not matter.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct AuditFilter {
    /// Only this deed.
    pub action: Option<Deed>,
    /// Only this person's.
    pub actor_id: Option<UserId>,
    /// Only this result.
    pub result: Option<DeedResult>,
}

/// The workspace's audit log. Nothing changes or deletes a line.
#[async_trait]
pub trait Audit: Send + Sync {
    /// Lists the lines, newest first.
    async fn list_audit_events(
        &self,
        filter: AuditFilter,
        page: Page,
    ) -> Result<Paged<AuditEvent>, Error>;
}

impl fmt::Display for Deed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Deed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .iter()
            .copied()
            .find(|deed| deed.as_str() == text)
            .ok_or_else(|| format!("no action is called {text:?}"))
    }
}

impl Serialize for Deed {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Deed {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

impl DeedResult {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Refused => "refused",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for DeedResult {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "done" => Ok(Self::Done),
            "refused" => Ok(Self::Refused),
            "failed" => Ok(Self::Failed),
            other => Err(format!("no result is called {other:?}")),
        }
    }
}

impl Via {
    /// The name in the database and the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::ApiKey => "api_key",
            Self::CommandLine => "command_line",
        }
    }
}

impl FromStr for Via {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "session" => Ok(Self::Session),
            "api_key" => Ok(Self::ApiKey),
            "command_line" => Ok(Self::CommandLine),
            other => Err(format!("no way to sign in is called {other:?}")),
        }
    }
}
