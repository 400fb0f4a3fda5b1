//! `/conversations/{id}/events`: the log as a stream or as pages.

use std::ops::RangeInclusive;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use domain::{Error, Page};
use futures::stream;
use http::header::{ACCEPT, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use services::{AccessWatch, EventLogPage, Watch};
use tokio_util::sync::CancellationToken;

use super::{Answer, id};
use crate::authentication::SignedIn;
use crate::problem::Problem;
use crate::router::AppState;

/// When clients of a server that stops come back.
const COME_BACK_MS: RangeInclusive<u32> = 500..=2_000;

#[derive(Deserialize)]
pub struct EventsQuery {
    after: Option<String>,
    limit: Option<u64>,
    until: Option<String>,
    render: Option<String>,
}

pub async fn events(
    State(state): State<AppState>,
    SignedIn(session): SignedIn,
    Path(conversation): Path<String>,
    query: Result<Query<EventsQuery>, axum::extract::rejection::QueryRejection>,
    headers: HeaderMap,
) -> Answer<Response> {
    let Query(query) = query.map_err(|error| Problem::malformed(error.body_text()))?;
    let id = id(&conversation)?;
    let after = start(&query, &headers)?;
    if wants_json(&headers) {
        let limit = Page::new(query.limit, None)?.limit;
        return Ok(page(session.list_events(id, after, limit).await?));
    }
    let ends_when_idle = match query.until.as_deref() {
        None => false,
        Some("idle") => true,
        Some(_) => return Err(Error::invalid("until", "can only be idle").into()),
    };
    let access = session.watch_access();
    let watch = match query.render.as_deref() {
        None => session.watch(id, after, ends_when_idle).await?,
        Some("html") if !ends_when_idle => session.watch_html(id, after).await?,
        Some(_) => return Err(Error::invalid("render", "can only be html, without until").into()),
    };
    let streaming = Streaming {
        watch,
        access,
        stopping: state.stopping,
    };
    // Boxed: a future keeps room for its argument and for what becomes of it.
    let frames = stream::unfold(Some(Box::new(streaming)), next_frame);
    let mut response = axum::body::Body::from_stream(frames).into_response();
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

struct Streaming {
    watch: Watch,
    access: AccessWatch,
    stopping: CancellationToken,
}

async fn next_frame(
    streaming: Option<Box<Streaming>>,
) -> Option<(Result<Bytes, Error>, Option<Box<Streaming>>)> {
    let mut streaming = streaming?;
    let patience = streaming.watch.patience();
    let patience = patience.min(streaming.access.patience());
    let frame = tokio::select! {
        biased;
        () = streaming.stopping.cancelled() => return Some((Ok(come_back()), None)),
        // The client comes back and is told what it may see now.
        () = streaming.access.changed() => return None,
        frame = streaming.watch.next() => frame,
        () = tokio::time::sleep(patience) => {
            streaming.watch.look_again();
            // Keeps the line open, at least every 15 s.
            Ok(Some(Bytes::from_static(b":\n\n")))
        }
    };
    match frame {
        Ok(Some(bytes)) => Some((Ok(bytes), Some(streaming))),
        Ok(None) => None,
        // Breaks the connection off; the client resumes where it was.
        Err(error) => Some((Err(error), None)),
    }
}

/// Last words of a server that stops: when to come back, not all at once.
fn come_back() -> Bytes {
    let pause_ms = rand::random_range(COME_BACK_MS);
    format!("retry: {pause_ms}\n\n").into()
}

/// Where to begin: `Last-Event-ID` wins over `?after=`.
fn start(query: &EventsQuery, headers: &HeaderMap) -> Result<u64, Problem> {
    let (name, text) = match headers.get("last-event-id") {
        Some(value) => ("Last-Event-ID", value.to_str().unwrap_or("?")),
        None => ("after", query.after.as_deref().unwrap_or("0")),
    };
    text.parse()
        .map_err(|_| Problem::malformed(format!("{name} must be the number of an event")))
}

fn wants_json(headers: &HeaderMap) -> bool {
    let accept = headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| {
        accept.contains("application/json") && !accept.contains("text/event-stream")
    })
}

/// The events are JSON already, byte for byte as in the stream.
fn page(page: EventLogPage) -> Response {
    let next = match page.next {
        Some(seq) => format!("\"{seq}\""),
        None => "null".to_owned(),
    };
    let body = format!("{{\"items\":[{}],\"next\":{next}}}", page.items.join(","));
    let content_type = HeaderValue::from_static("application/json");
    ([(CONTENT_TYPE, content_type)], body).into_response()
}
