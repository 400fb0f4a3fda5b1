//! Signing in.

mod page;
pub mod server;

pub use page::SignInPage;
