//! Who sends a request.

use app::session_cookie::SessionCookie;
use axum::extract::FromRequestParts;
use domain::Error;
use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE};
use http::request::Parts;
use services::Session;

use crate::problem::Problem;
use crate::router::AppState;

/// The signed-in actor of a REST request.
pub struct SignedIn(pub Session);

impl FromRequestParts<AppState> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let session = authenticate(&parts.headers, state).await?;
        state.rate_limit.take(session.actor().user_id)?;
        Ok(Self(session))
    }
}

/// Finds the actor by API key or cookie, in the workspace that the request names.
///
/// # Errors
/// `Unauthenticated`; `NotFound` for a workspace that is not the actor's.
pub async fn authenticate(headers: &HeaderMap, state: &AppState) -> Result<Session, Error> {
    let session = match headers.get(AUTHORIZATION) {
        Some(header) => {
            let key = header
                .to_str()
                .ok()
                .and_then(|text| text.strip_prefix("Bearer "))
                .ok_or(Error::Unauthenticated)?;
            state.services.authenticate_key(key.trim()).await?
        }
        None => {
            let token = cookie(headers, state.cookie).ok_or(Error::Unauthenticated)?;
            state.services.authenticate_session(token).await?
        }
    };
    match headers.get("x-workspace-id") {
        Some(header) => {
            let workspace_id = header.to_str().ok().and_then(|text| text.parse().ok());
            session
                .in_workspace(workspace_id.ok_or(Error::NotFound)?)
                .await
        }
        None => Ok(session),
    }
}

fn cookie(headers: &HeaderMap, cookie: SessionCookie) -> Option<&str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == cookie.name() && !value.is_empty()).then_some(value)
        })
}
