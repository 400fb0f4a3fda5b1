//! What browsers refused to do with our pages, as they report it.
//!
//! Formats: Reporting API (`application/reports+json`) with the bodies of CSP Level 3, 5.3.

use std::sync::atomic::{AtomicU32, AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use axum::body::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use crate::problem::Problem;

/// Largest delivery; browsers send several reports at once.
pub const MAX_BYTES: usize = 64 * 1024;
/// Lines of the log in a minute; anybody may report anything.
const LINES_A_MINUTE: u32 = 20;
/// What is counted under its own name.
const DIRECTIVES: [&str; 12] = [
    "base-uri",
    "connect-src",
    "font-src",
    "form-action",
    "frame-ancestors",
    "frame-src",
    "img-src",
    "object-src",
    "require-trusted-types-for",
    "script-src-attr",
    "script-src-elem",
    "style-src-elem",
];

#[derive(Deserialize)]
struct Report {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    body: Violation,
}

#[derive(Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Violation {
    effective_directive: String,
    disposition: String,
    #[serde(rename = "blockedURL")]
    blocked_url: String,
    line_number: u32,
}

/// Counts reports and writes the first of each minute into the log. Addresses are cut to their
/// origin: paths can hold what is nobody's business.
pub async fn create(headers: HeaderMap, body: Bytes) -> Result<StatusCode, Problem> {
    let kind = headers.get(CONTENT_TYPE).map(|kind| kind.as_bytes());
    if !kind.is_some_and(|kind| kind.starts_with(b"application/reports+json")) {
        let detail = "send application/reports+json".to_owned();
        return Err(Problem::Http(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    let reports: Vec<Report> = serde_json::from_slice(&body).map_err(|error| {
        let detail = format!("the reports cannot be read: {error}");
        Problem::Http(StatusCode::BAD_REQUEST, detail)
    })?;
    for Report { body, .. } in reports.iter().filter(|it| it.kind == "csp-violation") {
        let directive = DIRECTIVES
            .iter()
            .find(|it| **it == body.effective_directive);
        let directive = directive.copied().unwrap_or("other");
        let disposition = match body.disposition.as_str() {
            "report" => "report",
            _ => "enforce",
        };
        let labels = [("directive", directive), ("disposition", disposition)];
        metrics::counter!("agentarea_policy_reports_total", &labels).increment(1);
        if may_log() {
            tracing::warn!(
                directive,
                disposition,
                blocked = origin(&body.blocked_url),
                line = body.line_number,
                "a browser reports a breach of the content policy"
            );
        }
    }
    Ok(StatusCode::NO_CONTENT)
}

/// An address without path, or one of the words that stand for none, such as `inline`.
fn origin(blocked: &str) -> String {
    match url::Url::parse(blocked) {
        Ok(url) => url.origin().ascii_serialization(),
        Err(_) => blocked.chars().take(32).collect(),
    }
}

fn may_log() -> bool {
    static MINUTE: AtomicU64 = AtomicU64::new(0);
    static LINES: AtomicU32 = AtomicU32::new(0);
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    let minute = since.map_or(0, |since| since.as_secs() / 60);
    if MINUTE.swap(minute, Ordering::Relaxed) != minute {
        LINES.store(0, Ordering::Relaxed);
    }
    LINES.fetch_add(1, Ordering::Relaxed) < LINES_A_MINUTE
}
