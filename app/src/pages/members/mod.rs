//! Members of the workspace, and invitations that are open.

mod invite;
mod page;
pub mod server;

pub use page::members;
