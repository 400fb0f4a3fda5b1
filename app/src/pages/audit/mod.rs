//! The audit log.

mod page;
pub mod server;
#[cfg(feature = "ssr")]
mod words;

pub use page::audit;
