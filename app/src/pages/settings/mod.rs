//! Settings: their frame, and what their lists have in common.

mod entry;
mod page;

pub use entry::{Entry, Listing, Rows, entry_row};
pub use page::{FirstSettings, SettingsPage};
