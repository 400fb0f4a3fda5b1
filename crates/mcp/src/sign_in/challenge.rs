//! What a server says to somebody without a token.

use std::time::Duration;

use http::header::{ACCEPT, CONTENT_TYPE, WWW_AUTHENTICATE};
use http::{HeaderValue, Method, StatusCode};
use outbound::Outbound;
use serde_json::{Value, json};
use url::Url;

/// How long a server is waited for to say where people sign in.
const CHALLENGE_TIMEOUT: Duration = Duration::from_secs(10);
const SESSION: &str = "mcp-session-id";

/// What the server says to somebody without a token, if it answers: to their greeting or, where
/// anybody may greet it, to their first question.
pub(super) async fn challenge(outbound: &Outbound, server: &Url) -> Option<String> {
    let ask = json!({"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": {
        "protocolVersion": "2025-11-25", "capabilities": {},
        "clientInfo": {"name": "agentarea", "version": env!("CARGO_PKG_VERSION")}}});
    let greeted = call(outbound, server, Method::POST, None, ask).await?;
    if greeted.status() == StatusCode::UNAUTHORIZED {
        return challenge_of(&greeted);
    }
    let session = greeted.headers().get(SESSION).cloned();
    let ask = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});
    let asked = call(outbound, server, Method::POST, session.as_ref(), ask).await;
    if session.is_some() {
        call(
            outbound,
            server,
            Method::DELETE,
            session.as_ref(),
            json!({}),
        )
        .await;
    }
    let asked = asked.filter(|asked| asked.status() == StatusCode::UNAUTHORIZED)?;
    challenge_of(&asked)
}

fn challenge_of(answer: &reqwest::Response) -> Option<String> {
    let challenge = answer.headers().get(WWW_AUTHENTICATE)?;
    challenge.to_str().ok().map(str::to_owned)
}

async fn call(
    outbound: &Outbound,
    server: &Url,
    method: Method,
    session: Option<&HeaderValue>,
    message: Value,
) -> Option<reqwest::Response> {
    let mut request = outbound
        .request(method, server.clone())
        .ok()?
        .header(ACCEPT, "application/json, text/event-stream")
        .header(CONTENT_TYPE, "application/json");
    if let Some(session) = session {
        request = request
            .header(SESSION, session)
            .header("mcp-protocol-version", "2025-11-25");
    }
    let sending = request.body(message.to_string()).send();
    let answer = tokio::time::timeout(CHALLENGE_TIMEOUT, sending).await;
    answer.ok()?.ok()
}
