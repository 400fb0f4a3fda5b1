//! A tool server that does as it is told, in both eras of the protocol, and misbehaves on demand.

mod answer;

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{broadcast, watch};
use tokio::task::JoinHandle;

type Body = BoxBody<Bytes, Infallible>;

/// Which revisions a server speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// 2025-11-25, with a session.
    Legacy,
    /// 2026-07-28, without.
    Modern,
}

/// How a server treats whoever calls it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mood {
    /// It answers.
    Kind,
    /// It answers every request with a status and nothing else.
    Status(u16),
    /// It sends callers to another address.
    Redirect(String),
    /// It takes requests and never answers.
    Silent,
    /// It answers every request with a page.
    Page,
    /// It answers with JSON that is none.
    Garbage,
}

/// A request as it came in.
#[derive(Clone, Debug)]
pub struct Seen {
    /// `POST`, `GET` or `DELETE`.
    pub http_method: String,
    /// Names in lower case, and values.
    pub headers: Vec<(String, String)>,
    /// The JSON-RPC message, or null.
    pub message: Value,
}

/// A tool server on a port of its own; it ends when dropped.
///
/// Its tools do what their names say: see [`ToolServer::tools`].
pub struct ToolServer {
    address: String,
    shared: Arc<Shared>,
    accepting: JoinHandle<()>,
}

struct Shared {
    era: Era,
    state: Mutex<State>,
    /// Raised when the tools have changed.
    changes: watch::Sender<u64>,
    /// What clients answered to questions, by their ids.
    answers: watch::Sender<HashMap<String, Value>>,
    /// Messages for whoever listens.
    unasked: broadcast::Sender<Value>,
    /// Raised when streams of notices are to end.
    cuts: watch::Sender<u64>,
}

struct State {
    tools: Vec<Value>,
    mood: Mood,
    seen: Vec<Seen>,
    open_sessions: i64,
    connections: u64,
}

impl ToolServer {
    /// Starts a server with the usual tools.
    pub async fn start(era: Era) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address").to_string();
        let shared = Arc::new(Shared {
            era,
            state: Mutex::new(State {
                tools: Self::tools(),
                mood: Mood::Kind,
                seen: Vec::new(),
                open_sessions: 0,
                connections: 0,
            }),
            changes: watch::channel(0).0,
            answers: watch::channel(HashMap::new()).0,
            unasked: broadcast::channel(16).0,
            cuts: watch::channel(0).0,
        });
        let accepting = tokio::spawn(accept(listener, shared.clone()));
        Self {
            address,
            shared,
            accepting,
        }
    }

    /// The usual tools: `echo` says what it was told, `sleep` never answers, `fail` says that it
    /// failed, `refuse` answers with an error of the protocol, `huge` answers with 64 MiB, `chatter`
    /// tells of progress without end, `garbage` answers with nonsense, `stranger` answers another
    /// request, `hang_up` closes the connection, `count` tells of three steps. Besides these,
    /// `slow` tells of six steps in 3 s and then answers, or never with the text `forever`; `ask` asks for a name and a colour first
    /// and answers with what it was told, and with the text `aside` asks on the stream of notices.
    pub fn tools() -> Vec<Value> {
        let names = [
            "echo", "sleep", "fail", "refuse", "huge", "chatter", "garbage", "stranger", "hang_up",
            "count",
        ];
        names.into_iter().map(Self::tool).collect()
    }

    /// A tool that takes an optional `text`.
    pub fn tool(name: &str) -> Value {
        json!({
            "name": name,
            "description": format!("The tool {name}"),
            "inputSchema": {"type": "object", "properties": {"text": {"type": "string"}}},
            "annotations": {"readOnlyHint": name == "echo"},
        })
    }

    /// Address of its endpoint.
    pub fn url(&self) -> String {
        format!("http://{}/mcp", self.address)
    }

    /// Offers other tools from now on, and tells clients that listen.
    pub fn set_tools(&self, tools: Vec<Value>) {
        self.lock().tools = tools;
        self.shared.changes.send_modify(|version| *version += 1);
    }

    /// Ends every stream on which clients listen, as a proxy or a deploy does.
    pub fn cut_notices(&self) {
        self.shared.cuts.send_modify(|count| *count += 1);
    }

    /// Treats whoever calls it in another way from now on.
    pub fn set_mood(&self, mood: Mood) {
        self.lock().mood = mood;
    }

    /// Every request so far.
    pub fn seen(&self) -> Vec<Seen> {
        self.lock().seen.clone()
    }

    /// Requests of one method of the protocol so far.
    pub fn count(&self, method: &str) -> usize {
        let state = self.lock();
        let is_it = |seen: &&Seen| seen.message["method"] == method;
        state.seen.iter().filter(is_it).count()
    }

    /// Whether some client would hear that the tools have changed.
    pub fn is_listened_to(&self) -> bool {
        self.shared.changes.receiver_count() > 0
    }

    /// Sessions that were begun and not ended.
    pub fn open_sessions(&self) -> i64 {
        self.lock().open_sessions
    }

    /// TCP connections so far.
    pub fn connections(&self) -> u64 {
        self.lock().connections
    }

    /// Waits until a condition holds; panics after 20 s.
    pub async fn until(&self, what: &str, holds: impl Fn(&Self) -> bool) {
        for _ in 0..2_000 {
            if holds(self) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("the tool server never saw {what}");
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.shared.lock()
    }
}

impl Drop for ToolServer {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>) {
    // Dropped with this task, and its connections with it.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let _ = stream.set_nodelay(true);
        shared.lock().connections += 1;
        let shared = shared.clone();
        connections.spawn(async move {
            let service = service_fn(move |req| serve(shared.clone(), req));
            let _ = http1::Builder::new()
                .serve_connection(TokioIo::new(stream), service)
                .await;
        });
    }
}

async fn serve(
    shared: Arc<Shared>,
    req: Request<Incoming>,
) -> Result<Response<Body>, std::io::Error> {
    let (parts, body) = req.into_parts();
    let body = body.collect().await.map_err(std::io::Error::other)?;
    let message: Value = serde_json::from_slice(&body.to_bytes()).unwrap_or(Value::Null);
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        })
        .collect();
    let mood = {
        let mut state = shared.lock();
        state.seen.push(Seen {
            http_method: parts.method.to_string(),
            headers,
            message: message.clone(),
        });
        state.mood.clone()
    };
    match mood {
        Mood::Kind => {}
        Mood::Status(status) => return Ok(answer::status(status)),
        Mood::Redirect(to) => return Ok(answer::redirect(&to)),
        Mood::Silent => std::future::pending().await,
        Mood::Page => return Ok(answer::whole("text/html", "<h1>Welcome</h1>")),
        Mood::Garbage => return Ok(answer::whole("application/json", "{\"jsonrpc\": ")),
    }
    match parts.method {
        Method::POST => answer::message(&shared, message).await,
        Method::GET if shared.era == Era::Legacy => Ok(answer::notices(&shared, None)),
        Method::DELETE if shared.era == Era::Legacy => {
            shared.lock().open_sessions -= 1;
            Ok(answer::status(200))
        }
        _ => Ok(answer::status(405)),
    }
}

fn full(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into()).boxed()
}

fn response(status: u16) -> hyper::http::response::Builder {
    let status = StatusCode::from_u16(status).expect("a status");
    Response::builder().status(status)
}
