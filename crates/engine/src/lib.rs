//! The agent runtime: asks the model, calls the tools that it asks for, and so on until it answers.
//!
//! Knows nothing of databases, clients or how tools work; they are behind [`RunLog`] and
//! [`Toolbox`].

mod agent;
mod budget;
mod calls;
mod cap;
mod context;
mod log;
mod pace;
mod repetition;
mod toolbox;
mod turn;

pub use agent::{AgentRun, AnswerCheck, Ended, Limits, Outcome, Spent, complain, run_agent};
pub use budget::Budget;
pub use context::window;
pub use log::{AskingMessage, LeaseLost, Pieces, RunLog, Said};
pub use toolbox::{
    Allowance, AskedCall, BUILTIN, CallResult, CallState, Plan, ToolOutput, Toolbox, Verdict,
};
