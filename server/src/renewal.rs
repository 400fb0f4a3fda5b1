//! Session tokens that are replaced while a request is answered, whatever door it came through.

use std::sync::{Arc, Mutex};

use app::session_cookie::SessionCookie;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use domain::{Secret, expose};
use http::HeaderMap;
use http::header::{COOKIE, SET_COOKIE};

/// Where a request's new token waits for the answer.
#[derive(Clone, Default)]
pub struct Slot(Arc<Mutex<Option<Secret>>>);

impl Slot {
    /// Leaves the token that replaces the request's own.
    pub fn leave(&self, token: Secret) {
        *self.0.lock().expect("no holder panics") = Some(token);
    }

    fn take(&self) -> Option<Secret> {
        self.0.lock().expect("no holder panics").take()
    }
}

/// Gives the new token to the browser with whatever is answered, be it an error.
pub async fn deliver(
    State(cookie): State<SessionCookie>,
    mut req: Request,
    next: Next,
) -> Response {
    if !req.headers().contains_key(COOKIE) {
        return next.run(req).await;
    }
    let slot = Slot::default();
    req.extensions_mut().insert(slot.clone());
    let mut response = next.run(req).await;
    if let Some(token) = slot.take()
        && !is_set(response.headers(), cookie)
    {
        let header = cookie.set(expose(&token));
        response.headers_mut().append(SET_COOKIE, header);
    }
    response
}

/// Whether the answer says itself what becomes of the session, as after a sign-out.
fn is_set(headers: &HeaderMap, cookie: SessionCookie) -> bool {
    headers.get_all(SET_COOKIE).iter().any(|header| {
        let name = header.as_bytes().strip_prefix(cookie.name().as_bytes());
        name.is_some_and(|rest| rest.starts_with(b"="))
    })
}
