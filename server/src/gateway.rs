//! `/mcp` and `/mcp/{server}`: the gateway to the workspace's tool servers.

use axum::body::Body;
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use domain::Error;
use http::header::{AUTHORIZATION, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use mcp::gateway::{Caller, GatewayService};
use url::Url;

use crate::authentication::authenticate;
use crate::guard::Site;
use crate::problem::Problem;
use crate::router::{AppState, MAX_BODY_BYTES};

/// The gateway of this server.
pub fn service(public_url: &Url, stopping: tokio_util::sync::CancellationToken) -> GatewayService {
    let site = Site::new(public_url);
    let hosts = site.hosts().to_vec();
    // Without a port every one would be let through.
    let origin = |host: &String| match (public_url.port(), public_url.port_or_known_default()) {
        (None, Some(port)) => format!("{}://{host}:{port}", public_url.scheme()),
        _ => format!("{}://{host}", public_url.scheme()),
    };
    let origins = hosts.iter().map(origin).collect();
    let process = uuid::Uuid::new_v4().simple().to_string();
    GatewayService::new(hosts, origins, MAX_BODY_BYTES, process, stopping)
}

/// All tool servers of the workspace.
pub async fn all(State(state): State<AppState>, req: Request) -> Response {
    serve(state, None, req).await
}

/// One tool server alone.
pub async fn one(
    State(state): State<AppState>,
    Path(server): Path<String>,
    req: Request,
) -> Response {
    serve(state, Some(server), req).await
}

async fn serve(state: AppState, server: Option<String>, req: Request) -> Response {
    let (mut parts, body) = req.into_parts();
    match caller(&state, server.as_deref(), &parts).await {
        Ok(caller) => {
            // The key has done its work; nothing behind this sees it.
            parts.headers.remove(AUTHORIZATION);
            parts.extensions.insert(caller);
            let req = Request::from_parts(parts, body);
            state.gateway.handle(req).await.map(Body::new)
        }
        Err(error) => refused(error),
    }
}

/// Whoever holds the API key; cookies are for pages.
async fn caller(state: &AppState, server: Option<&str>, parts: &Parts) -> Result<Caller, Error> {
    if !parts.headers.contains_key(AUTHORIZATION) {
        return Err(Error::Unauthenticated);
    }
    let session = authenticate(parts, state).await?;
    state.rate_limit.take(session.actor().user_id)?;
    Ok(Caller(session.gateway(server).await?))
}

fn refused(error: Error) -> Response {
    let mut response = Problem::from(error).into_response();
    if response.status() == StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Bearer realm=\"AgentArea\"");
        response.headers_mut().insert(WWW_AUTHENTICATE, challenge);
    }
    response
}
