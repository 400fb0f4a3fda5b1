//! The gateway: one address for the tools of all servers, in both eras.

mod audit;
mod clients;
mod conformance;
mod hostile;
mod passing;
mod questions;
pub mod sessions;
mod starting;
mod straight;

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::tool_server::Era;
use testkit::{ToolServer, inputs};

use crate::mcp_servers::remote;
use crate::people::Person;
use crate::support::{Answer, TestApp};

pub const LEGACY: &str = "2025-11-25";
pub const MODERN: &str = "2026-07-28";

/// Sends a message of the protocol to the gateway, by the rules of a revision.
pub async fn send(app: &TestApp, path: &str, version: &str, method: &str, params: Value) -> Answer {
    let mut params = params;
    let mut req = app
        .client
        .post(app.url(path))
        .bearer_auth(&app.key)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", version);
    if version == MODERN {
        req = req.header("mcp-method", method);
        let name = params["name"].as_str().or(params["uri"].as_str());
        if let Some(name) = name {
            req = req.header("mcp-name", name);
        }
        params["_meta"]["io.modelcontextprotocol/protocolVersion"] = version.into();
        params["_meta"]["io.modelcontextprotocol/clientCapabilities"] = json!({});
        params["_meta"]["io.modelcontextprotocol/clientInfo"] =
            json!({"name": "test", "version": "1"});
    }
    let message = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    Answer::read(req.json(&message).send().await.expect("an answer")).await
}

/// Calls a tool; gives its result.
pub async fn call(app: &TestApp, version: &str, tool: &str, arguments: Value) -> Value {
    let params = json!({"name": tool, "arguments": arguments});
    let answer = send(app, "/mcp", version, "tools/call", params).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    answer.body["result"].clone()
}

async fn names(app: &TestApp, path: &str, version: &str) -> Vec<String> {
    let answer = send(app, path, version, "tools/list", json!({})).await;
    let tools = answer.body["result"]["tools"].as_array();
    let tools = tools.unwrap_or_else(|| panic!("{}", answer.body));
    let name = |tool: &Value| tool["name"].as_str().expect("a name").to_owned();
    tools.iter().map(name).collect()
}

#[tokio::test]
async fn tools_of_all_servers_are_listed_and_called_in_every_mixture_of_eras() {
    let app = TestApp::start().await;
    let old = ToolServer::start(Era::Legacy).await;
    let new = ToolServer::start(Era::Modern).await;
    app.post("/mcp-servers", remote("old", &old.url()))
        .await
        .created();
    app.post("/mcp-servers", remote("new", &new.url()))
        .await
        .created();

    for version in [LEGACY, MODERN] {
        let listed = names(&app, "/mcp", version).await;
        assert_eq!(listed.len(), 20, "{version}: {listed:?}");
        for server in ["old", "new"] {
            let tool = format!("{server}__echo");
            assert!(listed.contains(&tool), "{version}: {listed:?}");

            let result = call(&app, version, &tool, json!({"text": "hello"})).await;

            assert_eq!(
                result["content"][0]["text"], "hello",
                "{version} {server}: {result}"
            );
        }
        let alone = names(&app, "/mcp/old", version).await;
        assert!(alone.contains(&"echo".to_owned()), "{alone:?}");
        assert_eq!(alone.len(), 10);
    }
    // Listing asks no server.
    assert_eq!(old.count("tools/list") + new.count("tools/list"), 2);
}

#[tokio::test]
async fn key_is_needed_and_goes_no_further() {
    let app = TestApp::start().await;
    let server = ToolServer::start(Era::Modern).await;
    app.post("/mcp-servers", remote("one", &server.url()))
        .await
        .created();
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});

    let nobody = app.client.post(app.url("/mcp")).json(&list).send().await;
    let nobody = nobody.expect("an answer");
    call(&app, MODERN, "one__echo", json!({"text": "x"})).await;

    assert_eq!(nobody.status(), StatusCode::UNAUTHORIZED);
    let challenge = nobody.headers()["www-authenticate"].to_str().expect("text");
    assert!(challenge.starts_with("Bearer"), "{challenge}");
    assert!(!format!("{:?}", server.seen()).contains(&app.key));
}

#[tokio::test]
async fn foreign_pages_and_names_are_refused() {
    let app = TestApp::start().await;
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": {}});
    let post = || {
        app.client
            .post(app.url("/mcp"))
            .bearer_auth(&app.key)
            .header("accept", "application/json, text/event-stream")
            .json(&list)
    };

    let foreign = post().header("origin", "https://evil.example").send().await;
    let null = post().header("origin", "null").send().await;
    let renamed = post().header("host", "evil.example").send().await;
    let own = post().header("origin", app.origin()).send().await;

    assert_eq!(foreign.expect("an answer").status(), StatusCode::FORBIDDEN);
    assert_eq!(null.expect("an answer").status(), StatusCode::FORBIDDEN);
    assert_eq!(
        renamed.expect("an answer").status(),
        StatusCode::MISDIRECTED_REQUEST
    );
    assert_eq!(own.expect("an answer").status(), StatusCode::OK);
}

#[tokio::test]
async fn callers_see_and_call_what_they_may() {
    let mut app = TestApp::start().await;
    let server = ToolServer::start(Era::Modern).await;
    app.post("/mcp-servers", remote("one", &server.url()))
        .await
        .created();
    let ada = Person::sign_in(&app, inputs::ADA).await;
    app.key = ada
        .makes_key(&app, json!(["read"]))
        .await
        .key
        .expect("a key");

    let listed = names(&app, "/mcp", MODERN).await;
    let params = json!({"name": "one__echo", "arguments": {}});
    let called = send(&app, "/mcp", MODERN, "tools/call", params).await;

    assert_eq!(listed, Vec::<String>::new());
    assert_eq!(called.body["error"]["code"], -32602, "{}", called.body);
    assert_eq!(server.count("tools/call"), 0);

    app.create_user(inputs::GRACE, "Initech");
    app.key = app.create_key(inputs::GRACE, "Initech");
    assert_eq!(names(&app, "/mcp", MODERN).await, Vec::<String>::new());
    let foreign = send(&app, "/mcp/one", MODERN, "tools/list", json!({})).await;
    assert_eq!(foreign.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn renamed_server_is_still_understood() {
    let app = TestApp::start().await;
    let server = ToolServer::start(Era::Modern).await;
    let id = app
        .post("/mcp-servers", remote("before", &server.url()))
        .await
        .created();
    app.patch(&format!("/mcp-servers/{id}"), json!({"name": "after"}))
        .await;

    let listed = names(&app, "/mcp", MODERN).await;
    let old = call(&app, MODERN, "before__echo", json!({"text": "a"})).await;
    let new = call(&app, MODERN, "after__echo", json!({"text": "b"})).await;

    assert!(listed.contains(&"after__echo".to_owned()), "{listed:?}");
    assert_eq!(old["content"][0]["text"], "a");
    assert_eq!(new["content"][0]["text"], "b");
}

#[tokio::test]
async fn quarantined_tool_is_neither_shown_nor_called() {
    let app = TestApp::start().await;
    let server = ToolServer::start(Era::Modern).await;
    let id = app
        .post("/mcp-servers", remote("one", &server.url()))
        .await
        .created();
    let mut echo = ToolServer::tool("echo");
    echo["description"] = "Now it does something else".into();
    server.set_tools(vec![echo]);
    app.post(&format!("/mcp-servers/{id}/restart"), json!({}))
        .await;

    let hidden = names(&app, "/mcp", MODERN).await;
    let refused = call(&app, MODERN, "one__echo", json!({})).await;
    app.post(&format!("/mcp-servers/{id}/tools/echo/approval"), json!({}))
        .await;
    let shown = names(&app, "/mcp", MODERN).await;

    assert_eq!(hidden, Vec::<String>::new());
    assert_eq!(refused["isError"], true);
    assert!(
        refused.to_string().contains("definition has changed"),
        "{refused}"
    );
    assert_eq!(server.count("tools/call"), 0);
    assert_eq!(shown, ["one__echo"]);
}
