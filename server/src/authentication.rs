//! Who sends a request.

use std::convert::Infallible;
use std::net::Ipv4Addr;

use app::session_cookie::SessionCookie;
use axum::extract::FromRequestParts;
use domain::Error;
use http::HeaderMap;
use http::header::{AUTHORIZATION, COOKIE, USER_AGENT};
use http::request::Parts;
use services::{Client, ClientEntrance, Session};

use crate::client::ClientAddress;
use crate::problem::Problem;
use crate::renewal::Slot;
use crate::router::AppState;

/// The signed-in actor of a REST request.
pub struct SignedIn(pub Session);

impl FromRequestParts<AppState> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Problem> {
        let session = authenticate(parts, state).await?;
        state.rate_limit.take(session.actor().user_id)?;
        Ok(Self(session))
    }
}

/// What somebody can do who is not signed in.
pub struct AtEntrance(pub ClientEntrance);

impl FromRequestParts<AppState> for AtEntrance {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, Infallible> {
        let client = client(parts, state.cookie);
        Ok(Self(state.services.entrance(client)))
    }
}

/// The browser or program that sends a request.
pub fn client(parts: &Parts, cookies: SessionCookie) -> Client {
    let address = parts.extensions.get::<ClientAddress>();
    let user_agent = parts.headers.get(USER_AGENT);
    Client {
        address: address.map_or(Ipv4Addr::UNSPECIFIED.into(), |address| address.0),
        user_agent: user_agent
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default()
            .to_owned(),
        device: cookie(&parts.headers, cookies.device_name()).map(str::to_owned),
    }
}

/// Finds the actor by API key or cookie, in the workspace that the request names.
///
/// # Errors
/// `Unauthenticated`; `NotFound` for a workspace that is not the actor's.
pub async fn authenticate(parts: &Parts, state: &AppState) -> Result<Session, Error> {
    let headers = &parts.headers;
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
            let token = cookie(headers, state.cookie.name()).ok_or(Error::Unauthenticated)?;
            let recognized = state.services.authenticate_session(token).await?;
            let slot = parts.extensions.get::<Slot>();
            if let (Some(token), Some(slot)) = (recognized.new_token, slot) {
                slot.leave(token);
            }
            recognized.session
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

fn cookie<'a>(headers: &'a HeaderMap, wanted: &str) -> Option<&'a str> {
    headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|header| header.to_str().ok())
        .flat_map(|header| header.split(';'))
        .find_map(|pair| {
            let (name, value) = pair.trim().split_once('=')?;
            (name == wanted && !value.is_empty()).then_some(value)
        })
}
