//! Agents: the list, the form, the versions.

mod detail;
mod fields;
mod form;
mod list;
pub mod server;
mod versions;

pub use detail::{AgentPage, NewAgentPage};
pub use list::AgentsPage;
