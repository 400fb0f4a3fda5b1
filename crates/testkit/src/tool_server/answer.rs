//! What the tool server answers.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{Stream, StreamExt};
use http_body_util::{BodyExt, StreamBody};
use hyper::Response;
use hyper::body::Frame;
use serde_json::{Value, json};

use super::{Body, Era, Shared, full, response};

const LEGACY: &str = "2025-11-25";
const MODERN: &str = "2026-07-28";

/// A status without a body.
pub(super) fn status(status: u16) -> Response<Body> {
    response(status).body(full("")).expect("a response")
}

pub(super) fn redirect(to: &str) -> Response<Body> {
    let response = response(307).header("location", to);
    response.body(full("")).expect("a response")
}

pub(super) fn whole(kind: &str, body: impl Into<Bytes>) -> Response<Body> {
    let response = response(200).header("content-type", kind);
    response.body(full(body)).expect("a response")
}

/// Answers a message of the protocol.
pub(super) async fn message(shared: &Arc<Shared>, message: Value) -> io::Result<Response<Body>> {
    let id = message["id"].clone();
    let method = message["method"].as_str().unwrap_or_default();
    if let (Some(question), true) = (id.as_str(), method.is_empty()) {
        let question = question.to_owned();
        let answer = message["result"].clone();
        shared
            .answers
            .send_modify(|all| drop(all.insert(question, answer)));
        return Ok(status(202));
    }
    if id.is_null() {
        return Ok(status(202));
    }
    let result = match (shared.era, method) {
        (Era::Legacy, "initialize") => {
            shared.lock().open_sessions += 1;
            let result = json!({
                "protocolVersion": LEGACY,
                "capabilities": {"tools": {"listChanged": true}},
                "serverInfo": {"name": "scripted", "title": "Scripted tools", "version": "1"},
            });
            let body = json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string();
            let response = response(200)
                .header("content-type", "application/json")
                .header("mcp-session-id", "the-session");
            return Ok(response.body(full(body)).expect("a response"));
        }
        (Era::Modern, "server/discover") => json!({
            "resultType": "complete",
            "supportedVersions": [MODERN],
            "capabilities": {"tools": {"listChanged": true}},
            "ttlMs": 0,
            "cacheScope": "private",
            "_meta": {"io.modelcontextprotocol/serverInfo":
                {"name": "scripted", "title": "Scripted tools", "version": "1"}},
        }),
        (_, "ping") => json!({}),
        (_, "tools/list") => {
            let mut result = json!({"tools": shared.lock().tools.clone()});
            if shared.era == Era::Modern {
                result["resultType"] = "complete".into();
                result["ttlMs"] = 0.into();
                result["cacheScope"] = "private".into();
            }
            result
        }
        (Era::Modern, "subscriptions/listen") => return Ok(notices(shared, Some(id))),
        (_, "tools/call") => return call(shared, id, &message["params"]).await,
        _ => {
            let error = json!({"code": -32601, "message": "Method not found"});
            let body = json!({"jsonrpc": "2.0", "id": id, "error": error}).to_string();
            let kind = "application/json";
            return Ok(match shared.era {
                Era::Legacy => whole(kind, body),
                Era::Modern => {
                    let response = response(404).header("content-type", kind);
                    response.body(full(body)).expect("a response")
                }
            });
        }
    };
    Ok(result_of(&id, result))
}

fn result_of(id: &Value, result: Value) -> Response<Body> {
    let body = json!({"jsonrpc": "2.0", "id": id, "result": result}).to_string();
    whole("application/json", body)
}

fn text(text: &str) -> Value {
    json!({"resultType": "complete", "content": [{"type": "text", "text": text}]})
}

async fn call(shared: &Arc<Shared>, id: Value, params: &Value) -> io::Result<Response<Body>> {
    let said = params["arguments"]["text"].as_str().unwrap_or_default();
    let token = params["_meta"]["progressToken"].clone();
    Ok(match params["name"].as_str().unwrap_or_default() {
        "sleep" => std::future::pending().await,
        "fail" => {
            let mut result = text("it did not work");
            result["isError"] = true.into();
            result_of(&id, result)
        }
        "refuse" => {
            let error = json!({"code": -32603, "message": "not today"});
            let body = json!({"jsonrpc": "2.0", "id": id, "error": error});
            whole("application/json", body.to_string())
        }
        "huge" => result_of(&id, text(&"x".repeat(64 * 1024 * 1024))),
        "garbage" => whole(
            "application/json",
            "{\"jsonrpc\": \"2.0\", \"result\": \u{0}",
        ),
        "stranger" => result_of(&json!(987_654), text("for somebody else")),
        "hang_up" => return Err(io::Error::other("hanging up")),
        "ask" => ask(shared, id, said == "aside"),
        "slow" => slow(token, id, said == "forever"),
        "chatter" => stream(move |number| Some(progress(&token, number))),
        "count" => stream(move |number| match number {
            1..=3 => Some(progress(&token, number)),
            4 => Some(json!({"jsonrpc": "2.0", "id": id, "result": text("counted")})),
            _ => None,
        }),
        "echo" if said == "aloud" => stream(move |number| match number {
            1 => Some(json!({"jsonrpc": "2.0", "method": "notifications/message",
                "params": {"level": "info", "data": "thinking aloud"}})),
            2 => Some(json!({"jsonrpc": "2.0", "id": id, "result": text("aloud")})),
            _ => None,
        }),
        _ => result_of(&id, text(said)),
    })
}

/// Asks a person first.
fn ask(shared: &Arc<Shared>, id: Value, is_aside: bool) -> Response<Body> {
    let question = format!("question-{id}");
    let asked = json!({"jsonrpc": "2.0", "id": question, "method": "elicitation/create", "params": {
        "message": "Who are you?",
        "requestedSchema": {"type": "object", "properties": {
            "name": {"type": "string"},
            "colour": {"type": "string", "default": "green"},
        }, "required": ["name"]},
    }});
    let mut answers = shared.answers.subscribe();
    let first = match is_aside {
        true => {
            let _ = shared.unasked.send(asked);
            Frame::data(Bytes::from_static(b": asking\n\n"))
        }
        false => event(&asked),
    };
    let last = async move {
        let answers = answers.wait_for(|all| all.contains_key(&question)).await;
        let said = answers.expect("the server is there")[&question].to_string();
        Ok(event(
            &json!({"jsonrpc": "2.0", "id": id, "result": text(&said)}),
        ))
    };
    let first = futures::stream::once(async move { Ok::<_, Infallible>(first) });
    events(first.chain(futures::stream::once(last)))
}

/// Takes its time and says so.
fn slow(token: Value, id: Value, is_endless: bool) -> Response<Body> {
    let steps = futures::stream::unfold(1, move |number| {
        let message = match number {
            number if is_endless || number <= 6 => Some(progress(&token, number)),
            7 => Some(json!({"jsonrpc": "2.0", "id": id, "result": text("at last")})),
            _ => None,
        };
        async move {
            tokio::time::sleep(Duration::from_millis(500)).await;
            Some((Ok::<_, Infallible>(event(&message?)), number + 1))
        }
    });
    events(steps)
}

fn events(
    frames: impl Stream<Item = Result<Frame<Bytes>, Infallible>> + Send + Sync + 'static,
) -> Response<Body> {
    let body = StreamBody::new(frames);
    let response = response(200).header("content-type", "text/event-stream");
    response.body(BodyExt::boxed(body)).expect("a response")
}

fn progress(token: &Value, number: u64) -> Value {
    json!({"jsonrpc": "2.0", "method": "notifications/progress",
        "params": {"progressToken": token, "progress": number, "message": format!("step {number}")}})
}

/// An event stream of messages until there is no next one.
fn stream(next: impl FnMut(u64) -> Option<Value> + Send + Sync + 'static) -> Response<Body> {
    let messages = (1..).map_while(next);
    let frames = messages.map(|message| Ok::<_, Infallible>(event(&message)));
    let body = StreamBody::new(futures::stream::iter(frames));
    let response = response(200).header("content-type", "text/event-stream");
    response.body(BodyExt::boxed(body)).expect("a response")
}

/// A stream that tells of changed tools until the server ends, or cuts it.
pub(super) fn notices(shared: &Arc<Shared>, subscription: Option<Value>) -> Response<Body> {
    let changes = shared.changes.subscribe();
    let meta = subscription
        .as_ref()
        .map(|id| json!({"io.modelcontextprotocol/subscriptionId": id}));
    let acknowledged = meta.as_ref().map(|meta| {
        json!({"jsonrpc": "2.0", "method": "notifications/subscriptions/acknowledged",
            "params": {"notifications": {"toolsListChanged": true}, "_meta": meta}})
    });
    let mut notice = json!({"jsonrpc": "2.0", "method": "notifications/tools/list_changed"});
    if let Some(meta) = &meta {
        notice["params"] = json!({"_meta": meta});
    }
    let first = match &acknowledged {
        Some(message) => event(message),
        None => Frame::data(Bytes::from_static(b": listening\n\n")),
    };
    let later = futures::stream::unfold(changes, move |mut changes| {
        let notice = notice.clone();
        async move {
            changes.changed().await.ok()?;
            Some((Ok::<_, Infallible>(event(&notice)), changes))
        }
    });
    let unasked = futures::stream::unfold(shared.unasked.subscribe(), |mut unasked| async move {
        let message = unasked.recv().await.ok()?;
        Some((Ok::<_, Infallible>(event(&message)), unasked))
    });
    let later = futures::stream::select(Box::pin(later), Box::pin(unasked));
    let mut cuts = shared.cuts.subscribe();
    let later = later.take_until(Box::pin(async move {
        let _ = cuts.changed().await;
    }));
    let first = futures::stream::once(async move { Ok(first) });
    events(first.chain(later))
}

fn event(message: &Value) -> Frame<Bytes> {
    Frame::data(Bytes::from(format!("event: message\ndata: {message}\n\n")))
}
