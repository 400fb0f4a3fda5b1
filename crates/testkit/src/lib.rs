//! What tests lean on: a database, a container engine, a model that does as it is told, a bad
//! network, a reader of event streams and inputs with human names. A dev-dependency only; knows
//! the public contract and nothing of our crates.
//! What tests lean on: a database, Redis, a model that does as it is told, a bad network, a reader of
//! event streams and inputs with human names. A dev-dependency only; knows the public contract
//! and nothing of our crates.

pub mod bucket;
pub mod dns;
pub mod engine;
pub mod inputs;
pub mod proxy;
pub mod registry;
pub mod scripted_model;
pub mod sse;
pub mod test_db;
pub mod test_redis;
pub mod tool_server;

pub use dns::Dns;
pub use engine::TestEngine;
pub use proxy::Proxy;
pub use registry::Registry;
pub use scripted_model::{Answer, Gate, ScriptedModel};
pub use sse::{EventStream, SseEvent, check_gapless, check_gapless_after, texts};
pub use test_db::{CrashableDb, TestDb};
pub use test_redis::TestRedis;
pub use tool_server::ToolServer;
