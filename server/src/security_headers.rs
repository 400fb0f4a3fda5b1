//! What every answer tells browsers not to do with it.

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use url::Url;

const ALWAYS: [(HeaderName, HeaderValue); 5] = [
    (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    (REFERRER_POLICY, HeaderValue::from_static("same-origin")),
    (X_FRAME_OPTIONS, HeaderValue::from_static("DENY")),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        HeaderValue::from_static("same-origin"),
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        HeaderValue::from_static("same-origin"),
    ),
];
/// For answers that are no pages, should a browser show one; pages bring their own.
const NOTHING: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);
const HTTPS_ONLY: HeaderValue = HeaderValue::from_static("max-age=31536000; includeSubDomains");

/// Adds the headers. Cheap to clone.
#[derive(Clone, Copy, Debug)]
pub struct SecurityHeaders {
    is_https: bool,
}

impl SecurityHeaders {
    /// For a site at this address.
    pub fn new(public_url: &Url) -> Self {
        Self {
            is_https: public_url.scheme() == "https",
        }
    }

    /// Adds what the answer does not say itself: it is for the asker alone and does nothing.
    pub fn add_to<T>(self, response: &mut Response<T>) {
        // A browser would put them onto the answer that it has kept.
        let is_news = response.status() != StatusCode::NOT_MODIFIED;
        let headers = response.headers_mut();
        for (name, value) in &ALWAYS {
            headers.insert(name, value.clone());
        }
        if self.is_https {
            headers.insert(STRICT_TRANSPORT_SECURITY, HTTPS_ONLY);
        }
        if is_news {
            headers.entry(CONTENT_SECURITY_POLICY).or_insert(NOTHING);
            headers
                .entry(CACHE_CONTROL)
                .or_insert(HeaderValue::from_static("no-store"));
        }
    }
}
