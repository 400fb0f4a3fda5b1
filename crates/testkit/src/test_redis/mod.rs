//! Private Redis servers for a test, and everything bad that can happen to them.

mod server;
mod wire;

pub use server::TestRedis;
pub use wire::{Reply, Subscriber};
