//! Tool servers and their tools.

mod changed;
mod detail;
mod form;
mod headers;
mod list;
pub mod server;
mod state;
mod tool_list;
mod trial;
#[cfg(feature = "ssr")]
mod typed;

pub use detail::ServerPage;
pub use form::NewServerPage;
pub use list::ToolsPage;
