//! The client: two connection pools, one for public hosts and one for listed ones.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use reqwest::{Client, ClientBuilder, Method, RequestBuilder, redirect};
use url::Url;

use crate::policy::Reach;
use crate::resolver::Resolver;
use crate::{Dialler, Policy, Refused};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const POOL_IDLE: Duration = Duration::from_secs(90);
const KEEP_ALIVE: Duration = Duration::from_secs(30);
const MAX_REDIRECTS: usize = 3;

/// The one HTTP client for addresses that a tenant gives. Cloning is cheap and shares connections.
///
/// Redirects are not followed, but for [`Outbound::client`], and proxies of the environment are not used: both would reach
/// addresses that nobody checked. Certificates are verified against the system's roots.
#[derive(Clone, Debug)]
pub struct Outbound {
    policy: Arc<Policy>,
    public: Client,
    listed: Client,
    following: Arc<[OnceLock<Client>; 2]>,
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
            following: Arc::default(),
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

    /// Opens connections by the same policy, for what is not one of this client's requests.
    pub fn dialler(&self) -> Dialler {
        Dialler::shared(self.policy.clone())
    }

    /// Checks the URL as [`Outbound::request`] does and gives a client for it and other addresses of
    /// its origin, and for nothing else. DNS is checked in the same way.
    ///
    /// It follows redirects that keep method, body and origin, at most three.
    ///
    /// # Errors
    /// `Refused`, saying which rule.
    pub fn client(&self, url: &Url) -> Result<Client, Refused> {
        let (place, reach, plain) = match self.policy.check(url)? {
            Reach::Public => (&self.following[0], Reach::Public, &self.public),
            Reach::Listed => (&self.following[1], Reach::Listed, &self.listed),
        };
        let following = place.get_or_init(|| {
            let redirects = redirect::Policy::custom(within_origin);
            let built = builder(reach).redirect(redirects).build();
            // The same settings made the other client, so this one cannot fail but for redirects.
            built.unwrap_or_else(|_| plain.clone())
        });
        Ok(following.clone())
    }
}

/// Follows what cannot lead anywhere else than to where the first request was let through.
fn within_origin(attempt: redirect::Attempt<'_>) -> redirect::Action {
    let is_same_origin = attempt
        .previous()
        .first()
        .is_some_and(|first| first.origin() == attempt.url().origin());
    let keeps_method = matches!(attempt.status().as_u16(), 307 | 308);
    match is_same_origin && keeps_method && attempt.previous().len() <= MAX_REDIRECTS {
        true => attempt.follow(),
        false => attempt.stop(),
    }
}

fn client(reach: Reach) -> Result<Client, reqwest::Error> {
    builder(reach).build()
}

fn builder(reach: Reach) -> ClientBuilder {
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
}
