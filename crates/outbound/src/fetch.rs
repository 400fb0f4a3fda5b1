//! Reads one document, following redirects and checking each address like the first.

use futures::StreamExt;
use reqwest::header::{CONTENT_TYPE, LOCATION};
use reqwest::{Method, Response, StatusCode};
use url::Url;

use crate::{Outbound, Refused, refusal};

/// Redirects followed.
const MAX_REDIRECTS: usize = 5;

/// A document.
#[derive(Clone, Debug)]
pub struct Fetched {
    /// Where it was found, after redirects.
    pub url: Url,
    /// The status of the answer.
    pub status: StatusCode,
    /// `Content-Type` in lower case; empty if the server gave none.
    pub media_type: String,
    /// The body, as far as it was read.
    pub body: Vec<u8>,
    /// Whether there was more.
    pub is_cut: bool,
}

/// Why there is no document.
#[derive(Debug, thiserror::Error)]
pub enum FetchError {
    /// The address, or one that it led to, is not called.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// Nobody answers there.
    #[error("the server cannot be reached")]
    Unreachable,
    /// The answer broke off.
    #[error("the connection was lost")]
    Interrupted,
    /// A redirect without a usable address.
    #[error("the server redirects to something that is no address")]
    BadRedirect,
    /// A circle, most likely.
    #[error("more than {MAX_REDIRECTS} redirects")]
    TooManyRedirects,
}

impl Outbound {
    /// Gets a document of at most `max_bytes`; the caller sets the deadline.
    ///
    /// # Errors
    /// `FetchError`; an answer with a bad status is a document.
    pub async fn fetch(&self, mut url: Url, max_bytes: usize) -> Result<Fetched, FetchError> {
        for _ in 0..=MAX_REDIRECTS {
            let response = self.request(Method::GET, url.clone())?.send().await;
            let response = response.map_err(|error| match refusal(&error) {
                Some(refused) => FetchError::Refused(refused.clone()),
                None if error.is_connect() => FetchError::Unreachable,
                None => FetchError::Interrupted,
            })?;
            if response.status().is_redirection() {
                let location = header(&response, &LOCATION).ok_or(FetchError::BadRedirect)?;
                url = url.join(&location).map_err(|_| FetchError::BadRedirect)?;
                continue;
            }
            let status = response.status();
            let media_type = header(&response, &CONTENT_TYPE).unwrap_or_default();
            let (body, is_cut) = read(response, max_bytes).await?;
            return Ok(Fetched {
                url,
                status,
                media_type: media_type.to_ascii_lowercase(),
                body,
                is_cut,
            });
        }
        Err(FetchError::TooManyRedirects)
    }
}

fn header(response: &Response, name: &reqwest::header::HeaderName) -> Option<String> {
    let value = response.headers().get(name)?.to_str().ok()?;
    Some(value.to_owned())
}

async fn read(response: Response, max_bytes: usize) -> Result<(Vec<u8>, bool), FetchError> {
    let mut body = Vec::new();
    let mut stream = response.bytes_stream();
    while let Some(bytes) = stream.next().await {
        let bytes = bytes.map_err(|_| FetchError::Interrupted)?;
        let room = max_bytes - body.len();
        if bytes.len() > room {
            body.extend_from_slice(&bytes[..room]);
            return Ok((body, true));
        }
        body.extend_from_slice(&bytes);
    }
    Ok((body, false))
}
