//! The home page.

mod first_steps;
mod page;
pub mod server;

pub use page::HomePage;
