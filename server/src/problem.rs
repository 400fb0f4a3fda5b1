//! Errors as RFC 9457 problem documents.

use axum::Json;
use axum::response::{IntoResponse, Response};
use domain::{Error, FieldError};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use serde::Serialize;

/// An error on its way to a client.
#[derive(Debug)]
pub enum Problem {
    /// What the product says.
    Error(Error),
    /// What HTTP alone can say.
    Http(StatusCode, String),
}

#[derive(Serialize)]
struct Document {
    r#type: &'static str,
    title: &'static str,
    status: u16,
    detail: String,
    request_id: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<FieldError>,
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

impl Problem {
    /// A request that cannot be read.
    pub fn malformed(detail: impl Into<String>) -> Self {
        Self::Http(StatusCode::BAD_REQUEST, detail.into())
    }

    /// The status it is answered with.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Http(status, _) => *status,
            Self::Error(error) => match error {
                Error::Unauthenticated => StatusCode::UNAUTHORIZED,
                Error::Forbidden => StatusCode::FORBIDDEN,
                Error::NotFound => StatusCode::NOT_FOUND,
                Error::Conflict { .. } => StatusCode::CONFLICT,
                Error::Invalid { .. } => StatusCode::UNPROCESSABLE_ENTITY,
                Error::RateLimited { .. } => StatusCode::TOO_MANY_REQUESTS,
                Error::Unavailable { .. } => StatusCode::SERVICE_UNAVAILABLE,
                Error::Internal { .. } => StatusCode::INTERNAL_SERVER_ERROR,
            },
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = self.status();
        let (detail, errors, retry_after) = match self {
            Self::Http(_, detail) => (detail, Vec::new(), None),
            Self::Error(error) => {
                let detail = error.to_string();
                let retry_after = match &error {
                    Error::RateLimited {
                        retry_after_seconds,
                    } => Some(*retry_after_seconds),
                    Error::Unavailable { .. } => Some(1),
                    _ => None,
                };
                let errors = match error {
                    Error::Invalid { fields } => fields,
                    _ => Vec::new(),
                };
                (detail, errors, retry_after)
            }
        };
        let document = Document {
            r#type: "about:blank",
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail,
            request_id: services::REQUEST_ID
                .try_with(Clone::clone)
                .unwrap_or_default(),
            errors,
        };
        let mut response = (status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if let Some(seconds) = retry_after {
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}
