//! The client: two connection pools, one for public hosts and one for listed ones.

use std::sync::Arc;
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, redirect};
use url::Url;

use crate::policy::Reach;
use crate::resolver::Resolver;
use crate::{Policy, Refused};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const POOL_IDLE: Duration = Duration::from_secs(90);
const KEEP_ALIVE: Duration = Duration::from_secs(30);

/// The one HTTP client for addresses that a tenant gives. Cloning is cheap and shares connections.
///
/// Redirects are not followed and proxies of the environment are not used: both would reach
/// addresses that nobody checked. Certificates are verified against the system's roots.
#[derive(Clone, Debug)]
pub struct Outbound {
    policy: Arc<Policy>,
    public: Client,
    listed: Client,
}

impl Outbound {
    /// Builds the client; costs some 10 ms to read the system's certificates, so build one.
    ///
    /// # Errors
    /// When the system has no usable certificates or no DNS configuration.
    pub fn new(policy: Policy) -> Result<Self, reqwest::Error> {
        // A provider that is already there is the same or the program's own choice.
        let _ = rustls::crypto::ring::default_provider().install_default();
        Ok(Self {
            policy: Arc::new(policy),
            public: client(Reach::Public)?,
            listed: client(Reach::Listed)?,
        })
    }

    /// Checks the URL (scheme, userinfo, literal addresses) and begins a request.
    ///
    /// DNS answers are checked when the connection is made: a refusal by then is inside the
    /// request's error, where [`crate::refusal`] finds it. The caller sets deadlines and bounds the
    /// answer's size; only connecting has a limit of 5 s here.
    ///
    /// # Errors
    /// `Refused`, saying which rule.
    pub fn request(&self, method: Method, url: Url) -> Result<RequestBuilder, Refused> {
        let client = match self.policy.check(&url)? {
            Reach::Public => &self.public,
            Reach::Listed => &self.listed,
        };
        Ok(client.request(method, url))
    }
}

fn client(reach: Reach) -> Result<Client, reqwest::Error> {
    Client::builder()
        .user_agent(concat!("AgentArea/", env!("CARGO_PKG_VERSION")))
        .dns_resolver(Resolver { reach })
        .redirect(redirect::Policy::none())
        .no_proxy()
        .referer(false)
        .connect_timeout(CONNECT_TIMEOUT)
        .pool_idle_timeout(POOL_IDLE)
        .tcp_keepalive(KEEP_ALIVE)
        .tcp_nodelay(true)
        .build()
}
