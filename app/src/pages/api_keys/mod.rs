//! API keys: the list, and the form that makes one.

mod page;
mod scopes;
pub mod server;

pub use page::api_keys;
