//! Tool calls that wait for a person.

mod arguments;
mod badge;
mod form;
mod page;
pub mod server;

pub use arguments::{argument_rows, one_line};
pub use badge::PendingBadge;
pub use form::ApprovalForm;
pub use page::ApprovalsPage;
