//! Tool calls that wait for a person.

mod arguments;
mod badge;
mod form;
mod page;
pub mod server;

pub use arguments::{argument_rows, one_line};
pub use badge::{ApprovalNews, PendingBadge, provide_approval_news, use_approval_news};
pub use form::ApprovalForm;
pub use page::ApprovalsPage;
