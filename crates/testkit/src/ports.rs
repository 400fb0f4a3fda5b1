//! Ports for servers that have to be told one.

use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};

/// Below the ports that the system hands out by itself (`ip_local_port_range`), so that no other
/// connection gets one between here and the start of its server.
const LOWEST: u64 = 10_000;
const COUNT: u64 = 22_000;

/// A loopback port that nobody listens on, another one each time.
///
/// # Panics
/// If there is none.
pub fn free_port() -> u16 {
    let first = RandomState::new().hash_one("a port");
    let is_free = |port: &u16| TcpListener::bind((Ipv4Addr::LOCALHOST, *port)).is_ok();
    (0..COUNT)
        .filter_map(|number| u16::try_from(LOWEST + (first % COUNT + number) % COUNT).ok())
        .find(is_free)
        .expect("a free port")
}
