//! The Model Context Protocol: clients of tool servers, and the gateway to them.
//!
//! Speaks revisions 2026-07-28 and 2025-11-25 (and what came before it). Everything a server sends
//! is data from a stranger: every wait has a deadline and every read a limit. Knows nothing of
//! workspaces, databases or what is allowed.

mod ask;
mod calling;
mod clock;
mod connection;
mod definition;
mod error;
mod following;
pub mod forwarding;
pub mod gateway;
mod handler;
mod lines;
mod listening;
mod listing;
mod logs;
mod offer;
mod output;
mod question;
mod schema;
pub mod sign_in;
mod straight;

pub use ask::{Answer, Ask, LogLine, Subject};
pub use connection::{CallOptions, Connection, HttpEndpoint, Patience, Profile, Progress};
pub use definition::hash;
pub use error::{CallError, ConnectError};
pub use following::Following;
pub use output::ToolOutput;
pub use question::Question;
pub use schema::{ArgumentCheck, check_arguments};
