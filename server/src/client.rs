//! Where a request comes from.

use std::net::IpAddr;

/// Network address of the client.
#[derive(Clone, Copy, Debug)]
pub struct ClientAddress(pub IpAddr);
