//! Calls of server functions, while the server renders and from the browser.
//!
//! An answer stays JSON until somebody reads it, so that sending and waiting are compiled once and
//! not once per function (docs/decisions/wasm-size.md).

mod answer;
mod request;

pub use answer::{Answer, Datum};
#[cfg(not(feature = "ssr"))]
pub use request::post;
pub use request::{Call, Calling, call};
