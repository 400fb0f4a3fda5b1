//! What servers of 2025 ask while they are at work on a call.

use std::time::{Duration, Instant};

use futures::StreamExt;
use serde_json::{Value, json};
use testkit::tool_server::Era;
use testkit::{ToolServer, inputs};

use super::sessions::Client;
use super::{LEGACY, MODERN};
use crate::mcp_servers::remote;
use crate::support::{Answer, Program, TestApp};

const TOOL: &str = "old__ask";

/// A server of 2025 that asks.
async fn asking(app: &TestApp) -> ToolServer {
    let server = ToolServer::start(Era::Legacy).await;
    let tools = ["ask", "echo", "slow", "sleep"];
    server.set_tools(tools.into_iter().map(ToolServer::tool).collect());
    app.post("/mcp-servers", remote("old", &server.url()))
        .await
        .created();
    server
}

/// Calls the asking tool as a client of 2026 does that can be asked.
async fn call(app: &TestApp, key: &str, capabilities: Value, more: Value) -> Value {
    let mut params = json!({"name": TOOL, "arguments": {}, "_meta": {
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientCapabilities": capabilities,
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    }});
    for (name, value) in more.as_object().expect("an object") {
        params[name] = value.clone();
    }
    let message = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
    let sent = app
        .client
        .post(app.url("/mcp"))
        .bearer_auth(key)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", MODERN)
        .header("mcp-method", "tools/call")
        .header("mcp-name", TOOL)
        .json(&message)
        .send()
        .await;
    Answer::read(sent.expect("an answer")).await.body["result"].clone()
}

fn accepting(asked: &Value, content: Value) -> Value {
    json!({"requestState": asked["requestState"],
        "inputResponses": {"question": {"action": "accept", "content": content}}})
}

#[tokio::test]
async fn client_of_2026_answers_a_server_of_2025_and_the_tool_is_called_once() {
    let app = TestApp::start().await;
    let server = asking(&app).await;
    let can = json!({"elicitation": {}});

    let asked = call(&app, &app.key, can.clone(), json!({})).await;
    app.create_user(inputs::GRACE, "Acme");
    let grace = app.create_key(inputs::GRACE, "Acme");
    let answer = accepting(&asked, json!({"name": "Ada"}));
    let foreign = call(&app, &grace, can.clone(), answer.clone()).await;
    let told = call(&app, &app.key, can.clone(), answer.clone()).await;
    let again = call(&app, &app.key, can, answer).await;

    assert_eq!(asked["resultType"], "input_required", "{asked}");
    let question = &asked["inputRequests"]["question"];
    assert_eq!(question["method"], "elicitation/create", "{asked}");
    assert_eq!(question["params"]["message"], "Who are you?", "{asked}");
    assert_eq!(foreign["isError"], true, "{foreign}");
    let text: Value = serde_json::from_str(told["content"][0]["text"].as_str().expect("text"))
        .expect("what the server heard");
    // The colour is the schema's.
    assert_eq!(text["content"], json!({"name": "Ada", "colour": "green"}));
    assert_eq!(again["isError"], true, "{again}");
    assert_eq!(server.count("tools/call"), 1);
}

#[tokio::test]
async fn client_that_cannot_be_asked_declines() {
    let app = TestApp::start().await;
    let _server = asking(&app).await;

    let modern = call(&app, &app.key, json!({}), json!({})).await;
    let legacy = super::call(&app, LEGACY, TOOL, json!({})).await;

    for told in [modern, legacy] {
        assert_eq!(
            told["content"][0]["text"], "{\"action\":\"decline\"}",
            "{told}"
        );
    }
}

#[tokio::test]
async fn client_of_2025_is_asked_what_a_server_of_2025_asks() {
    let app = TestApp::start().await;
    let _server = asking(&app).await;
    let client = Client::begin(&app, json!({"elicitation": {}})).await;

    for arguments in [json!({}), json!({"text": "aside"})] {
        let message = json!({"jsonrpc": "2.0", "id": 5, "method": "tools/call",
            "params": {"name": TOOL, "arguments": arguments}});
        let stream = client.post(&message).await;
        let (question, rest) = first(stream).await;
        assert_eq!(question["method"], "elicitation/create", "{question}");
        let answer = json!({"jsonrpc": "2.0", "id": question["id"],
            "result": {"action": "accept", "content": {"name": "Ada", "colour": "red"}}});
        client.post(&answer).await;
        let told = rest.await;

        let text = told["result"]["content"][0]["text"].as_str().expect("text");
        assert!(text.contains("\"red\"") && text.contains("Ada"), "{told}");
    }
}

/// The first message of a stream, and the one with the result.
async fn first(response: reqwest::Response) -> (Value, impl Future<Output = Value>) {
    let mut stream = response.bytes_stream();
    let mut text = String::new();
    let messages = |text: &str| -> Vec<Value> {
        let lines = text.lines().filter_map(|line| line.strip_prefix("data:"));
        lines
            .filter_map(|data| serde_json::from_str(data.trim()).ok())
            .collect()
    };
    let first = loop {
        let bytes = stream.next().await.expect("more").expect("bytes");
        text.push_str(&String::from_utf8_lossy(&bytes));
        let found = messages(&text)
            .into_iter()
            .find(|it| it["method"].is_string());
        if let Some(message) = found {
            break message;
        }
    };
    let rest = async move {
        loop {
            let found = messages(&text)
                .into_iter()
                .find(|it| it["result"].is_object());
            if let Some(message) = found {
                return message;
            }
            let bytes = stream.next().await.expect("more").expect("bytes");
            text.push_str(&String::from_utf8_lossy(&bytes));
        }
    };
    (first, rest)
}

#[tokio::test]
async fn call_that_tells_of_steps_may_take_longer_than_one_that_is_silent() {
    let db = testkit::TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    program.set("AGENTAREA_TOOL_SERVERS__CALL_SECONDS", "2");
    let app = TestApp::on(program).await;
    let _server = asking(&app).await;

    let slow = super::call(&app, MODERN, "old__slow", json!({})).await;
    let begun = Instant::now();
    let silent = super::call(&app, MODERN, "old__sleep", json!({})).await;

    assert_eq!(slow["content"][0]["text"], "at last", "{slow}");
    assert!(begun.elapsed() < Duration::from_secs(6));
    let text = silent["content"][0]["text"].as_str().expect("text");
    assert!(text.contains("within 2 s"), "{silent}");
}

#[tokio::test]
async fn call_that_tells_of_steps_without_end_has_an_end() {
    let db = testkit::TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    program.set("AGENTAREA_TOOL_SERVERS__CALL_SECONDS", "2");
    program.set("AGENTAREA_TOOL_SERVERS__CALL_MAX_SECONDS", "4");
    let app = TestApp::on(program).await;
    let _server = asking(&app).await;

    let begun = Instant::now();
    let arguments = json!({"text": "forever"});
    let endless = super::call(&app, MODERN, "old__slow", arguments).await;

    assert!(begun.elapsed() < Duration::from_secs(10), "{endless}");
    let text = endless["content"][0]["text"].as_str().expect("text");
    assert!(text.contains("within 4 s"), "{endless}");
}
