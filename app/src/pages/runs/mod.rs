//! Runs: the list and one run's journal.

mod detail;
mod list;
pub mod server;
mod state;
mod text;
pub mod way_out;

pub use detail::RunPage;
pub use list::{RunItem, RunsPage};
pub use state::{RunMark, RunState};
pub use text::title;
