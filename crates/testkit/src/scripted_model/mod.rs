//! An OpenAI-compatible model server that does exactly as it is told, faults included.
//!
//! It speaks HTTP/1.1 on a bare socket, because a test must decide about every byte and about
//! how the connection ends.

mod answer;
mod http;
mod reply;
mod server;

pub use answer::{Answer, Gate};
pub use server::{MODELS, ScriptedModel, Seen};
