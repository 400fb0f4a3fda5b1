//! DNS whose every answer is checked, right before the connection is made.

use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use crate::Refused;
use crate::address::is_public;
use crate::policy::{Reach, is_loopback_name};

/// Resolves names for one reach; a name with a single forbidden address is refused whole.
///
/// reqwest tells a resolver no port, so each reach has its own client and resolver.
pub(crate) struct Resolver {
    pub(crate) reach: Reach,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let reach = self.reach;
        Box::pin(async move {
            let host = name.as_str();
            let addresses: Vec<SocketAddr> = match tokio::net::lookup_host((host, 0)).await {
                Ok(addresses) => addresses.collect(),
                Err(_) => Vec::new(),
            };
            let host = host.to_owned();
            if addresses.is_empty() {
                return Err(Refused::Unresolved { host }.into());
            }
            if !addresses
                .iter()
                .all(|address| is_within(reach, &host, address))
            {
                tracing::warn!(host, "outbound address refused");
                return Err(Refused::Private { host }.into());
            }
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

pub(crate) fn is_within(reach: Reach, host: &str, address: &SocketAddr) -> bool {
    match reach {
        Reach::Public => is_public(address.ip()),
        Reach::Listed if is_loopback_name(host.trim_end_matches('.')) => address.ip().is_loopback(),
        Reach::Listed => true,
    }
}
