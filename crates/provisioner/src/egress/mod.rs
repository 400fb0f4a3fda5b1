//! Whom a container may reach: the allow-list, the gate that keeps it, and what it refused.

mod gate;
mod http;
mod refusals;
mod rule;
mod server_name;

pub(crate) use gate::Gate;
pub use refusals::{Refusal, Refusals};
pub use rule::{Rule, RuleError};
