//! What is asked most has a short way through the gateway; nobody can tell by the answers.

use serde_json::{Value, json};
use testkit::ToolServer;
use testkit::tool_server::Era;

use super::sessions::Client;
use super::{MODERN, send};
use crate::mcp_servers::remote;
use crate::support::TestApp;

/// Whoever wants to hear of steps goes the long way.
fn long(mut params: Value) -> Value {
    params["_meta"]["progressToken"] = "mine".into();
    params
}

async fn app(era: Era) -> (TestApp, ToolServer) {
    let app = TestApp::start().await;
    let server = ToolServer::start(era).await;
    app.post("/mcp-servers", remote("one", &server.url()))
        .await
        .created();
    (app, server)
}

fn called(id: u32, tool: &str, arguments: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": id, "method": "tools/call",
        "params": {"name": tool, "arguments": arguments}})
}

/// The messages in an answer, whether it is one or a stream.
async fn messages(answer: reqwest::Response) -> (String, Vec<Value>) {
    let kind = answer.headers()["content-type"].to_str().expect("text");
    let kind = kind.to_owned();
    let text = answer.text().await.expect("text");
    let messages = match kind.as_str() {
        "application/json" => vec![serde_json::from_str(&text).expect("JSON")],
        _ => {
            let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
            lines
                .filter_map(|data| serde_json::from_str(data).ok())
                .collect()
        }
    };
    (kind, messages)
}

#[tokio::test]
async fn both_ways_answer_alike() {
    for era in [Era::Legacy, Era::Modern] {
        let (app, _server) = app(era).await;
        for (method, params) in [
            (
                "tools/call",
                json!({"name": "one__echo", "arguments": {"text": "hi"}}),
            ),
            (
                "tools/call",
                json!({"name": "one__echo", "arguments": {"text": 1}}),
            ),
            ("tools/call", json!({"name": "one__fail", "arguments": {}})),
            (
                "tools/call",
                json!({"name": "one__refuse", "arguments": {}}),
            ),
            ("tools/call", json!({"name": "one__nope", "arguments": {}})),
            ("tools/list", json!({})),
            ("tools/list", json!({"cursor": "one__fail"})),
        ] {
            let short = send(&app, "/mcp", MODERN, method, params.clone()).await;
            let long = send(&app, "/mcp", MODERN, method, long(params.clone())).await;

            assert_eq!(short.status, long.status, "{params}");
            assert_eq!(short.body, long.body, "{params}");
        }
    }
}

#[tokio::test]
async fn call_in_a_session_is_answered_as_its_revision_wants() {
    let (app, _server) = app(Era::Modern).await;
    let client = Client::begin(&app, json!({})).await;

    let message = called(3, "one__echo", json!({"text": "hi"}));
    let (kind, short) = messages(client.post(&message).await).await;
    let mut wants_steps = message;
    wants_steps["params"] = long(wants_steps["params"].take());
    let (_, long) = messages(client.post(&wants_steps).await).await;

    assert_eq!(kind, "application/json");
    assert_eq!(short, long);
    assert_eq!(short[0]["result"]["content"][0]["text"], "hi");
    assert!(short[0]["result"].get("resultType").is_none(), "{short:?}");
}

#[tokio::test]
async fn line_of_a_log_comes_before_the_answer() {
    let (app, _server) = app(Era::Modern).await;
    let client = Client::begin(&app, json!({})).await;

    let message = called(4, "one__echo", json!({"text": "aloud"}));
    let (kind, messages) = messages(client.post(&message).await).await;

    assert_eq!(kind, "text/event-stream");
    assert_eq!(messages.len(), 2, "{messages:?}");
    assert_eq!(messages[0]["method"], "notifications/message");
    assert_eq!(messages[0]["params"]["data"], "thinking aloud");
    assert_eq!(messages[1]["id"], 4);
    assert_eq!(messages[1]["result"]["content"][0]["text"], "aloud");
}

#[tokio::test]
async fn call_in_a_session_can_be_cancelled() {
    let (app, server) = app(Era::Legacy).await;
    let client = Client::begin(&app, json!({})).await;
    let message = called(9, "one__sleep", json!({}));
    let cancelling = async {
        server
            .until("the call", |server| server.count("tools/call") == 1)
            .await;
        let notice = json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
            "params": {"requestId": 9}});
        client.post(&notice).await.status()
    };

    let (answer, status) = tokio::join!(client.post(&message), cancelling);

    assert_eq!(status, 202);
    let (_, messages) = messages(answer).await;
    assert_eq!(messages[0]["result"]["isError"], true, "{messages:?}");
    server
        .until("the cancellation", |server| {
            server.count("notifications/cancelled") == 1
        })
        .await;
}

#[tokio::test]
async fn call_keeps_its_cancelling_from_another_with_its_id() {
    let (app, server) = app(Era::Legacy).await;
    let client = Client::begin(&app, json!({})).await;
    let message = called(9, "one__sleep", json!({}));
    let interfering = async {
        server
            .until("the call", |server| server.count("tools/call") == 1)
            .await;
        let twin = called(9, "one__echo", json!({"text": "hi"}));
        let twin = messages(client.post(&twin).await).await.1;
        let notice = json!({"jsonrpc": "2.0", "method": "notifications/cancelled",
            "params": {"requestId": 9}});
        (twin, client.post(&notice).await.status())
    };

    let (answer, (twin, status)) = tokio::join!(client.post(&message), interfering);

    assert_eq!(twin[0]["error"]["code"], -32600, "{twin:?}");
    assert_eq!(status, 202);
    let (_, messages) = messages(answer).await;
    assert_eq!(messages[0]["result"]["isError"], true, "{messages:?}");
    assert_eq!(server.count("tools/call"), 1);
    server
        .until("the cancellation", |server| {
            server.count("notifications/cancelled") == 1
        })
        .await;
}

#[tokio::test]
async fn many_calls_at_once_keep_their_answers() {
    let (app, server) = app(Era::Modern).await;
    let calls = (0..200).map(|number| {
        let app = &app;
        async move {
            let text = format!("call {number}");
            let params = json!({"name": "one__echo", "arguments": {"text": text}});
            let answer = send(app, "/mcp", MODERN, "tools/call", params).await;
            answer.body["result"]["content"][0]["text"] == text.as_str()
        }
    });

    let mut own = 0;
    let mut calls = std::pin::pin!(futures::StreamExt::buffer_unordered(
        futures::stream::iter(calls),
        60
    ));
    while let Some(is_own) = futures::StreamExt::next(&mut calls).await {
        own += usize::from(is_own);
    }

    assert_eq!(own, 200);
    assert_eq!(server.count("tools/call"), 200);
}
