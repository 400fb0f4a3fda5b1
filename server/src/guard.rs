//! Refuses requests that are not meant for this site.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{AUTHORIZATION, COOKIE, FORWARDED, HOST, ORIGIN};
use http::{HeaderMap, HeaderName, Method, StatusCode, Uri};
use url::Url;

use crate::config::is_loopback;
use crate::problem::Problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Answers to these say nothing of the site, and probes know it only by an address.
const PROBES: [&str; 4] = ["/health", "/health/db", "/health/redis", "/metrics"];
/// Where browsers report what they refused. They may not say from which page that comes, and
/// nobody's cookie is looked at there.
const REPORTS: &str = "/policy-reports";
/// What proxies say of the request as they got it. The public URL says that: nothing behind this
/// guard sees them, so that nothing can be made up of them.
const HEARSAY: [HeaderName; 10] = [
    FORWARDED,
    HeaderName::from_static("x-forwarded-host"),
    HeaderName::from_static("x-forwarded-proto"),
    HeaderName::from_static("x-forwarded-port"),
    HeaderName::from_static("x-forwarded-prefix"),
    HeaderName::from_static("x-forwarded-server"),
    HeaderName::from_static("x-forwarded-for"),
    HeaderName::from_static("x-host"),
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-rewrite-url"),
];

/// Where users come from.
#[derive(Clone, Debug)]
pub struct Site {
    hosts: Arc<[String]>,
    origins: Arc<[String]>,
}

impl Site {
    /// The public URL's host; on this machine also by its other names.
    pub fn new(public_url: &Url) -> Self {
        let names: Vec<String> = match is_loopback(public_url) {
            true => ["127.0.0.1", "localhost", "[::1]"]
                .map(str::to_owned)
                .into(),
            false => vec![public_url.host_str().unwrap_or_default().to_owned()],
        };
        let hosts: Vec<String> = names
            .into_iter()
            .map(|name| match public_url.port() {
                Some(port) => format!("{name}:{port}"),
                None => name,
            })
            .collect();
        let origins = hosts
            .iter()
            .map(|host| format!("{}://{host}", public_url.scheme()))
            .collect();
        Self {
            hosts: hosts.into(),
            origins,
        }
    }

    /// The names it is known by, with the port if that is not the usual one.
    pub fn hosts(&self) -> &[String] {
        &self.hosts
    }

    /// Whether the request names this site, and nothing else besides: neither a second `Host` nor
    /// another authority in its target, which would win over `Host` (RFC 9112, 3.2.2).
    fn is_own_host(&self, uri: &Uri, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(HOST).iter();
        let (host, more) = (values.next(), values.next());
        more.is_none()
            && host.is_some_and(|host| self.is_own_name(host.as_bytes()))
            && uri
                .authority()
                .is_none_or(|authority| self.is_own_name(authority.as_str().as_bytes()))
    }

    fn is_own_name(&self, name: &[u8]) -> bool {
        self.hosts
            .iter()
            .any(|own| own.as_bytes().eq_ignore_ascii_case(name))
    }

    fn asker(&self, headers: &HeaderMap) -> Asker {
        let mut sites = headers.get_all(SEC_FETCH_SITE).iter().peekable();
        if sites.peek().is_some() {
            return Asker::own_if(sites.all(|site| site == "same-origin"));
        }
        let mut origins = headers.get_all(ORIGIN).iter().peekable();
        if origins.peek().is_some() {
            return Asker::own_if(
                origins.all(|origin| self.origins.iter().any(|own| origin == own.as_str())),
            );
        }
        Asker::Unknown
    }
}

/// Who asks for a change, as browsers tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asker {
    /// A page of this site.
    Own,
    /// A page of another site, or one without an origin.
    Foreign,
    /// No browser says so.
    Unknown,
}

impl Asker {
    fn own_if(is_own: bool) -> Self {
        match is_own {
            true => Self::Own,
            false => Self::Foreign,
        }
    }
}

/// Refuses other hosts (421), and changes that a foreign page asks for (403).
///
/// A browser adds the cookie by itself, so a change with a cookie must prove that it comes from
/// here. One without may come from anywhere but another site: signing in is such a change, and a
/// foreign page must not sign its visitors in as somebody else. API keys are never added by a
/// browser, so changes with a key need no proof; nor do reports, which change nothing.
pub async fn guard(State(site): State<Site>, mut req: Request, next: Next) -> Response {
    match site.let_in(&mut req) {
        Ok(()) => next.run(req).await,
        Err(refused) => refused.into_response(),
    }
}

impl Site {
    /// As [`guard`]: the answer to what is refused, and else a request without hearsay.
    ///
    /// # Errors
    /// What is answered instead.
    pub fn let_in<B>(&self, req: &mut http::Request<B>) -> Result<(), Problem> {
        self.check(req)?;
        let headers = req.headers_mut();
        for name in &HEARSAY {
            headers.remove(name);
        }
        Ok(())
    }

    fn check<B>(&self, req: &http::Request<B>) -> Result<(), Problem> {
        let headers = req.headers();
        if !PROBES.contains(&req.uri().path()) && !self.is_own_host(req.uri(), headers) {
            let detail =
                "this server is not known by that name; see AGENTAREA_PUBLIC_URL".to_owned();
            return Err(Problem::Http(StatusCode::MISDIRECTED_REQUEST, detail));
        }
        if !is_change(req.method()) || has_key(headers) {
            return Ok(());
        }
        let asker = self.asker(headers);
        let needs_proof = headers.contains_key(COOKIE) && req.uri().path() != REPORTS;
        if asker == Asker::Foreign || (needs_proof && asker == Asker::Unknown) {
            let detail = "this change was not asked for by a page of this site; programs sign in \
                          with an API key"
                .to_owned();
            return Err(Problem::Http(StatusCode::FORBIDDEN, detail));
        }
        Ok(())
    }
}

fn is_change(method: &Method) -> bool {
    !matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether a key signs the request in, in which case cookies are not looked at.
fn has_key(headers: &HeaderMap) -> bool {
    headers
        .get(AUTHORIZATION)
        .is_some_and(|value| value.as_bytes().starts_with(b"Bearer "))
}
