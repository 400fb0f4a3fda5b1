//! Refuses requests that are not meant for this site.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{COOKIE, HOST, ORIGIN};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use url::Url;

use crate::config::is_loopback;
use crate::problem::Problem;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

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

    fn is_own_host(&self, headers: &HeaderMap) -> bool {
        let mut values = headers.get_all(HOST).iter();
        let (host, more) = (values.next(), values.next());
        more.is_none()
            && host.is_some_and(|host| {
                self.hosts
                    .iter()
                    .any(|own| own.as_bytes().eq_ignore_ascii_case(host.as_bytes()))
            })
    }

    /// Browsers say where a request comes from; other clients say nothing.
    fn is_foreign(&self, headers: &HeaderMap) -> bool {
        if let Some(site) = headers.get(SEC_FETCH_SITE) {
            return site != "same-origin";
        }
        headers
            .get(ORIGIN)
            .is_some_and(|origin| !self.origins.iter().any(|own| origin == own.as_str()))
    }
}

/// Refuses other hosts (421), and changes that a foreign page asks for with this site's cookie (403).
pub async fn guard(State(site): State<Site>, req: Request, next: Next) -> Response {
    let path = req.uri().path();
    let is_probe = path == "/metrics" || path == "/health" || path.starts_with("/health/");
    if !is_probe && !site.is_own_host(req.headers()) {
        let detail = "this server is not known by that name; see AGENTAREA_PUBLIC_URL".to_owned();
        return Problem::Http(StatusCode::MISDIRECTED_REQUEST, detail).into_response();
    }
    let is_change = !matches!(*req.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    if is_change && req.headers().contains_key(COOKIE) && site.is_foreign(req.headers()) {
        let detail = "this change was asked for by another site".to_owned();
        return Problem::Http(StatusCode::FORBIDDEN, detail).into_response();
    }
    let mut response = next.run(req).await;
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "same-origin"),
        ("x-frame-options", "DENY"),
        ("cross-origin-opener-policy", "same-origin"),
    ] {
        headers.insert(
            HeaderName::from_static(name),
            HeaderValue::from_static(value),
        );
    }
    response
}
