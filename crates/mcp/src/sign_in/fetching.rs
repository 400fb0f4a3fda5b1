//! Requests of a sign-in, by the guarded client.

use std::time::Duration;

use futures::StreamExt;
use http::header::LOCATION;
use http::{Method, Response};
use outbound::Outbound;
use rmcp::transport::auth::{
    OAuthHttpClient, OAuthHttpClientError, OAuthHttpClientFuture, OAuthHttpRedirectPolicy,
    OAuthHttpRequest,
};
use url::Url;

const MAX_BYTES: usize = 256 * 1024;
const TIMEOUT: Duration = Duration::from_secs(15);
const MAX_REDIRECTS: usize = 3;

pub(super) struct Fetcher {
    outbound: Outbound,
}

impl Fetcher {
    pub(super) fn new(outbound: Outbound) -> Self {
        Self { outbound }
    }

    async fn fetch(
        &self,
        asked: OAuthHttpRequest,
    ) -> Result<Response<Vec<u8>>, OAuthHttpClientError> {
        let (parts, body) = asked.request.into_parts();
        let mut url = Url::parse(&parts.uri.to_string())?;
        let follows =
            asked.redirect_policy == OAuthHttpRedirectPolicy::Follow && parts.method == Method::GET;
        for _ in 0..=MAX_REDIRECTS {
            // Each address is checked like the first.
            let request = self.outbound.request(parts.method.clone(), url.clone())?;
            let request = request.headers(parts.headers.clone()).body(body.clone());
            let response = request.send().await?;
            let location = response.headers().get(LOCATION);
            let location = location.and_then(|value| value.to_str().ok());
            if let (true, true, Some(location)) =
                (follows, response.status().is_redirection(), location)
            {
                url = url.join(location)?;
                continue;
            }
            let mut answer = Response::builder().status(response.status());
            for (name, value) in response.headers() {
                answer = answer.header(name, value);
            }
            let mut read = Vec::new();
            let mut stream = response.bytes_stream();
            while let Some(bytes) = stream.next().await {
                let bytes = bytes?;
                if read.len() + bytes.len() > MAX_BYTES {
                    return Err("the answer is too large".into());
                }
                read.extend_from_slice(&bytes);
            }
            return Ok(answer.body(read)?);
        }
        Err("too many redirects".into())
    }
}

impl OAuthHttpClient for Fetcher {
    fn execute(&self, request: OAuthHttpRequest) -> OAuthHttpClientFuture<'_> {
        Box::pin(async move {
            let fetched = tokio::time::timeout(TIMEOUT, self.fetch(request)).await;
            fetched.map_err(|_| OAuthHttpClientError::from("it took too long"))?
        })
    }
}
