//! A server of revision 2026-07-28 with everything that the conformance suite asks for.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::sse::{Event, Sse};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use futures::{Stream, StreamExt, stream};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;

use super::tools::{self, Reply};

const VERSION: &str = "2026-07-28";

/// Raised by tools that change what there is.
#[derive(Clone)]
pub struct Changes {
    pub tools: Arc<watch::Sender<u64>>,
    pub prompts: Arc<watch::Sender<u64>>,
    /// Of the resource that is watched.
    pub resource: Arc<watch::Sender<u64>>,
}

/// The server; it ends when dropped.
pub struct Fixture {
    pub url: String,
    serving: JoinHandle<()>,
}

impl Fixture {
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let changes = Changes {
            tools: Arc::new(watch::channel(0).0),
            prompts: Arc::new(watch::channel(0).0),
            resource: Arc::new(watch::channel(0).0),
        };
        let app = axum::Router::new()
            .route("/mcp", post(serve))
            .with_state(changes);
        let serving = tokio::spawn(async move {
            axum::serve(listener, app).await.expect("serve");
        });
        Self {
            url: format!("http://{address}/mcp"),
            serving,
        }
    }
}

impl Drop for Fixture {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(State(changes): State<Changes>, Json(message): Json<Value>) -> Response {
    let id = message["id"].clone();
    if id.is_null() {
        return StatusCode::ACCEPTED.into_response();
    }
    let params = &message["params"];
    let method = message["method"].as_str().unwrap_or_default();
    let reply = match method {
        "server/discover" => Reply::Done(json!({
            "supportedVersions": [VERSION],
            "capabilities": {
                "tools": {"listChanged": true},
                "prompts": {"listChanged": true},
                "resources": {"subscribe": true},
                "completions": {},
                "logging": {},
            },
            "_meta": {"io.modelcontextprotocol/serverInfo": {"name": "fixture", "version": "1"}},
        })),
        "subscriptions/listen" => return notices(&changes, &id, &params["notifications"]),
        "tools/list" => Reply::Done(json!({"tools": tools::list(*changes.tools.borrow())})),
        "tools/call" => tools::call(params, &changes),
        "prompts/list" => {
            Reply::Done(json!({"prompts": tools::prompts(*changes.prompts.borrow())}))
        }
        "prompts/get" => tools::prompt(params),
        "resources/list" => Reply::Done(json!({"resources": tools::resources()})),
        "resources/templates/list" => Reply::Done(json!({"resourceTemplates": tools::templates()})),
        "resources/read" => tools::read(params),
        "completion/complete" => {
            Reply::Done(json!({"completion": {"values": ["paris", "park"], "total": 2}}))
        }
        _ => Reply::Error(-32601, "Method not found", Value::Null),
    };
    answer(&id, reply)
}

fn answer(id: &Value, reply: Reply) -> Response {
    match reply {
        Reply::Done(mut result) => {
            result["resultType"] = "complete".into();
            result["ttlMs"] = 0.into();
            result["cacheScope"] = "private".into();
            Json(json!({"jsonrpc": "2.0", "id": id, "result": result})).into_response()
        }
        Reply::Input(mut result) => {
            result["resultType"] = "input_required".into();
            Json(json!({"jsonrpc": "2.0", "id": id, "result": result})).into_response()
        }
        Reply::Error(code, message, data) => {
            let status = match code {
                -32601 => StatusCode::NOT_FOUND,
                _ => StatusCode::BAD_REQUEST,
            };
            let mut error = json!({"code": code, "message": message});
            if !data.is_null() {
                error["data"] = data;
            }
            let body = json!({"jsonrpc": "2.0", "id": id, "error": error});
            (status, Json(body)).into_response()
        }
        Reply::Steps(steps, result) => {
            let last = json!({"jsonrpc": "2.0", "id": id, "result": result});
            let all = steps.into_iter().chain([last]);
            let paced = stream::iter(all).then(|message| async move {
                // The suite wants to see that steps come one by one.
                tokio::time::sleep(Duration::from_millis(50)).await;
                message
            });
            events(paced)
        }
    }
}

/// Tells of changes until the client has enough.
fn notices(changes: &Changes, id: &Value, wanted: &Value) -> Response {
    let meta = json!({"io.modelcontextprotocol/subscriptionId": id});
    let first = json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
        "params": {"notifications": wanted, "_meta": meta}});
    let list = |kind: &str| {
        json!({"jsonrpc": "2.0", "method": format!("notifications/{kind}/list_changed"),
            "params": {"_meta": meta}})
    };
    let wants = |key: &str| wanted[key] == true;
    let tools = follow(
        list("tools"),
        wants("toolsListChanged"),
        changes.tools.subscribe(),
    );
    let prompts = follow(
        list("prompts"),
        wants("promptsListChanged"),
        changes.prompts.subscribe(),
    );
    let uri = &wanted["resourceSubscriptions"][0];
    let notice = json!({"jsonrpc": "2.0", "method": "notifications/resources/updated",
        "params": {"uri": uri, "_meta": meta}});
    let touched = follow(notice, uri.is_string(), changes.resource.subscribe());
    let later = stream::select(Box::pin(tools), Box::pin(prompts));
    let later = stream::select(later, Box::pin(touched));
    events(stream::once(async move { first }).chain(later))
}

/// The same notice with each change.
fn follow(
    notice: Value,
    is_wanted: bool,
    changes: watch::Receiver<u64>,
) -> impl Stream<Item = Value> + Send {
    stream::unfold(changes, move |mut changes| {
        let notice = notice.clone();
        async move {
            if !is_wanted {
                std::future::pending::<()>().await;
            }
            changes.changed().await.ok()?;
            Some((notice, changes))
        }
    })
}

fn events(messages: impl Stream<Item = Value> + Send + 'static) -> Response {
    let events = messages.map(|it| Ok::<_, Infallible>(Event::default().data(it.to_string())));
    Sse::new(events).into_response()
}
