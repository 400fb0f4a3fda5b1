//! What tests lean on: a database, Redis, a container engine, registries of images and packages, a
//! model that does as it is told, a bad network, a reader of event streams and inputs with human
//! names. A dev-dependency only; knows the public contract and nothing of our crates.

pub mod bucket;
pub mod dns;
pub mod engine;
pub mod file_server;
pub mod gaps;
pub mod image_registry;
pub mod inputs;
pub mod package_registry;
mod ports;
mod processes;
pub mod proxy;
pub mod scripted_model;
pub mod sse;
pub mod test_db;
pub mod test_redis;
pub mod tool_server;
mod web_server;

pub use dns::Dns;
pub use engine::TestEngine;
pub use gaps::not_tested;
pub use image_registry::ImageRegistry;
pub use package_registry::PackageRegistry;
pub use ports::free_port;
pub use processes::{go_on, signal, stand_still};
pub use proxy::Proxy;
pub use scripted_model::{Answer, Gate, ScriptedModel};
pub use sse::{EventStream, SseEvent, check_gapless, check_gapless_after, texts};
pub use test_db::{CrashableDb, TestDb};
pub use test_redis::{TestCluster, TestRedis, TestSentinels};
pub use tool_server::ToolServer;
