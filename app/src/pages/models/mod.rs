//! Model connections and the models behind them.

mod catalog;
mod connection_row;
mod form;
mod list;
pub mod server;

pub use form::{ConnectionPage, NewConnectionPage};
pub use list::ModelsPage;
