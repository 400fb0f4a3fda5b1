//! Plain connections to hosts that users name, for what is not one of our own HTTP requests.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpStream;
use url::Host;

use crate::resolver::is_within;
use crate::{Policy, Refused};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Opens connections by the same policy as the HTTP client. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Dialler {
    policy: Arc<Policy>,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The policy forbids it.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Nobody answers.
    #[error(transparent)]
    Failed(#[from] io::Error),
}

impl Dialler {
    /// Dials what the policy lets through.
    pub fn new(policy: Policy) -> Self {
        Self {
            policy: Arc::new(policy),
        }
    }

    pub(crate) fn shared(policy: Arc<Policy>) -> Self {
        Self { policy }
    }

    /// Resolves a name or takes an address literally, checks every address and connects to the
    /// first that answers, each within 5 s.
    ///
    /// # Errors
    /// `Refused` before a packet is sent; `Failed` when no address answers.
    pub async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, DialError> {
        let addresses = self.resolve(host, port).await?;
        let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
        for address in addresses {
            match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    stream.set_nodelay(true)?;
                    return Ok(stream);
                }
                Ok(Err(error)) => last = error,
                Err(_) => last = io::ErrorKind::TimedOut.into(),
            }
        }
        Err(last.into())
    }

    /// Resolves a name or takes an address literally, and checks every address: for connections that
    /// somebody else makes.
    ///
    /// # Errors
    /// If the policy does not let one of them through, or there is none.
    pub async fn resolve(&self, host: &str, port: u16) -> Result<Vec<SocketAddr>, Refused> {
        let literal: Option<IpAddr> = host.parse().ok();
        let named = match literal {
            Some(IpAddr::V4(address)) => Host::Ipv4(address),
            Some(IpAddr::V6(address)) => Host::Ipv6(address),
            None => Host::Domain(host.trim_end_matches('.').to_ascii_lowercase()),
        };
        // An address that is not public is refused below unless it is listed.
        let reach = self.policy.reach(&named, port);
        let addresses: Vec<SocketAddr> = match literal {
            Some(address) => vec![SocketAddr::new(address, port)],
            None => tokio::net::lookup_host((host, port))
                .await
                .map_or_else(|_| Vec::new(), Iterator::collect),
        };
        let host = host.to_owned();
        if addresses.is_empty() {
            return Err(Refused::Unresolved { host });
        }
        if !addresses
            .iter()
            .all(|address| is_within(reach, &host, address))
        {
            tracing::warn!(host, "outbound address refused");
            return Err(Refused::Private { host });
        }
        Ok(addresses)
    }
}
