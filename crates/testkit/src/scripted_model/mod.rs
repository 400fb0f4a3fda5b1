//! A model server that does exactly as it is told, faults included, in OpenAI's format, and in
//! Anthropic's or Gemini's where a request comes on their paths.
//!
//! It speaks HTTP/1.1 on a bare socket, because a test must decide about every byte and about
//! how the connection ends.

mod answer;
mod dialect;
pub(crate) mod http;
mod reply;
mod server;

pub use answer::{Answer, Gate};
pub use server::{MODELS, ScriptedModel, Seen};
