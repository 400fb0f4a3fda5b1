//! Each call through the gateway leaves a line in the audit log.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::tool_server::Era;
use testkit::{TestDb, ToolServer};

use super::{MODERN, send};
use crate::mcp_servers::remote;
use crate::support::{Program, TestApp};

/// Calls before the server is asked to stop.
const CALLS: usize = 60;

async fn call(app: &TestApp, tool: &str, arguments: Value) {
    let params = json!({"name": tool, "arguments": arguments});
    send(app, "/mcp", MODERN, "tools/call", params).await;
}

async fn lines(app: &TestApp) -> Vec<Value> {
    let mut lines = Vec::new();
    let mut after = String::new();
    loop {
        let path = format!("/audit-events?action=mcp_tool.call&limit=100{after}");
        let page = app.get(&path).await.body;
        lines.extend(page["items"].as_array().expect("lines").iter().cloned());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return lines,
        }
    }
}

#[tokio::test]
async fn every_call_is_audited_with_who_what_and_result() {
    let app = TestApp::start().await;
    let server = ToolServer::start(Era::Modern).await;
    let input = remote("one", &server.url());
    let id = app.post("/mcp-servers", input).await.created();
    let me = app.get("/me").await.body;

    call(&app, "one__echo", json!({"text": "canary-31"})).await;
    call(&app, "one__fail", json!({})).await;
    call(&app, "one__nothing", json!({})).await;

    let begun = Instant::now();
    let lines = loop {
        let lines = lines(&app).await;
        if lines.len() == 3 {
            break lines;
        }
        assert!(begun.elapsed() < Duration::from_secs(10), "{lines:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    let told: Vec<_> = lines
        .iter()
        .rev()
        .map(|line| (line["object_name"].as_str(), line["result"].as_str()))
        .collect();
    assert_eq!(
        told,
        [
            (Some("one__echo"), Some("done")),
            (Some("one__fail"), Some("failed")),
            (Some("one__nothing"), Some("failed")),
        ]
    );
    assert_eq!(lines[2]["object_id"], id.as_str());
    assert_eq!(lines[2]["actor_id"], me["user"]["id"]);
    assert_eq!(lines[2]["via"], "api_key");
    assert!(!json!(lines).to_string().contains("canary-31"));
}

#[tokio::test]
async fn orderly_stop_loses_no_line() {
    let db = TestDb::create().await;
    let mut app = TestApp::on(Program::new(Some(db.url()))).await;
    let server = ToolServer::start(Era::Modern).await;
    let input = remote("one", &server.url());
    app.post("/mcp-servers", input).await.created();

    for number in 0..CALLS {
        let arguments = json!({"text": number.to_string()});
        call(&app, "one__echo", arguments).await;
    }
    assert!(app.program().stop());
    app.program().start().await;

    assert_eq!(lines(&app).await.len(), CALLS);
}
