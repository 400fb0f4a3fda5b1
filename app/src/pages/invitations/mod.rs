//! Accepting an invitation.

mod page;
pub mod server;

pub use page::InvitationPage;
