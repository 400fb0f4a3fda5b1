//! Typed ids. Values are UUIDv7, made in `services` only.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident;)+) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Uuid);

        impl $name {
            /// The bare value, for columns and headers.
            pub fn uuid(self) -> Uuid {
                self.0
            }
        }

        #[cfg(feature = "openapi")]
        crate::openapi::plain!($name: "uuid", "An id.");

        impl From<Uuid> for $name {
            fn from(uuid: Uuid) -> Self {
                Self(uuid)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = uuid::Error;

            fn from_str(text: &str) -> Result<Self, Self::Err> {
                text.parse().map(Self)
            }
        }
    )+};
}

ids! {
    /// An agent, through all its versions.
    AgentId;
    /// An API key.
    ApiKeyId;
    /// A tool call that asks a person.
    ApprovalId;
    /// One line of the audit log.
    AuditId;
    /// A budget.
    BudgetId;
    /// One call of a tool; also the id of its journalled step.
    CallId;
    /// A model connection.
    ConnectionId;
    /// A conversation.
    ConversationId;
    /// One event of a conversation's log.
    EventId;
    /// An uploaded file, or a result kept whole.
    FileId;
    /// An invitation into a workspace.
    InvitationId;
    /// A tool server of the workspace.
    McpServerId;
    /// A message of a person or an agent.
    MessageId;
    /// One run of an agent.
    RunId;
    /// A sealed secret.
    SecretId;
    /// A signed-in browser.
    SessionId;
    /// One journalled step of a run.
    StepId;
    /// A person.
    UserId;
    /// A workspace: the tenant everything else belongs to.
    WorkspaceId;
}
