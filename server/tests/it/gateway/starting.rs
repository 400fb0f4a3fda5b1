//! What a caller hears while the server has to be connected to first.

use reqwest::StatusCode;
use serde_json::json;
use testkit::tool_server::{Era, Mood};
use testkit::{TestDb, ToolServer};

use super::MODERN;
use super::sessions::heard;
use crate::mcp_servers::remote;
use crate::support::{Program, TestApp};

#[tokio::test]
async fn caller_hears_that_a_server_is_starting() {
    let db = TestDb::create().await;
    let app = TestApp::on(Program::new(Some(db.url()))).await;
    let server = ToolServer::start(Era::Modern).await;
    app.post("/mcp-servers", remote("one", &server.url()))
        .await
        .created();
    // Another process has no connection yet, and the server takes its time.
    let other = app.beside(Program::new(Some(db.url()))).await;
    server.set_mood(Mood::Silent);

    let params = json!({"name": "one__echo", "arguments": {}, "_meta": {
        "progressToken": "mine",
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    }});
    let message = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
    let sent = other
        .client
        .post(other.url("/mcp"))
        .bearer_auth(&app.key)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", MODERN)
        .header("mcp-method", "tools/call")
        .header("mcp-name", "one__echo")
        .json(&message)
        .send()
        .await
        .expect("a stream");
    assert_eq!(sent.status(), StatusCode::OK);
    let told = heard(sent, |it| it["method"] == "notifications/progress").await;

    assert_eq!(told["params"]["progressToken"], "mine", "{told}");
    let message = told["params"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("starting"), "{told}");
}
