//! Tool servers and their tools.

mod catalog;
mod changed;
mod choice;
mod container;
mod container_form;
mod container_server;
mod detail;
mod form;
#[cfg(feature = "ssr")]
mod graphs;
mod headers;
mod list;
mod mark;
pub mod server;
mod sign_in;
mod state;
mod tool_list;
mod trial;
#[cfg(feature = "ssr")]
mod typed;

pub use catalog::{CatalogEntryPage, CatalogPage};
pub use container_form::NewContainerPage;
pub use detail::ServerPage;
pub use form::NewServerPage;
pub use list::ToolsPage;
