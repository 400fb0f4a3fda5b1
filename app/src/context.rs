//! What server functions find in the Leptos context, and how they answer with headers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use domain::accounts::SignedIn;
use domain::{Entrance, Error, Platform, Timestamp};
use http::header::{ACCEPT, COOKIE, REFERER, SET_COOKIE};
use http::request::Parts;
use http::{HeaderName, HeaderValue};
use leptos::prelude::use_context;
use leptos_axum::ResponseOptions;

use crate::address::local_path;
use crate::session_cookie::SessionCookie;

/// The signed-in actor's abilities; `None` for a visitor.
#[derive(Clone)]
pub struct CurrentPlatform(pub Option<Arc<dyn Platform>>);

/// What visitors can do.
#[derive(Clone)]
pub struct CurrentEntrance(pub Arc<dyn Entrance>);

/// The platform of whoever sent the request.
///
/// # Errors
/// `Unauthenticated` for a visitor.
pub fn platform() -> Result<Arc<dyn Platform>, Error> {
    use_context::<CurrentPlatform>()
        .and_then(|current| current.0)
        .ok_or(Error::Unauthenticated)
}

/// What visitors can do.
///
/// # Errors
/// `Unavailable` if the server did not provide it.
pub fn entrance() -> Result<Arc<dyn Entrance>, Error> {
    use_context::<CurrentEntrance>()
        .map(|current| current.0)
        .ok_or_else(|| Error::unavailable("this server offers no sign-in"))
}

/// The server's clock.
pub fn now() -> Timestamp {
    Timestamp::from(time::OffsetDateTime::now_utc())
}

/// The moment some days from now; `None` for no days.
pub fn days_ahead(days: u16) -> Option<Timestamp> {
    let moment = time::OffsetDateTime::now_utc() + time::Duration::days(i64::from(days));
    (days > 0).then(|| Timestamp::from(moment))
}

/// A text that no other page of this server gets.
pub fn fresh_key() -> String {
    static PAGES: AtomicU64 = AtomicU64::new(0);
    let page = PAGES.fetch_add(1, Ordering::Relaxed);
    let moment = time::OffsetDateTime::now_utc().unix_timestamp_nanos();
    format!("{moment:x}-{page:x}")
}

/// Sends the browser to a page, with and without JavaScript.
pub fn go_to(path: &str) {
    leptos_axum::redirect(path);
}

/// Stores the cookies of a sign-in.
pub fn keep(signed_in: &SignedIn) {
    if let Some(cookie) = use_context::<SessionCookie>() {
        for header in cookie.signed_in(signed_in) {
            append_header(SET_COOKIE, header);
        }
    }
}

/// Stores the cookies of a sign-in. A plain form goes on to `next`; the browser half goes by itself.
pub fn enter(signed_in: &SignedIn, next: &str) {
    keep(signed_in);
    go_to_from_form(local_path(next));
}

/// Removes the session cookie and shows a plain form the sign-in page.
pub fn leave() {
    if let Some(cookie) = use_context::<SessionCookie>() {
        append_header(SET_COOKIE, cookie.clear());
    }
    go_to_from_form("/sign-in");
}

/// Stores a preference for a year, readable by the page's own code.
pub fn remember(name: &'static str, value: &'static str) {
    if let Ok(header) = HeaderValue::from_str(&crate::layout::preference_cookie(name, value)) {
        append_header(SET_COOKIE, header);
    }
}

/// Value of a cookie of the request.
pub fn cookie(name: &str) -> Option<String> {
    let parts = use_context::<Parts>()?;
    let header = parts.headers.get(COOKIE)?.to_str().ok()?;
    header.split(';').find_map(|pair| {
        let (key, value) = pair.trim().split_once('=')?;
        (key == name).then(|| value.to_owned())
    })
}

/// Shows a plain form's sender a page; the browser half stays where it is.
pub fn show_after_form(path: &str) {
    go_to_from_form(path);
}

/// Shows the page again that a plain form stands on, with a value in its address.
pub fn go_back_with(name: &str, value: impl std::fmt::Display) {
    let referer = use_context::<Parts>().and_then(|parts| {
        let referer = parts.headers.get(REFERER)?.to_str().ok()?;
        let path = referer.split_once("://")?.1.split_once('/')?.1;
        Some(format!("/{path}"))
    });
    let referer = referer.unwrap_or_else(|| "/".to_owned());
    let (path, query) = referer.split_once('?').unwrap_or((&referer, ""));
    // What an earlier answer left there is over.
    let kept = query
        .split('&')
        .filter(|pair| !pair.is_empty() && !pair.starts_with("__") && !pair.starts_with(name));
    let pairs: Vec<String> = kept
        .map(str::to_owned)
        .chain([format!("{name}={value}")])
        .collect();
    leptos_axum::redirect(local_path(&format!("{path}?{}", pairs.join("&"))));
}

/// Whether a browser sends a form by itself, without this program's half in it.
pub fn is_plain_form() -> bool {
    use_context::<Parts>().is_some_and(|parts| {
        let accept = parts.headers.get(ACCEPT);
        accept.is_some_and(|value| value.to_str().is_ok_and(|text| text.contains("text/html")))
    })
}

fn go_to_from_form(path: &str) {
    if is_plain_form() {
        leptos_axum::redirect(path);
    }
}

fn append_header(name: HeaderName, value: HeaderValue) {
    if let Some(response) = use_context::<ResponseOptions>() {
        response.append_header(name, value);
    }
}
