//! Tool servers: adding them, what is known of them, and how they fail.

mod agents;
mod failing;
mod health;
mod pinned;
mod provider;
mod sign_in;

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::ToolServer;
use testkit::tool_server::Era;

use crate::support::TestApp;

/// Input for a remote server.
pub fn remote(name: &str, url: &str) -> Value {
    json!({"name": name, "source": {"type": "remote", "url": url}})
}

/// Names and states of a server's tools.
pub async fn tools(app: &TestApp, id: &str) -> Vec<(String, String)> {
    let answer = app.get(&format!("/mcp-servers/{id}/tools?limit=100")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.body);
    let items = answer.body["items"].as_array().expect("items").clone();
    let text = |tool: &Value, key: &str| tool[key].as_str().expect("text").to_owned();
    items
        .iter()
        .map(|tool| (text(tool, "name"), text(tool, "state")))
        .collect()
}

#[tokio::test]
async fn server_is_ready_with_its_tools_in_both_eras() {
    let app = TestApp::start().await;
    for (era, name, version) in [
        (Era::Legacy, "old", "2025-11-25"),
        (Era::Modern, "new", "2026-07-28"),
    ] {
        let server = ToolServer::start(era).await;

        let made = app.post("/mcp-servers", remote(name, &server.url())).await;

        assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
        assert_eq!(made.body["state"], "ready", "{}", made.body);
        assert_eq!(made.body["protocol_version"], version);
        assert_eq!(made.body["title"], "Scripted tools");
        assert_eq!(made.body["tool_count"], 10);
        let id = made.created();
        let listed = app.get(&format!("/mcp-servers/{id}/tools")).await;
        let tool = &listed.body["items"][2];
        assert_eq!(tool["name"], "echo");
        assert_eq!(tool["state"], "active");
        assert_eq!(tool["description"], "The tool echo");
        assert_eq!(tool["input_schema"]["type"], "object");
        assert_eq!(tool["annotations"]["readOnlyHint"], true);
        assert_eq!(tool["definition_hash"].as_str().map(str::len), Some(64));
        let agent = header(&server, "user-agent");
        assert!(agent.starts_with("AgentArea/"), "{agent}");
    }
}

fn header(server: &ToolServer, name: &str) -> String {
    let seen = server.seen();
    let headers = seen.iter().flat_map(|seen| &seen.headers);
    let mut values = headers.filter(|(key, _)| key == name);
    values.next().expect("the header").1.clone()
}

#[tokio::test]
async fn secret_headers_are_sent_and_never_shown() {
    let app = TestApp::start().await;
    let server = ToolServer::start(Era::Legacy).await;
    let mut input = remote("guarded", &server.url());
    input["source"]["headers"] = json!({"Authorization": "Bearer opensesame"});

    let made = app.post("/mcp-servers", input).await;

    let shown = made.body.to_string();
    assert_eq!(
        made.body["source"]["header_names"],
        json!(["authorization"])
    );
    let id = made.created();
    for path in ["/mcp-servers".to_owned(), format!("/mcp-servers/{id}")] {
        assert!(!app.get(&path).await.body.to_string().contains("sesame"));
    }
    assert!(!shown.contains("sesame"), "{shown}");
    let seen = server.seen();
    assert!(seen.len() >= 3);
    for request in seen {
        let found = request
            .headers
            .iter()
            .find(|(name, _)| name == "authorization");
        let value = found.map(|(_, value)| value.as_str());
        assert_eq!(value, Some("Bearer opensesame"), "{request:?}");
    }
}

#[tokio::test]
async fn secret_headers_do_not_follow_the_server_to_another_address() {
    let app = TestApp::start().await;
    let (here, there) = (
        ToolServer::start(Era::Legacy).await,
        ToolServer::start(Era::Legacy).await,
    );
    let mut input = remote("guarded", &here.url());
    input["source"]["headers"] = json!({"x-key": "opensesame", "x-other": "1"});
    let id = app.post("/mcp-servers", input).await.created();
    let path = format!("/mcp-servers/{id}");
    let moved = |headers: Value| json!({"source": {"type": "remote", "url": there.url(), "headers": headers}});

    let refused = app.patch(&path, moved(json!({}))).await;
    let refused_half = app.patch(&path, moved(json!({"x-key": "new"}))).await;
    let accepted = app
        .patch(&path, moved(json!({"x-key": "new", "x-other": null})))
        .await;

    assert_eq!(refused.wrong_fields(), ["source.headers"]);
    assert_eq!(refused_half.wrong_fields(), ["source.headers"]);
    assert_eq!(accepted.body["state"], "ready", "{}", accepted.body);
    assert_eq!(accepted.body["source"]["header_names"], json!(["x-key"]));
    assert_eq!(header(&there, "x-key"), "new");
    assert!(!format!("{:?}", there.seen()).contains("sesame"));
}

#[tokio::test]
async fn wrong_fields_are_named() {
    let app = TestApp::start().await;
    let long = "x".repeat(33);
    for name in [
        "",
        "Big",
        "1st",
        "two__parts",
        "end_",
        "builtin",
        &long,
        "ü",
    ] {
        let answer = app
            .post("/mcp-servers", remote(name, "https://a.example/mcp"))
            .await;
        assert_eq!(answer.wrong_fields(), ["name"], "{name}");
    }
    for url in [
        "",
        "nonsense",
        "ftp://a.example",
        "https://u:p@a.example/",
        "https://a.example/#x",
    ] {
        let answer = app.post("/mcp-servers", remote("fine", url)).await;
        assert_eq!(answer.wrong_fields(), ["source.url"], "{url}");
    }
    for (name, value) in [
        ("Host", "x"),
        ("mcp-session-id", "x"),
        ("a b", "x"),
        ("x-a", ""),
        ("x-a", "ü"),
    ] {
        let mut input = remote("fine", "https://a.example/mcp");
        input["source"]["headers"] = json!({name: value});
        let answer = app.post("/mcp-servers", input).await;
        assert_eq!(answer.wrong_fields(), ["source.headers"], "{name}: {value}");
    }
    assert_eq!(app.get("/mcp-servers").await.body["items"], json!([]));
}

#[tokio::test]
async fn names_are_unique_and_can_be_changed() {
    let app = TestApp::start().await;
    let server = ToolServer::start(Era::Legacy).await;
    let first = app
        .post("/mcp-servers", remote("one", &server.url()))
        .await
        .created();
    let second = app
        .post("/mcp-servers", remote("two", &server.url()))
        .await
        .created();

    let taken = app.post("/mcp-servers", remote("one", &server.url())).await;
    let renamed = app
        .patch(&format!("/mcp-servers/{second}"), json!({"name": "one"}))
        .await;
    let free = app
        .patch(&format!("/mcp-servers/{first}"), json!({"name": "three"}))
        .await;

    assert_eq!(taken.status, StatusCode::CONFLICT);
    assert_eq!(renamed.status, StatusCode::CONFLICT);
    assert_eq!(free.body["name"], "three");
    assert_eq!(free.body["id"], first.as_str());
}

#[tokio::test]
async fn server_of_an_agents_tools_is_kept() {
    let app = TestApp::start().await;
    let model = testkit::ScriptedModel::start().await;
    let server = ToolServer::start(Era::Legacy).await;
    let id = app
        .post("/mcp-servers", remote("kept", &server.url()))
        .await
        .created();
    let agent = app.create_agent(&model).await;
    let tools = json!([{"server_id": id, "name": "echo", "approval": "never"}]);
    let unknown = json!([{"server_id": uuid::Uuid::nil(), "name": "echo"}]);
    let path = format!("/agents/{agent}");

    let refused = app.patch(&path, json!({"tools": unknown})).await;
    let saved = app.patch(&path, json!({"tools": tools})).await;
    let kept = app.delete(&format!("/mcp-servers/{id}")).await;
    app.patch(&path, json!({"tools": []})).await;
    let gone = app.delete(&format!("/mcp-servers/{id}")).await;

    assert_eq!(refused.wrong_fields(), ["tools[0].server_id"]);
    assert_eq!(saved.status, StatusCode::OK, "{}", saved.body);
    assert_eq!(kept.status, StatusCode::CONFLICT);
    assert!(kept.body["detail"].to_string().contains("Release Scout"));
    assert_eq!(gone.status, StatusCode::NO_CONTENT, "{}", gone.body);
    assert_eq!(
        app.get(&format!("/mcp-servers/{id}")).await.status,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn sessions_end_with_the_server_that_opened_them() {
    let app = TestApp::start().await;
    let server = ToolServer::start(Era::Legacy).await;
    let id = app
        .post("/mcp-servers", remote("brief", &server.url()))
        .await
        .created();
    for _ in 0..3 {
        let path = format!("/mcp-servers/{id}/restart");
        let restarted = app.send(Method::POST, &path, None, &[]).await;
        assert_eq!(restarted.body["state"], "ready", "{}", restarted.body);
    }
    assert_eq!(server.count("initialize"), 4);

    app.delete(&format!("/mcp-servers/{id}")).await;

    server
        .until("the end of every session", |server| {
            server.open_sessions() == 0
        })
        .await;
    // Requests share connections instead of opening one each.
    assert!(
        server.connections() < 12,
        "{} connections",
        server.connections()
    );
}

#[tokio::test]
async fn two_changes_at_once_are_both_kept() {
    let app = TestApp::start().await;
    let made = app.post("/mcp-servers", remote("start", "http://127.0.0.1:9/0"));
    let path = format!("/mcp-servers/{}", made.await.created());

    for round in 1..=15 {
        let (name, url) = (
            format!("name{round}"),
            format!("http://127.0.0.1:9/{round}"),
        );
        let moved = json!({"source": {"type": "remote", "url": url}});
        let restart = format!("{path}/restart");
        let (moved, renamed, _) = tokio::join!(
            app.patch(&path, moved),
            app.patch(&path, json!({"name": name})),
            app.post(&restart, json!({})),
        );

        assert_eq!(moved.status, StatusCode::OK, "{}", moved.body);
        assert_eq!(renamed.status, StatusCode::OK, "{}", renamed.body);
        let kept = app.get(&path).await.body;
        assert_eq!(kept["name"], name, "round {round}: {kept}");
        assert_eq!(kept["source"]["url"], url, "round {round}: {kept}");
    }
}
