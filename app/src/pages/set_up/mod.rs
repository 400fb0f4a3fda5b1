//! The first visit.

mod page;
pub mod server;

pub use page::SetUpPage;
