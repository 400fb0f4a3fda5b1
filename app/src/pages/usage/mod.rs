//! What model and tool calls used up.

mod budgets;
mod chart;
mod page;
pub mod server;

pub use page::UsagePage;
