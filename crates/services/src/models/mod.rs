//! Model connections: what they offer, what that costs, and the clients that speak to them.

mod address;
mod catalog;
mod chain;
mod found;
mod listing;
mod pool;
mod probe;
mod session;

pub(crate) use pool::{ModelPool, missing_connection};
