//! Servers that cannot be used say why, and what a person can do about it.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::ToolServer;
use testkit::tool_server::{Era, Mood};

use super::remote;
use crate::support::TestApp;

async fn reason(app: &TestApp, name: &str, url: &str) -> String {
    let made = app.post("/mcp-servers", remote(name, url)).await;
    assert_eq!(made.body["state"], "failed", "{}", made.body);
    made.body["reason"].as_str().expect("a reason").to_owned()
}

#[tokio::test]
async fn each_failure_has_its_reason() {
    let app = TestApp::start().await;
    let server = ToolServer::start(Era::Legacy).await;
    let url = server.url();

    let private = reason(&app, "private", "http://10.0.0.1/mcp").await;
    let metadata = reason(&app, "metadata", "http://169.254.169.254/latest").await;
    let nobody = reason(&app, "nobody", "http://127.0.0.1:9/mcp").await;
    let unknown = reason(&app, "unknown", "https://nowhere.invalid/mcp").await;
    server.set_mood(Mood::Status(401));
    let unauthorized = reason(&app, "unauthorized", &url).await;
    server.set_mood(Mood::Status(404));
    let missing = reason(&app, "missing", &url).await;
    server.set_mood(Mood::Status(500));
    let broken = reason(&app, "broken", &url).await;
    server.set_mood(Mood::Page);
    let page = reason(&app, "page", &url).await;
    server.set_mood(Mood::Garbage);
    let garbage = reason(&app, "garbage", &url).await;
    server.set_mood(Mood::Redirect("http://169.254.169.254/".to_owned()));
    let elsewhere = reason(&app, "elsewhere", &url).await;

    assert!(private.contains("private network"), "{private}");
    assert!(metadata.contains("private network"), "{metadata}");
    assert!(
        nobody.contains("cannot be reached: connection refused"),
        "{nobody}"
    );
    assert!(unknown.contains("has no address"), "{unknown}");
    assert!(
        unauthorized.contains("refuses the credentials"),
        "{unauthorized}"
    );
    assert!(missing.contains("HTTP 404"), "{missing}");
    assert!(broken.contains("HTTP 500"), "{broken}");
    assert!(page.contains("answers with text/html"), "{page}");
    assert!(garbage.contains("makes no sense"), "{garbage}");
    assert!(elsewhere.contains("HTTP 307"), "{elsewhere}");
}

#[tokio::test]
async fn silent_server_does_not_keep_anybody_waiting() {
    let app = TestApp::start().await;
    let server = ToolServer::start(Era::Legacy).await;
    server.set_mood(Mood::Silent);
    let started = Instant::now();

    let made = app
        .post("/mcp-servers", remote("silent", &server.url()))
        .await;
    let waited = started.elapsed();
    let id = made.body["id"].as_str().expect("an id").to_owned();
    let restarted = app
        .post(&format!("/mcp-servers/{id}/restart"), json!({}))
        .await;

    assert_eq!(made.body["state"], "connecting", "{}", made.body);
    assert!(waited < Duration::from_secs(18), "{waited:?}");
    assert_eq!(restarted.body["state"], "failed", "{}", restarted.body);
    let reason = restarted.body["reason"].to_string();
    assert!(reason.contains("did not answer within 20 s"), "{reason}");
}

#[tokio::test]
async fn server_that_offers_too_much_is_refused() {
    let app = TestApp::start().await;
    let server = ToolServer::start(Era::Legacy).await;
    let many: Vec<Value> = (0..1_001)
        .map(|n| ToolServer::tool(&format!("tool-{n}")))
        .collect();
    server.set_tools(many);
    let too_many = reason(&app, "many", &server.url()).await;
    let mut large = ToolServer::tool("large");
    large["description"] = "x".repeat(70_000).into();
    server.set_tools(vec![large]);
    let too_large = reason(&app, "large", &server.url()).await;
    let mut deep = json!({});
    for _ in 0..200 {
        deep = json!({"properties": {"a": deep}});
    }
    let mut nested = ToolServer::tool("nested");
    nested["inputSchema"] = deep;
    server.set_tools(vec![nested]);
    let too_deep = reason(&app, "deep", &server.url()).await;

    assert!(too_many.contains("more than 1000 tools"), "{too_many}");
    assert!(too_large.contains("more than 64 KiB"), "{too_large}");
    assert!(too_deep.contains("makes no sense"), "{too_deep}");
}

#[tokio::test]
async fn failed_server_is_ready_again_after_a_restart() {
    let app = TestApp::start().await;
    let server = ToolServer::start(Era::Modern).await;
    server.set_mood(Mood::Status(503));
    let made = app
        .post("/mcp-servers", remote("back", &server.url()))
        .await;
    assert_eq!(made.body["state"], "failed");
    server.set_mood(Mood::Kind);

    let id = made.created();
    let restarted = app
        .post(&format!("/mcp-servers/{id}/restart"), json!({}))
        .await;

    assert_eq!(restarted.body["state"], "ready", "{}", restarted.body);
    assert_eq!(restarted.body.get("reason"), None);
}
