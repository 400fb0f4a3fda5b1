//! The one HTTP client, and the one dialler, for addresses that a tenant gives.
//!
//! It refuses private networks, by the address in the URL and again by every address that DNS
//! answers with at connect time. Beside them, the chance in pauses between two tries. It knows nothing
//! of what is sent or why.

mod address;
mod client;
mod dial;
mod fetch;
mod jitter;
mod policy;
mod refused;
mod resolver;

pub use client::Outbound;
pub use dial::{DialError, Dialler};
pub use fetch::{FetchError, Fetched};
pub use jitter::jitter;
pub use policy::{AllowedHost, AllowedHostError, Policy};
pub use refused::{Refused, refusal};
