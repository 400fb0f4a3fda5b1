//! `/mcp` and `/mcp/{server}`: the gateway to the workspace's tool servers.

use std::fmt;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::body::{Body, HttpBody};
use axum::extract::{Path, Request, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::Error;
use futures::FutureExt;
use http::header::{AUTHORIZATION, CONTENT_LENGTH, COOKIE, WWW_AUTHENTICATE};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use mcp::gateway::{Caller, GatewayService};
use url::Url;

use crate::authentication::authenticate;
use crate::guard::Site;
use crate::problem::Problem;
use crate::request::{Known, traceparent};
use crate::rest;
use crate::router::{AppState, MAX_BODY_BYTES};
use crate::security_headers::SecurityHeaders;
use crate::stall::AwaitedBody;

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
    serve(&state, None, req).await
}

/// One tool server alone.
pub async fn one(
    State(state): State<AppState>,
    Path(server): Path<String>,
    req: Request,
) -> Response {
    serve(&state, Some(server), req).await
}

/// The short way to `/mcp`, by which most of its requests go: the same checks in the same order as
/// those of the routes, in one piece, since a tool call is made many times a second.
#[derive(Clone)]
pub struct ShortWay {
    inner: Arc<Inner>,
}

struct Inner {
    state: AppState,
    site: Site,
    security_headers: SecurityHeaders,
}

impl ShortWay {
    /// To the gateway of a site.
    pub fn new(state: AppState, public_url: &Url) -> Self {
        let inner = Inner {
            state,
            site: Site::new(public_url),
            security_headers: SecurityHeaders::new(public_url),
        };
        Self {
            inner: Arc::new(inner),
        }
    }

    /// Whether a request may go this way: a message with a key, of a length that is told and allowed.
    /// Whatever else there is is for the routes.
    pub fn takes(&self, req: &http::Request<AwaitedBody>) -> bool {
        let length = req.headers().get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<usize>().ok());
        req.method() == http::Method::POST
            && req.uri().path() == "/mcp"
            && req.headers().contains_key(AUTHORIZATION)
            && !req.headers().contains_key(COOKIE)
            && length.is_some_and(|length| length <= MAX_BODY_BYTES)
    }

    /// Answers such a request.
    pub async fn answer(self, mut req: http::Request<AwaitedBody>) -> Response {
        let inner = self.inner;
        let (method, headers) = (req.method().clone(), req.headers());
        let known = Known::new(method, "/mcp".to_owned(), traceparent(headers));
        let answering = async {
            if let Err(refused) = inner.site.let_in(&mut req) {
                return refused.into_response();
            }
            // In a box: it would be moved with each future that is put around it.
            let serving = AssertUnwindSafe(Box::pin(serve(&inner.state, None, req)));
            serving.catch_unwind().await.unwrap_or_else(rest::panicked)
        };
        known.answered(inner.security_headers, answering).await
    }
}

async fn serve<B>(state: &AppState, server: Option<String>, req: http::Request<B>) -> Response
where
    B: HttpBody<Data = Bytes> + Send + 'static,
    B::Error: fmt::Display + Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let (mut parts, body) = req.into_parts();
    match caller(state, server.as_deref(), &parts).await {
        Ok(caller) => {
            // The key has done its work; nothing behind this sees it.
            parts.headers.remove(AUTHORIZATION);
            parts.extensions.insert(caller);
            let req = http::Request::from_parts(parts, body);
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
