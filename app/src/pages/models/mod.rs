//! Model connections and the models behind them.

mod catalog;
mod connection_row;
mod edit;
mod form;
mod list;
mod model;
mod model_form;
mod picker;
pub mod server;
mod words;

pub use edit::ConnectionPage;
pub use form::NewConnectionPage;
pub use list::ModelsPage;
pub use model::ModelPage;
#[cfg(feature = "ssr")]
pub(crate) use words::dollars;
