//! The adapters against scripted servers, and the built-in model.

mod anthropic;
mod chain;
mod complaints;
mod dialects;
mod faults;
mod gemini;
#[cfg(feature = "local")]
mod local;
mod openai_failures;
mod openai_stream;
mod optional_parts;
mod responses;
mod schemas;
mod signatures;
mod strict_servers;
mod support;
mod tool_calls;
mod wire;
