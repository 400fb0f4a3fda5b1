//! Agents: the list, the form, the versions.

mod detail;
mod difference;
mod fallback_fields;
mod fallback_rows;
mod fields;
mod form;
mod gallery;
mod history;
mod import;
mod list;
mod new;
mod search;
pub mod server;
mod tool_fields;
mod tool_picks;
mod versions;

pub use detail::AgentPage;
pub use history::AgentHistoryPage;
pub use import::ImportAgentPage;
pub use list::AgentsPage;
pub use new::NewAgentPage;
