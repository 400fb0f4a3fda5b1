//! Asking another process of the installation for what it runs, over HTTP.

use std::time::Duration;

use http::Method;
pub use http::header::AUTHORIZATION;
use outbound::Outbound;
use serde::Deserialize;
use serde_json::Value;
use url::Url;

/// Longest answer that is read of a process of ours.
const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Why another process has not made a server ready.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotReady {
    /// It tried, and this is why it could not.
    Failed(String),
    /// The same, and it can once what it runs servers on is back.
    Later(String),
    /// It does not answer, or does not run the server any more.
    Away,
}

#[derive(Deserialize)]
struct Told {
    reason: String,
}

/// Has another process make a server ready; `bearer` proves that we may ask.
///
/// # Errors
/// See [`NotReady`].
pub async fn make_ready(
    outbound: &Outbound,
    url: Url,
    bearer: &str,
    timeout: Duration,
) -> Result<(), NotReady> {
    let request = outbound.request(Method::POST, url);
    let request = request.map_err(|_| NotReady::Away)?;
    let sent = request.bearer_auth(bearer).timeout(timeout).send().await;
    let answer = sent.map_err(|_| NotReady::Away)?;
    let why = match answer.status().as_u16() {
        204 => return Ok(()),
        422 => NotReady::Failed,
        503 => NotReady::Later,
        _ => return Err(NotReady::Away),
    };
    let told = answer.json::<Told>().await;
    Err(told.map_or(NotReady::Away, |told| why(told.reason)))
}

/// What another process knows of a server; `None` if it does not answer.
pub async fn read(outbound: &Outbound, url: Url, bearer: &str, timeout: Duration) -> Option<Value> {
    let request = outbound.request(Method::GET, url).ok()?;
    let request = request.header(AUTHORIZATION, format!("Bearer {bearer}"));
    let answer = request.timeout(timeout).send().await.ok()?;
    let is_fine = answer.status().is_success()
        && answer
            .content_length()
            .is_none_or(|length| length <= MAX_BYTES as u64);
    match is_fine {
        true => answer.json().await.ok(),
        false => None,
    }
}
