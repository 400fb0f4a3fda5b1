//! What the product does: rules, transactions, authorization, and the worker that runs agents.
//!
//! Every door (page, REST, command line) goes through [`Session`] or [`Services`]. Knows nothing
//! of HTTP.

mod access;
mod accounts;
mod administration;
mod agent_cache;
mod agents;
mod api_keys;
mod approvals;
mod attachments;
mod audit;
mod authentication;
mod branches;
mod budgets;
mod call_audit;
mod call_costs;
mod catalog;
mod change;
mod containers;
mod conversations;
mod entrance;
mod fault;
mod files;
mod gateway;
mod history;
mod housekeeping;
mod idempotency;
mod invitations;
mod markdown;
mod mcp_servers;
mod mcp_settings;
mod members;
mod mint;
mod models;
mod passwords;
mod posting;
mod recents;
mod runs;
mod sealed_map;
mod session;
mod session_cache;
mod signals;
mod throttle;
mod tool_servers;
mod tools;
mod usage;
mod watch;
mod worker;

pub use access::AccessWatch;
pub use authentication::{Credential, Recognized};
pub use containers::{ContainersConfig, Quota, UnusedImages};
pub use domain::conversations::PostedMessage;
pub use entrance::{Client, ClientEntrance};
pub use fault::{REQUEST_ID, internal};
pub use files::{Limits as FileLimits, ReceivedFile, Refusal, extract_pdf_text};
pub use idempotency::{Request, StoredAnswer};
pub use provisioner::Base as PackageBase;
pub use session::{Config, Services, Session};
pub use tool_servers::{
    HealthConfig, HeldServer, KnownTool, NotHere, Seen, ToolCallOptions, ToolServers,
};
pub use watch::{EventLogPage, Watch};
