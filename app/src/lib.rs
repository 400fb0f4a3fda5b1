//! The dashboard: pages, components and server functions, for server and browser.
//!
//! Knows `domain` only; the server puts the backend into the Leptos context.

pub mod address;
mod call;
#[cfg(feature = "ssr")]
pub mod context;
#[cfg(feature = "ssr")]
mod document;
mod layout;
mod money;
mod pages;
mod parts;
mod routes;
#[cfg(feature = "ssr")]
pub mod session_cookie;
pub mod time;
mod ui;

#[cfg(feature = "ssr")]
pub use document::{Assets, shell};
#[cfg(feature = "ssr")]
pub use pages::conversations::{message_form, message_key};
#[cfg(feature = "hydrate")]
pub use parts::{load_first, load_rest};
pub use routes::App;
