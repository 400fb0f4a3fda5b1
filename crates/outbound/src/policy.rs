//! Which private hosts are let through.

use std::str::FromStr;

use url::{Host, Url};

use crate::Refused;
use crate::address::is_public;

/// Which private hosts are let through. Public hosts always are, by `https`.
#[derive(Clone, Debug)]
pub struct Policy {
    allowed: Vec<AllowedHost>,
    allow_loopback: bool,
    allow_all: bool,
}

/// A private host that the administrator lets through: `host:port` or `host:*`.
///
/// The host is compared as it stands in the URL: an entry for a name does not cover its address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AllowedHost {
    host: Host,
    /// `None` lets every port through.
    port: Option<u16>,
}

/// An entry that is not `host:port` or `host:*`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{entry:?} is not host:port or host:*")]
pub struct AllowedHostError {
    entry: String,
}

/// How far a checked request may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reach {
    /// Only public addresses.
    Public,
    /// Wherever the name leads: this host and port are let through.
    Listed,
}

impl Policy {
    /// A policy from configuration.
    ///
    /// `allow_private`: `None` = not configured; `Some` = exactly these entries.
    /// `allow_loopback` lets this machine through, on every port, only while nothing is configured.
    pub fn new(allow_private: Option<Vec<AllowedHost>>, allow_loopback: bool) -> Self {
        Self {
            allow_loopback: allow_loopback && allow_private.is_none(),
            allowed: allow_private.unwrap_or_default(),
            allow_all: false,
        }
    }

    /// Lets everything through: for the installation's own processes, whose addresses no user gives.
    pub fn inside() -> Self {
        Self {
            allowed: Vec::new(),
            allow_loopback: true,
            allow_all: true,
        }
    }

    /// Checks everything about a URL that needs no DNS.
    pub(crate) fn check(&self, url: &Url) -> Result<Reach, Refused> {
        if !matches!(url.scheme(), "http" | "https") {
            let scheme = url.scheme().to_owned();
            return Err(Refused::Scheme { scheme });
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Refused::UserInfo);
        }
        let host = without_dot(url.host().ok_or(Refused::NoHost)?.to_owned());
        if self.lists(&host, url.port_or_known_default()) {
            return Ok(Reach::Listed);
        }
        let address = match host {
            Host::Ipv4(address) => Some(address.into()),
            Host::Ipv6(address) => Some(address.into()),
            Host::Domain(_) => None,
        };
        if address.is_some_and(|address| !is_public(address)) {
            let host = host.to_string();
            return Err(Refused::Private { host });
        }
        if url.scheme() == "http" {
            let host = host.to_string();
            return Err(Refused::PlainHttp { host });
        }
        Ok(Reach::Public)
    }

    /// How far a connection to a host and port may reach.
    pub(crate) fn reach(&self, host: &Host, port: u16) -> Reach {
        if self.lists(host, Some(port)) {
            Reach::Listed
        } else {
            Reach::Public
        }
    }

    fn lists(&self, host: &Host, port: Option<u16>) -> bool {
        self.allow_all
            || (self.allow_loopback && is_loopback(host))
            || self
                .allowed
                .iter()
                .any(|entry| entry.host == *host && (entry.port.is_none() || entry.port == port))
    }
}

impl FromStr for AllowedHost {
    type Err = AllowedHostError;

    fn from_str(entry: &str) -> Result<Self, Self::Err> {
        let error = || AllowedHostError {
            entry: entry.to_owned(),
        };
        let (host, port) = entry.trim().rsplit_once(':').ok_or_else(error)?;
        let port = match port {
            "*" => None,
            port => Some(port.parse().map_err(|_| error())?),
        };
        let host = Host::parse(host).map_err(|_| error())?;
        Ok(Self {
            host: without_dot(host),
            port,
        })
    }
}

/// `localhost` and its subdomains never leave this machine by RFC 6761.
pub(crate) fn is_loopback_name(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

fn is_loopback(host: &Host) -> bool {
    match host {
        Host::Domain(name) => is_loopback_name(name),
        Host::Ipv4(address) => address.is_loopback(),
        Host::Ipv6(address) => address.is_loopback(),
    }
}

/// `example.com.` and `example.com` are one host.
fn without_dot(host: Host) -> Host {
    match host {
        Host::Domain(name) => Host::Domain(name.trim_end_matches('.').to_owned()),
        host => host,
    }
}
