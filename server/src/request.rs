//! What every request goes through: an id, a metric, and running to its end.

use std::time::Instant;

use axum::extract::{MatchedPath, Request};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::{HeaderName, HeaderValue, Method};
use services::REQUEST_ID;

use crate::problem::Problem;

const X_REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Gives the request an id, and its answer the header; counts and times it.
pub async fn identify(req: Request, next: Next) -> Response {
    let request_id = uuid::Uuid::now_v7().to_string();
    let method = req.method().clone();
    let path = req
        .extensions()
        .get::<MatchedPath>()
        .map_or("page", MatchedPath::as_str)
        .to_owned();
    let started = Instant::now();
    let mut response = REQUEST_ID
        .scope(request_id.clone(), run_to_end(req, next))
        .await;
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

/// A change that was begun is carried through even if its client hangs up.
async fn run_to_end(req: Request, next: Next) -> Response {
    if matches!(*req.method(), Method::GET | Method::HEAD | Method::OPTIONS) {
        return next.run(req).await;
    }
    let request_id = REQUEST_ID.get();
    let work = tokio::spawn(REQUEST_ID.scope(request_id, next.run(req)));
    match work.await {
        Ok(response) => response,
        Err(error) => Problem::from(services::internal(&error.into())).into_response(),
    }
}
