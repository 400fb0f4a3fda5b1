//! Connected servers are asked whether they are there, and started anew when they are not.

use serde_json::json;
use testkit::tool_server::{Era, Mood};
use testkit::{TestDb, ToolServer};

use super::remote;
use crate::support::{Program, TestApp, eventually};

/// A program that asks often.
async fn app() -> (TestApp, TestDb) {
    let db = TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    program.set("AGENTAREA_TOOL_SERVERS__CHECK_EVERY_MS", "150");
    program.set("AGENTAREA_TOOL_SERVERS__CHECK_TIMEOUT_MS", "100");
    (TestApp::on(program).await, db)
}

async fn state(app: &TestApp, id: &str) -> (String, String) {
    let server = app.get(&format!("/mcp-servers/{id}")).await.body;
    let text = |key: &str| server[key].as_str().unwrap_or_default().to_owned();
    (text("state"), text("reason"))
}

#[tokio::test]
async fn server_that_answers_is_asked_in_the_words_of_its_era() {
    let (app, _db) = app().await;
    for (era, name, method) in [
        (Era::Legacy, "old", "ping"),
        (Era::Modern, "new", "server/discover"),
    ] {
        let server = ToolServer::start(era).await;
        let made = app.post("/mcp-servers", remote(name, &server.url())).await;
        let before = server.count(method);

        server
            .until("checks", |server| server.count(method) >= before + 3)
            .await;

        let id = made.created();
        let is_ready = eventually(async || state(&app, &id).await.0 == "ready");
        assert!(is_ready.await, "{:?}", state(&app, &id).await);
    }
}

#[tokio::test]
async fn silent_server_is_unhealthy_and_comes_back() {
    let (app, _db) = app().await;
    let server = ToolServer::start(Era::Legacy).await;
    let made = app
        .post("/mcp-servers", remote("quiet", &server.url()))
        .await;
    let id = made.created();

    server.set_mood(Mood::Silent);
    let is_unhealthy = eventually(async || state(&app, &id).await.0 == "unhealthy").await;
    let (_, reason) = state(&app, &id).await;
    server.set_mood(Mood::Kind);
    let is_ready = eventually(async || state(&app, &id).await.0 == "ready").await;

    assert!(is_unhealthy, "{reason}");
    assert!(
        reason.contains("did not answer 3 checks in a row"),
        "{reason}"
    );
    assert!(is_ready, "{:?}", state(&app, &id).await);
    assert!(server.count("initialize") >= 2, "it was started anew");
}

#[tokio::test]
async fn server_that_fails_again_and_again_is_left_alone_until_restarted() {
    let (app, _db) = app().await;
    let server = ToolServer::start(Era::Modern).await;
    let made = app
        .post("/mcp-servers", remote("broken", &server.url()))
        .await;
    let id = made.created();

    server.set_mood(Mood::Status(500));
    let is_alone = eventually(async || state(&app, &id).await.1.contains("left alone")).await;
    let (name, reason) = state(&app, &id).await;
    let tries = server.seen().len();
    let message = json!({"name": "broken__echo", "arguments": {"text": "there?"}});
    let called = crate::gateway::send(
        &app,
        "/mcp",
        crate::gateway::MODERN,
        "tools/call",
        message.clone(),
    )
    .await;
    let tries_after = server.seen().len();
    server.set_mood(Mood::Kind);
    let restarted = app
        .post(&format!("/mcp-servers/{id}/restart"), json!({}))
        .await;
    let called_after =
        crate::gateway::send(&app, "/mcp", crate::gateway::MODERN, "tools/call", message).await;

    assert!(is_alone, "{name}: {reason}");
    assert_eq!(name, "failed");
    assert!(reason.contains("HTTP 500"), "{reason}");
    assert!(
        called.body.to_string().contains("left alone"),
        "{}",
        called.body
    );
    assert_eq!(tries, tries_after, "nobody tried again");
    assert_eq!(restarted.body["state"], "ready", "{}", restarted.body);
    let said = &called_after.body["result"]["content"][0]["text"];
    assert_eq!(said, "there?", "{}", called_after.body);
}
