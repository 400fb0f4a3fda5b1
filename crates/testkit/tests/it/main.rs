//! The kit tested through its own front door: a tool that cannot fail proves nothing.

#![expect(clippy::unwrap_used, reason = "tests")]

mod client;
mod proxy;
mod scripted_model;
mod sse;
mod test_db;
