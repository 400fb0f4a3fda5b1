//! `Idempotency-Key`: the same request again gets the first answer.

use axum::body::{Body, to_bytes};
use axum::extract::{OriginalUri, Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use services::{Request as KeyedRequest, Session, StoredAnswer};

use crate::authentication::authenticate;
use crate::problem::Problem;
use crate::router::AppState;

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Largest answer that is kept.
const MAX_ANSWER_BYTES: usize = 1024 * 1024;

/// The request's key, if it has one.
///
/// # Errors
/// 400 if it is not 1 to 255 visible ASCII characters.
pub fn key(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(IDEMPOTENCY_KEY) else {
        return Ok(None);
    };
    let text = value.to_str().unwrap_or_default();
    if text.is_empty() || text.len() > 255 {
        let detail = "Idempotency-Key must have 1 to 255 visible ASCII characters";
        return Err(Problem::malformed(detail));
    }
    Ok(Some(text))
}

/// Answers a repeated POST as the first time; requests without a key pass through.
pub async fn replay(State(state): State<AppState>, req: Request, next: Next) -> Response {
    if req.method() != Method::POST || !req.headers().contains_key(IDEMPOTENCY_KEY) {
        return next.run(req).await;
    }
    match answer_once(&state, req, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn answer_once(state: &AppState, req: Request, next: Next) -> Result<Response, Problem> {
    let (parts, body) = req.into_parts();
    let path = parts
        .extensions
        .get::<OriginalUri>()
        .map_or_else(|| parts.uri.path().to_owned(), |uri| uri.path().to_owned());
    let key = key(&parts.headers)?.unwrap_or_default().to_owned();
    // Without an actor there is no scope for the key: set-up and sign-in just run.
    let session = authenticate(&parts, state).await.ok();
    let body = to_bytes(body, crate::router::MAX_BODY_BYTES)
        .await
        .map_err(|_| {
            let detail = "the body is too large".to_owned();
            Problem::Http(StatusCode::PAYLOAD_TOO_LARGE, detail)
        })?;
    let req = Request::from_parts(parts, Body::from(body.clone()));
    let Some(session) = session else {
        return Ok(next.run(req).await);
    };
    let request = KeyedRequest {
        path: &path,
        key: &key,
        body: &body,
    };
    if let Some(answer) = session.claim_request(request).await? {
        return Ok(replayed(answer));
    }
    let response = next.run(req).await;
    keep(&session, request, response).await
}

async fn keep(
    session: &Session,
    request: KeyedRequest<'_>,
    response: Response,
) -> Result<Response, Problem> {
    if !response.status().is_success() {
        session.drop_claim(request).await?;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, MAX_ANSWER_BYTES)
        .await
        .map_err(|error| services::internal(&error.into()))?;
    let answer = StoredAnswer {
        status: parts.status.as_u16(),
        location: parts
            .headers
            .get(LOCATION)
            .and_then(|value| value.to_str().ok())
            .map(str::to_owned),
        body: body.to_vec(),
    };
    session.keep_answer(request, &answer).await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

/// A first answer, once more.
pub fn replayed(answer: StoredAnswer) -> Response {
    let status = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let mut response = (status, answer.body).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    if let Some(location) = answer.location.and_then(|text| text.parse().ok()) {
        headers.insert(LOCATION, location);
    }
    response
}
