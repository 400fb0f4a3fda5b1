//! The vocabulary of AgentArea: ids, entities, inputs, errors and the ability traits.
//!
//! Shared by the server and the browser. No I/O, no clock, no environment.

pub mod access;
pub mod accounts;
pub mod agents;
pub mod api_keys;
pub mod approvals;
pub mod audit;
pub mod budgets;
pub mod containers;
pub mod conversations;
mod error;
pub mod events;
pub mod files;
mod ids;
pub mod invitations;
pub mod mcp_servers;
pub mod members;
pub mod models;
#[cfg(feature = "openapi")]
mod openapi;
mod paging;
mod platform;
pub mod runs;
mod secret;
mod timestamp;
pub mod tools;
pub mod usage;
mod validation;

pub use access::{Action, Actor, Role, Scopes, can, can_assign};
pub use error::{Error, FieldError};
pub use ids::{
    AgentId, ApiKeyId, ApprovalId, AuditId, BudgetId, CallId, ConnectionId, ConversationId,
    EventId, FileId, InvitationId, McpServerId, MessageId, RunId, SecretId, SessionId, StepId,
    UserId, WorkspaceId,
};
pub use paging::{Cursor, Page, Paged};
pub use platform::{Entrance, Platform};
pub use secret::{Secret, expose};
pub use timestamp::Timestamp;
pub use validation::FieldErrors;
