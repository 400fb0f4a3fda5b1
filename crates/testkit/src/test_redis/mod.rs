//! Private Redis servers for a test, and everything bad that can happen to them.

mod cluster;
mod sentinels;
mod server;
mod wire;

pub use cluster::TestCluster;
pub use sentinels::TestSentinels;
pub use server::TestRedis;
pub use wire::{Reply, Subscriber};
