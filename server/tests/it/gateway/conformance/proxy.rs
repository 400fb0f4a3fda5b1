//! Adds the API key, which the suite cannot send, and is otherwise not noticed.

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue};
use axum::response::{IntoResponse, Response};
use futures::TryStreamExt;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

use crate::support::TestApp;

/// The proxy; it ends when dropped.
pub struct Proxy {
    pub origin: String,
    serving: JoinHandle<()>,
}

#[derive(Clone)]
struct Route {
    client: reqwest::Client,
    /// Where it listens, and where it leads.
    own: String,
    app: String,
    key: String,
}

impl Proxy {
    pub async fn start(app: &TestApp) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let port = listener.local_addr().expect("an address").port();
        let own = format!("localhost:{port}");
        let route = Route {
            client: reqwest::Client::new(),
            own: own.clone(),
            app: app.origin().trim_start_matches("http://").to_owned(),
            key: app.key.clone(),
        };
        let router = axum::Router::new().fallback(pass).with_state(route);
        let serving = tokio::spawn(async move {
            axum::serve(listener, router).await.expect("serve");
        });
        Self {
            origin: format!("http://{own}"),
            serving,
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn pass(State(route): State<Route>, req: Request) -> Response {
    let (parts, body) = req.into_parts();
    let mut headers = parts.headers;
    // Only the proxy's own name becomes the gateway's: a foreign one is what the suite tries.
    rename(&mut headers, HOST, &route.own, &route.app);
    let (own, app) = (
        format!("http://{}", route.own),
        format!("http://{}", route.app),
    );
    rename(&mut headers, ORIGIN, &own, &app);
    let key = format!("Bearer {}", route.key);
    headers.insert(AUTHORIZATION, HeaderValue::from_str(&key).expect("a key"));
    let body = axum::body::to_bytes(body, usize::MAX)
        .await
        .expect("a body");
    let answer = route
        .client
        .request(parts.method, format!("{app}{}", parts.uri))
        .headers(headers)
        .body(body)
        .send()
        .await
        .expect("an answer");
    let (status, headers) = (answer.status(), answer.headers().clone());
    let body = Body::from_stream(answer.bytes_stream().map_err(std::io::Error::other));
    let mut response = (status, body).into_response();
    *response.headers_mut() = headers;
    response
}

fn rename(headers: &mut HeaderMap, name: axum::http::HeaderName, from: &str, to: &str) {
    if headers.get(&name).is_some_and(|value| value == from) {
        headers.insert(name, HeaderValue::from_str(to).expect("a name"));
    }
}
