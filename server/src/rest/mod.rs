//! REST: one file per feature, each handler a thin door to the platform.

pub mod account;
pub mod agents;
pub mod api_keys;
pub mod approvals;
pub mod audit;
pub mod budgets;
pub mod conversations;
pub mod events;
pub mod files;
pub mod health;
pub mod idempotency;
pub mod invitations;
pub mod mcp_servers;
pub mod members;
pub mod metrics;
pub mod models;
pub mod policy_reports;
pub mod runs;
pub mod usage;

use std::any::Any;
use std::str::FromStr;

use axum::Json;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Query, Request};
use axum::response::{IntoResponse, Response};
use domain::conversations::Export;
use domain::{Error, Page};
use http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, LOCATION};
use http::request::Parts;
use http::{HeaderValue, StatusCode};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::problem::Problem;

/// Result of a handler.
pub type Answer<T> = Result<T, Problem>;

/// A JSON body.
pub struct Body<T>(pub T);

/// `?limit=` and `?after=` of a list.
pub struct PageQuery(pub Page);

/// A created object: 201 with its address.
pub struct Created<T> {
    location: String,
    object: T,
}

impl<T> Created<T> {
    /// An object at `/api/v1/<path>`.
    pub fn at(path: &str, object: T) -> Self {
        Self {
            location: format!("/api/v1/{path}"),
            object,
        }
    }
}

impl<T: Serialize> IntoResponse for Created<T> {
    fn into_response(self) -> Response {
        let mut response = (StatusCode::CREATED, Json(self.object)).into_response();
        if let Ok(location) = HeaderValue::from_str(&self.location) {
            response.headers_mut().insert(LOCATION, location);
        }
        response
    }
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(req: Request, state: &S) -> Result<Self, Problem> {
        let is_json = req
            .headers()
            .get(CONTENT_TYPE)
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .is_some_and(|kind| kind.trim().eq_ignore_ascii_case("application/json"));
        if !is_json {
            let detail = "send JSON with content-type: application/json".to_owned();
            return Err(Problem::Http(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
        }
        let bytes = Bytes::from_request(req, state)
            .await
            .map_err(|error| Problem::Http(error.status(), error.body_text()))?;
        parse(&bytes).map(Self)
    }
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let cause = error.into_inner();
        match cause.classify() {
            serde_json::error::Category::Data => {
                let field = if path == "." { "body" } else { &path };
                Problem::from(Error::invalid(field, plain(&cause)))
            }
            _ => Problem::malformed(format!("the body is no valid JSON: {cause}")),
        }
    })?;
    json.end()
        .map_err(|error| Problem::malformed(format!("the body is no valid JSON: {error}")))?;
    Ok(value)
}

/// What serde says, without the position, which means nothing to a form.
fn plain(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rsplit_once(" at line ") {
        Some((message, _)) => message.to_owned(),
        None => text,
    }
}

impl<S: Send + Sync> FromRequestParts<S> for PageQuery {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        #[derive(Deserialize)]
        struct Raw {
            limit: Option<u64>,
            after: Option<String>,
        }
        let Query(raw) = Query::<Raw>::from_request_parts(parts, state)
            .await
            .map_err(|error| Problem::malformed(error.body_text()))?;
        Ok(Self(Page::new(raw.limit, raw.after)?))
    }
}

/// Reads an id of a path; a malformed one names nothing.
///
/// # Errors
/// `NotFound`.
pub fn id<Id: FromStr>(text: &str) -> Result<Id, Error> {
    text.parse().map_err(|_| Error::NotFound)
}

/// A file that is downloaded, not shown.
pub fn attachment(export: Export) -> Response {
    let disposition = format!("attachment; filename=\"{}\"", export.file_name);
    let mut response = export.content.into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(export.content_type));
    if let Ok(disposition) = HeaderValue::from_str(&disposition) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    response
}

/// Answers an address that does not exist.
pub async fn not_found() -> Problem {
    Error::NotFound.into()
}

/// Answers a method that an address does not have.
pub async fn method_not_allowed() -> Problem {
    let detail = "this address does not have that method".to_owned();
    Problem::Http(StatusCode::METHOD_NOT_ALLOWED, detail)
}

/// Answers a request whose handler panicked.
pub fn panicked(cause: Box<dyn Any + Send>) -> Response {
    let message = cause
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| cause.downcast_ref::<&str>().copied())
        .unwrap_or("unknown cause");
    Problem::from(services::internal(&anyhow::anyhow!("panic: {message}"))).into_response()
}
