//! How many connections come from one network address at once.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use crate::client::TrustedProxies;

/// What one address may open unless the configuration says otherwise.
const USUAL_LIMIT: usize = 1_000;

/// Counts open connections by address. Cheap to clone.
///
/// One client must not take every place there is. Trusted proxies stand for many clients and are
/// not counted; neither is this machine, unless a limit is configured.
#[derive(Clone, Debug)]
pub struct Crowds {
    limit: usize,
    spares_loopback: bool,
    proxies: TrustedProxies,
    open: Arc<Mutex<HashMap<IpAddr, usize>>>,
}

/// A connection's place among those of its address; given back when dropped.
#[derive(Debug)]
pub struct Place {
    crowds: Crowds,
    /// `None` if it is not counted.
    network: Option<IpAddr>,
}

impl Crowds {
    /// At most `limit` connections of each address; 0 for the usual limit.
    pub fn new(limit: usize, proxies: TrustedProxies) -> Self {
        Self {
            limit: if limit == 0 { USUAL_LIMIT } else { limit },
            spares_loopback: limit == 0,
            proxies,
            open: Arc::default(),
        }
    }

    /// A place for a connection, unless its address has as many as it may.
    pub fn enter(&self, peer: IpAddr) -> Option<Place> {
        let peer = peer.to_canonical();
        let is_spared = self.proxies.contains(peer) || self.spares_loopback && peer.is_loopback();
        let network = (!is_spared).then(|| network(peer));
        if let Some(network) = network {
            let mut open = self.open.lock().expect("no holder panics");
            let count = open.entry(network).or_default();
            if *count >= self.limit {
                return None;
            }
            *count += 1;
        }
        Some(Place {
            crowds: self.clone(),
            network,
        })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let Some(network) = self.network else { return };
        let mut open = self.crowds.open.lock().expect("no holder panics");
        if let Some(count) = open.get_mut(&network) {
            *count -= 1;
            if *count == 0 {
                open.remove(&network);
            }
        }
    }
}

/// One household or server has a whole /64 of IPv6.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let mut segments = address.segments();
            segments[4..].fill(0);
            IpAddr::from(segments)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn an_address_gets_its_places_back_and_takes_none_of_others() {
        let crowds = Crowds::new(2, TrustedProxies::parse("10.0.0.1").expect("a list"));
        let ada = address("203.0.113.9");

        let first = crowds.enter(ada);
        let second = crowds.enter(ada);

        assert!(first.is_some() && second.is_some());
        assert!(crowds.enter(ada).is_none());
        assert!(crowds.enter(address("203.0.113.10")).is_some());
        let proxied: Vec<_> = (0..9).map(|_| crowds.enter(address("10.0.0.1"))).collect();
        assert!(proxied.iter().all(Option::is_some));
        drop(first);
        assert!(crowds.enter(ada).is_some());
        drop(second);
        assert!(crowds.open.lock().expect("no panic").is_empty());
    }

    #[test]
    fn a_network_of_ipv6_is_one_address() {
        let crowds = Crowds::new(1, TrustedProxies::default());

        let _first = crowds.enter(address("2001:db8::1"));

        assert!(crowds.enter(address("2001:db8::ffff:2")).is_none());
        assert!(crowds.enter(address("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn this_machine_is_not_limited_by_default() {
        let crowds = Crowds::new(0, TrustedProxies::default());

        let places: Vec<_> = (0..2_000)
            .map(|_| crowds.enter(address("127.0.0.1")))
            .collect();

        assert!(places.iter().all(Option::is_some));
        let others: Vec<_> = (0..2_000)
            .filter_map(|_| crowds.enter(address("203.0.113.9")))
            .collect();
        assert_eq!(others.len(), USUAL_LIMIT);
    }
}
