//! `/oauth/callback`: where people come back from signing in for a tool server.

use axum::extract::Query;
use axum::response::{IntoResponse, Redirect, Response};
use domain::Secret;
use domain::mcp_servers::{McpServers, SignInReturn};
use serde::Deserialize;

use crate::authentication::SignedIn;
use crate::problem::Problem;

/// What the authorization server says; anything else of it is left aside.
#[derive(Deserialize)]
pub struct Returned {
    state: Option<String>,
    code: Option<String>,
    iss: Option<String>,
}

/// Finishes the sign-in and shows its server, with what went wrong if something did.
///
/// A link can lead anybody here: only a state that this browser session has begun does anything, once.
pub async fn show(
    session: Result<SignedIn, Problem>,
    returned: Result<Query<Returned>, axum::extract::rejection::QueryRejection>,
) -> Response {
    const UNKNOWN: &str = "/tools?sign_in=unknown";
    let Ok(SignedIn(session)) = session else {
        return Redirect::to("/sign-in").into_response();
    };
    let Ok(Query(Returned {
        state: Some(state),
        code,
        iss,
    })) = returned
    else {
        return Redirect::to(UNKNOWN).into_response();
    };
    let returned = SignInReturn {
        state: Secret::new(state),
        code: code.map(Secret::new),
        issuer: iss,
    };
    match session.finish_mcp_sign_in(returned).await {
        Ok(id) => Redirect::to(&format!("/tools/{id}")).into_response(),
        Err(domain::Error::NotFound) => Redirect::to(UNKNOWN).into_response(),
        Err(error) => Problem::from(error).into_response(),
    }
}
