//! F9: servers that hang, flood or talk nonsense harm nobody but their caller.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::ToolServer;
use testkit::tool_server::Era;

use super::{MODERN, call, send};
use crate::mcp_servers::remote;
use crate::support::TestApp;

#[tokio::test]
async fn each_misbehaviour_ends_as_an_error_that_says_so() {
    let app = TestApp::start().await;
    for (era, name) in [(Era::Legacy, "old"), (Era::Modern, "new")] {
        let server = ToolServer::start(era).await;
        app.post("/mcp-servers", remote(name, &server.url()))
            .await
            .created();
        for (tool, told) in [
            ("fail", "it did not work"),
            ("refuse", "not today"),
            ("huge", "more than 4 MiB"),
            ("garbage", "makes no sense"),
            ("hang_up", "connection"),
        ] {
            let started = Instant::now();

            let result = call(&app, MODERN, &format!("{name}__{tool}"), json!({})).await;

            assert_eq!(result["isError"], true, "{tool}: {result}");
            assert!(result.to_string().contains(told), "{name} {tool}: {result}");
            assert!(started.elapsed() < Duration::from_secs(10), "{tool}");
        }
        let fine = call(
            &app,
            MODERN,
            &format!("{name}__echo"),
            json!({"text": "still here"}),
        )
        .await;
        assert_eq!(fine["content"][0]["text"], "still here", "{name}: {fine}");
    }
}

#[tokio::test]
async fn arguments_are_checked_before_the_server_is_asked() {
    let app = TestApp::start().await;
    let server = ToolServer::start(Era::Modern).await;
    app.post("/mcp-servers", remote("one", &server.url()))
        .await
        .created();

    let wrong = call(&app, MODERN, "one__echo", json!({"text": 42})).await;
    let unknown = json!({"name": "one__nope", "arguments": {}});
    let unknown = send(&app, "/mcp", MODERN, "tools/call", unknown).await;

    assert_eq!(wrong["isError"], true);
    assert!(wrong.to_string().contains("do not match"), "{wrong}");
    assert_eq!(unknown.body["error"]["code"], -32602, "{}", unknown.body);
    assert_eq!(server.count("tools/call"), 0);
}

#[tokio::test]
async fn caller_that_hangs_up_cancels_its_call() {
    let app = TestApp::start().await;
    let server = ToolServer::start(Era::Legacy).await;
    app.post("/mcp-servers", remote("one", &server.url()))
        .await
        .created();
    let params = json!({"name": "one__sleep", "arguments": {}});
    let calling = send(&app, "/mcp", MODERN, "tools/call", params);
    let begun = server.until("the call", |server| server.count("tools/call") == 1);

    tokio::select! {
        answer = calling => panic!("a tool that sleeps answered: {}", answer.body),
        () = begun => {}
    }

    server
        .until("the cancellation", |server| {
            server.count("notifications/cancelled") == 1
        })
        .await;
    let result = call(&app, MODERN, "one__echo", json!({"text": "awake"})).await;
    assert_eq!(result["content"][0]["text"], "awake");
}

#[tokio::test]
async fn sleeping_server_does_not_hold_up_the_others() {
    let app = TestApp::start().await;
    let slow = ToolServer::start(Era::Modern).await;
    let fast = ToolServer::start(Era::Modern).await;
    app.post("/mcp-servers", remote("slow", &slow.url()))
        .await
        .created();
    app.post("/mcp-servers", remote("fast", &fast.url()))
        .await
        .created();
    let sleep = || async {
        let params = json!({"name": "slow__sleep", "arguments": {}});
        send(&app, "/mcp", MODERN, "tools/call", params).await
    };
    let sleepers = futures::future::join_all((0..20).map(|_| sleep()));
    let work = async {
        slow.until("the sleepers", |slow| slow.count("tools/call") == 20)
            .await;
        let started = Instant::now();
        for number in 0..20 {
            let text = number.to_string();
            let result = call(&app, MODERN, "fast__echo", json!({"text": text})).await;
            assert_eq!(result["content"][0]["text"], text.as_str());
        }
        started.elapsed()
    };

    let took = tokio::select! {
        _ = sleepers => panic!("the sleepers woke"),
        took = work => took,
    };

    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[tokio::test]
async fn progress_is_passed_on() {
    let app = TestApp::start().await;
    let server = ToolServer::start(Era::Modern).await;
    app.post("/mcp-servers", remote("one", &server.url()))
        .await
        .created();
    let message = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {
        "name": "one__count", "arguments": {}, "_meta": {"progressToken": "mine"}}});

    let answer = app
        .client
        .post(app.url("/mcp"))
        .bearer_auth(&app.key)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", "2025-11-25")
        .json(&message)
        .send()
        .await;

    let text = answer.expect("an answer").text().await.expect("text");
    let messages: Vec<Value> = text
        .lines()
        .filter_map(|line| line.strip_prefix("data: "))
        .filter_map(|data| serde_json::from_str(data).ok())
        .collect();
    let steps = messages
        .iter()
        .filter(|message| message["method"] == "notifications/progress")
        .inspect(|message| assert_eq!(message["params"]["progressToken"], "mine"))
        .count();
    assert!(steps >= 1, "{text}");
    let last = messages.last().expect("messages");
    assert_eq!(last["result"]["content"][0]["text"], "counted", "{text}");
}
