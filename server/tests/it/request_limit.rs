//! Requests a minute, through the API and the gateway.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::{TestDb, inputs};

use crate::gateway::{MODERN, send};
use crate::support::{Answer, Program, TestApp, client};

/// Seconds after which the server says to come back.
fn pause(answer: &Answer) -> u64 {
    let header = answer.headers.get("retry-after").expect("Retry-After");
    let text = header.to_str().expect("text");
    text.parse().expect("seconds")
}

#[tokio::test]
async fn whoever_asks_too_often_is_told_when_to_come_back() {
    let db = TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    program.set("AGENTAREA_LIMITS__REQUESTS_PER_MINUTE", "3");
    program.start().await;
    let set_up = client().post(program.url("/api/v1/setup"));
    let set_up = set_up.json(&inputs::set_up()).send().await;
    assert_eq!(set_up.expect("set up").status(), StatusCode::CREATED);
    let mut app = TestApp::of(program, "");
    app.create_user(inputs::GRACE, "Initech");
    let graces = app.create_key(inputs::GRACE, "Initech");
    app.key = app.create_key(inputs::ADA, inputs::ACME);

    for _ in 0..3 {
        assert_eq!(app.get("/me").await.status, StatusCode::OK);
    }
    let refused = app.get("/me").await;
    let gateway = send(&app, "/mcp", MODERN, "tools/list", json!({})).await;

    for answer in [&refused, &gateway] {
        assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
        assert!((1..=20).contains(&pause(answer)), "{:?}", answer.headers);
        let kind = answer.headers["content-type"].to_str();
        assert_eq!(kind.ok(), Some("application/problem+json"));
        assert_eq!(answer.body["status"], 429, "{}", answer.body);
    }
    // Another person's requests are counted by themselves.
    app.key = graces;
    assert_eq!(app.get("/me").await.status, StatusCode::OK);
    let tools = send(&app, "/mcp", MODERN, "tools/list", json!({})).await;
    assert_ne!(tools.body["result"]["tools"], Value::Null, "{}", tools.body);
}
