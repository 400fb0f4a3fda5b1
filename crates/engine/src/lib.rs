//! The agent runtime: takes one turn of an agent and reports what it says.
//!
//! Knows nothing of databases or clients; they are behind [`TurnLog`].

mod context;
mod turn;

pub use context::window;
pub use turn::{LeaseLost, Outcome, Turn, TurnLog, run_turn};
