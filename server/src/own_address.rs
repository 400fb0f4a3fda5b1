//! Where the other processes of the fleet reach this one.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs, UdpSocket};

use secrecy::ExposeSecret;
use url::Url;

use crate::config::Config;

/// The listener if nothing else is said. One that listens everywhere is reached at the address from
/// which it reaches the database.
pub fn find(config: &Config) -> String {
    if let Some(url) = &config.internal_url {
        return url.as_str().to_owned();
    }
    let mut address = config.listen();
    if address.ip().is_unspecified() {
        let loopback = IpAddr::from(Ipv4Addr::LOCALHOST);
        address.set_ip(towards_database(config).unwrap_or(loopback));
    }
    format!("http://{address}/")
}

/// Asks the system which way it would take; sends nothing.
fn towards_database(config: &Config) -> Option<IpAddr> {
    let url = Url::parse(config.database_url.as_ref()?.expose_secret()).ok()?;
    let target = (url.host_str()?, url.port().unwrap_or(5432));
    let target = target.to_socket_addrs().ok()?.next()?;
    let any: IpAddr = match target {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(target).ok()?;
    Some(socket.local_addr().ok()?.ip())
}
