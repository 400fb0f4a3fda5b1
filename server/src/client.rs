//! Whose request it is, as far as the network tells.

use std::net::IpAddr;
use std::sync::Arc;

use anyhow::Context;
use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// Address of the client, for throttling and logs; an extension of every request.
///
/// The socket's peer or, if that is a trusted proxy, the right-most address of X-Forwarded-For that
/// is not one. What stands further left can be made up by the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ClientAddress(pub IpAddr);

/// Proxies whose X-Forwarded-For is believed. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Arc<[IpNet]>,
}

impl TrustedProxies {
    /// Reads a comma list of addresses and CIDR networks.
    ///
    /// # Errors
    /// Names the entry that is neither.
    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let networks = text
            .split(',')
            .map(str::trim)
            .filter(|entry| !entry.is_empty())
            .map(|entry| {
                let address = entry.parse::<IpAddr>().map(IpNet::from);
                address
                    .or_else(|_| entry.parse::<IpNet>())
                    .with_context(|| format!("{entry:?} is neither an IP address nor a network"))
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self { networks })
    }

    /// The client of a request that came from `peer`.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> ClientAddress {
        let mut client = peer.to_canonical();
        if !self.contains(client) {
            return ClientAddress(client);
        }
        // Several headers are one list.
        for value in headers.get_all(X_FORWARDED_FOR).iter().rev() {
            for entry in value.to_str().unwrap_or_default().rsplit(',') {
                // What a trusted proxy did not write as an address ends the chain.
                let Some(address) = address(entry.trim()) else {
                    return ClientAddress(client);
                };
                client = address.to_canonical();
                if !self.contains(client) {
                    return ClientAddress(client);
                }
            }
        }
        ClientAddress(client)
    }

    /// Whether an address is a trusted proxy's.
    pub fn contains(&self, address: IpAddr) -> bool {
        self.networks
            .iter()
            .any(|network| network.contains(&address))
    }
}

/// An address, which some proxies write with the port.
fn address(text: &str) -> Option<IpAddr> {
    text.parse()
        .ok()
        .or_else(|| text.parse::<std::net::SocketAddr>().ok().map(|it| it.ip()))
        .or_else(|| text.strip_prefix('[')?.strip_suffix(']')?.parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_trusted_proxies_say_who_the_client_is() {
        let proxies = TrustedProxies::parse("10.0.0.0/8, 192.0.2.1,fd00::/8").expect("a list");
        for (peer, forwarded, client) in [
            ("203.0.113.9", &["1.1.1.1"][..], "203.0.113.9"),
            ("10.0.0.1", &[], "10.0.0.1"),
            ("10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("::ffff:10.0.0.1", &["198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["6.6.6.6, 198.51.100.7"], "198.51.100.7"),
            (
                "10.0.0.1",
                &["6.6.6.6, 198.51.100.7, 192.0.2.1"],
                "198.51.100.7",
            ),
            ("10.0.0.1", &["6.6.6.6", "198.51.100.7"], "198.51.100.7"),
            ("10.0.0.1", &["198.51.100.7:4711"], "198.51.100.7"),
            ("fd00::1", &["[2001:db8::7]:80"], "2001:db8::7"),
            ("10.0.0.1", &["[2001:db8::7]"], "2001:db8::7"),
            ("10.0.0.1", &["6.6.6.6, unknown"], "10.0.0.1"),
            ("10.0.0.1", &["6.6.6.6, "], "10.0.0.1"),
            ("10.0.0.1", &["6.6.6.6, nonsense, 10.9.9.9"], "10.9.9.9"),
        ] {
            let mut headers = HeaderMap::new();
            for value in forwarded {
                headers.append(X_FORWARDED_FOR, value.parse().expect("a value"));
            }

            let found = proxies.client(peer.parse().expect("an address"), &headers);

            assert_eq!(found.0.to_string(), client, "{peer} {forwarded:?}");
        }
    }

    #[test]
    fn wrong_entry_is_named() {
        let error = TrustedProxies::parse("10.0.0.1,10.0.0.0/33").expect_err("no network");

        assert!(error.to_string().contains("10.0.0.0/33"), "{error}");
        assert!(TrustedProxies::parse(" ").is_ok());
    }
}
