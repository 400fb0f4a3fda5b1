//! Everything that remembers: SQL per feature, the run queue, the vault, objects, live fan-out.
//!
//! Knows nothing of HTTP or of what the product allows; `services` decides that.

pub mod access;
pub mod accounts;
pub mod agents;
pub mod api_keys;
pub mod approvals;
mod at_hand;
pub mod attachments;
pub mod audit;
pub mod backup;
pub mod blobs;
pub mod branches;
pub mod budgets;
pub mod bus;
pub mod cache;
pub mod conversation_files;
pub mod conversations;
mod database;
pub mod embedded;
mod error;
pub mod events;
pub mod files;
pub mod idempotency;
pub mod installation;
pub mod invitations;
pub mod master_keys;
pub mod mcp_catalog;
pub mod mcp_instances;
mod mcp_server_states;
pub mod mcp_servers;
pub mod mcp_sign_ins;
pub mod mcp_tools;
pub mod members;
pub mod messages;
mod migrations;
pub mod models;
mod notices;
pub mod panics;
pub mod questions;
mod reasoning;
pub mod redis;
pub mod replicas;
mod rewrapping;
pub mod runs;
pub mod sessions;
pub mod sign_in_failures;
mod switches;
mod tickets;
pub mod titles;
pub mod tool_calls;
pub mod usage;
pub mod vault;

pub use database::{AnyConnection, Config, Door, Store, SystemConnection, TenantTx};
pub use error::{Error, Result, within};
pub use rewrapping::Rewrapped;
