//! The home page.

mod page;
pub mod server;

pub use page::HomePage;
