//! One's own account, and the workspace it looks at.

mod profile;
pub mod server;
mod sessions;
#[cfg(feature = "ssr")]
mod user_agent;
mod workspace;

pub use profile::profile;
pub use sessions::sessions;
pub use workspace::workspace;
