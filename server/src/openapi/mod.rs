//! The OpenAPI document: every route of the router with what goes in and what comes out.
//!
//! Schemas are derived from the types that the handlers use; `routes.rs` says which route has which.

mod document;
mod page;
mod route;
mod routes;
mod schemas;

use std::sync::OnceLock;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::HeaderValue;
use http::header::{CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use serde_json::Value;

use crate::router::AppState;

/// Styles, fonts and pictures of this server, and nothing else.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; style-src 'self'; font-src 'self'; img-src 'self'; base-uri 'none'; \
     form-action 'none'; frame-ancestors 'none'",
);

/// The document.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(|| document::build(&routes::routes()))
}

/// `GET /api/v1/openapi.json`
pub async fn json() -> Response {
    let json = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, json)], document().to_string()).into_response()
}

/// `GET /docs`
pub async fn page(State(state): State<AppState>) -> Response {
    let html = page::render(document(), &state.assets.css);
    let headers = [
        (
            CONTENT_TYPE,
            HeaderValue::from_static("text/html; charset=utf-8"),
        ),
        (CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, html).into_response()
}
