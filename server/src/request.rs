//! What every request goes through: an id, a metric, running to its end, and safe headers.

use std::time::Instant;

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use services::REQUEST_ID;
use tracing::{Instrument, Span};

use crate::problem::Problem;
use crate::security_headers::SecurityHeaders;
use crate::traces::TARGET;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives the request an id, and its answer that header and those for safety; counts and times it.
pub async fn identify(
    State(security_headers): State<SecurityHeaders>,
    req: Request,
    next: Next,
) -> Response {
    let path = req
        .extensions()
        .get::<MatchedPath>()
        .map_or("page", MatchedPath::as_str)
        .to_owned();
    let (method, headers) = (req.method().clone(), req.headers());
    let known = Known::new(method, path, traceparent(headers));
    known
        .answered(security_headers, async {
            let is_api = req.uri().path().starts_with("/api/v1/");
            let response = run_to_end(req, next).await;
            match is_api {
                true => as_problem(response),
                false => response,
            }
        })
        .await
}

/// What is known of a request that is being answered.
pub struct Known {
    request_id: String,
    method: Method,
    path: String,
    span: Span,
    started: Instant,
}

impl Known {
    /// `path` is the route's.
    pub fn new(method: Method, path: String, traceparent: Option<&str>) -> Self {
        let request_id = uuid::Uuid::now_v7().to_string();
        let span = tracing::info_span!(
            target: TARGET, "request",
            otel.kind = "server", otel.name = tracing::field::Empty,
            traceparent, http.request.method = %method, http.route = path,
            http.response.status_code = tracing::field::Empty, request.id = request_id,
        );
        if !span.is_disabled() {
            span.record("otel.name", format!("{method} {path}"));
        }
        Self {
            request_id,
            method,
            path,
            span,
            started: Instant::now(),
        }
    }

    /// Sees a request through to its answer.
    pub async fn answered(
        self,
        security_headers: SecurityHeaders,
        answering: impl Future<Output = Response>,
    ) -> Response {
        let Self {
            request_id,
            method,
            path,
            span,
            started,
        } = self;
        let answering = REQUEST_ID.scope(request_id.clone(), answering);
        let mut response = match span.is_disabled() {
            true => answering.await,
            false => answering.instrument(span.clone()).await,
        };
        span.record("http.response.status_code", response.status().as_u16());
        security_headers.add_to(&mut response);
        if let Ok(value) = HeaderValue::from_str(&request_id) {
            response.headers_mut().insert(X_REQUEST_ID, value);
        }
        let status = response.status().as_u16().to_string();
        let labels = [
            ("method", method.to_string()),
            ("path", path),
            ("status", status),
        ];
        metrics::counter!("agentarea_http_requests_total", &labels).increment(1);
        metrics::histogram!("agentarea_http_request_duration_seconds", &labels)
            .record(started.elapsed().as_secs_f64());
        response
    }
}

/// The trace that a caller's own trace goes on in.
pub fn traceparent(headers: &HeaderMap) -> Option<&str> {
    headers.get("traceparent")?.to_str().ok()
}

/// Errors of the layers around the handlers, such as a body that is too large, in the one format.
fn as_problem(response: Response) -> Response {
    let status = response.status();
    let is_error = status.is_client_error() || status.is_server_error();
    let is_problem = response
        .headers()
        .get(CONTENT_TYPE)
        .is_some_and(|value| value == "application/problem+json");
    if !is_error || is_problem {
        return response;
    }
    let detail = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "the body is too large".to_owned(),
        StatusCode::GATEWAY_TIMEOUT => "the answer took too long".to_owned(),
        status => status.canonical_reason().unwrap_or("error").to_lowercase(),
    };
    Problem::Http(status, detail).into_response()
}

/// A change that was begun is carried through even if its client hangs up. A tool call through the
/// gateway is none: its client hangs up to cancel it.
async fn run_to_end(req: Request, next: Next) -> Response {
    let path = req.uri().path();
    let is_gateway = path == "/mcp" || path.starts_with("/mcp/");
    if is_gateway || matches!(*req.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(req).await;
    }
    let request_id = REQUEST_ID.get();
    let work = REQUEST_ID.scope(request_id, next.run(req));
    let work = tokio::spawn(work.in_current_span());
    match work.await {
        Ok(response) => response,
        Err(error) => Problem::from(services::internal(&error.into())).into_response(),
    }
}
