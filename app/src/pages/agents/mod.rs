//! Agents: the list, the form, the versions.

mod detail;
mod fallback_fields;
mod fields;
mod form;
mod list;
pub mod server;
mod tool_fields;
mod tool_picks;
mod versions;

pub use detail::{AgentPage, NewAgentPage};
pub use list::AgentsPage;
