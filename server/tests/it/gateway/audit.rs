//! Each call through the gateway leaves a line in the audit log.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use testkit::tool_server::Era;
use testkit::{Proxy, TestDb, ToolServer};

use super::{MODERN, send};
use crate::mcp_servers::remote;
use crate::support::{HeldTable, Program, TestApp};

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

/// The database has written a line, and its answer gets lost on the way: the line is tried again,
/// is there once, and holds up none that comes after it.
#[tokio::test(flavor = "multi_thread")]
async fn line_whose_answer_gets_lost_is_there_once() {
    let db = TestDb::create().await;
    let proxy = Proxy::to_database(&db).await;
    let mut program = Program::new(Some(db.url_through(&proxy)));
    let journal = program.data_dir.path().join("server.log");
    program.log_to(journal.clone());
    let app = TestApp::on(program).await;
    let server = ToolServer::start(Era::Modern).await;
    let input = remote("one", &server.url());
    app.post("/mcp-servers", input).await.created();
    let mut direct = PgConnection::connect(&db.superuser_url())
        .await
        .expect("a connection");
    call(&app, "one__echo", json!({"text": "first"})).await;
    written(&mut direct, 1).await;

    let mut lines = HeldTable::hold(&db, "audit_events").await;
    call(&app, "one__echo", json!({"text": "second"})).await;
    lines.is_awaited().await;
    assert!(proxy.freeze() > 0, "nothing gets lost");
    lines.release().await;
    written(&mut direct, 2).await;
    proxy.cut();
    call(&app, "one__echo", json!({"text": "third"})).await;

    written(&mut direct, 3).await;
    let log = std::fs::read_to_string(&journal).expect("its log");
    assert!(log.contains("calls cannot be audited"), "nothing got lost");
}

/// Waits until so many lines of calls are in the database, and no more.
async fn written(db: &mut PgConnection, lines: i64) {
    let count = "select count(*) from audit_events where action = 'mcp_tool.call'";
    let begun = Instant::now();
    loop {
        let found: i64 = sqlx::query_scalar(count)
            .fetch_one(&mut *db)
            .await
            .expect("a number");
        if found == lines {
            return;
        }
        let is_early = found < lines && begun.elapsed() < Duration::from_secs(10);
        assert!(is_early, "{found} lines");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
