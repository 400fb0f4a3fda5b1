//! Lists and reports are read from copies of the database, and never miss what was just written.

use serde_json::json;
use sqlx::{Connection, PgConnection};
use testkit::scripted_model::Answer;
use testkit::{CrashableDb, ScriptedModel};

use crate::support::{Program, TestApp, eventually};

/// A server on a database with one copy, once the copy is in use.
async fn start() -> (TestApp, CrashableDb, CrashableDb) {
    let primary = CrashableDb::start().await;
    let copy = primary.copy().await;
    let mut program = Program::new(Some(primary.url()));
    program.set("DATABASE_REPLICA_URLS", &copy.url());
    let app = TestApp::on(program).await;
    assert!(eventually(async || state(&app).await == "ok").await);
    (app, primary, copy)
}

async fn state(app: &TestApp) -> String {
    let health = reqwest::get(app.url("/health/db"))
        .await
        .expect("an answer");
    let body: serde_json::Value = health.json().await.expect("JSON");
    body["replicas"][0]["status"]
        .as_str()
        .expect("a state")
        .to_owned()
}

/// How often a table was looked at on a server.
async fn looks(db: &CrashableDb, table: &str) -> i64 {
    let mut db = PgConnection::connect(&db.url()).await.expect("connect");
    let looks = "select (seq_scan + coalesce(idx_scan, 0))::bigint from pg_stat_user_tables where relname = $1";
    let looks = sqlx::query_scalar(looks)
        .bind(table)
        .fetch_one(&mut db)
        .await;
    looks.expect("its statistics")
}

async fn replay(db: &CrashableDb, what: &'static str) {
    let mut db = PgConnection::connect(&db.url()).await.expect("connect");
    sqlx::query(what).execute(&mut db).await.expect("told");
}

#[tokio::test]
async fn lists_are_read_from_a_copy() {
    let (app, _primary, copy) = start().await;
    let before = looks(&copy, "audit_events").await;

    let reads_come = eventually(async || {
        assert_eq!(app.get("/audit-events").await.status, 200);
        looks(&copy, "audit_events").await > before
    });

    assert!(reads_come.await);
}

#[tokio::test]
async fn copy_that_stands_still_hides_nothing() {
    let (app, _primary, copy) = start().await;
    replay(&copy, "select pg_wal_replay_pause()").await;

    for number in 0..5 {
        let name = format!("Key {number}");
        let made = app.post("/api-keys", json!({"name": name})).await;
        assert_eq!(made.status, 201);
        let newest = app.get("/audit-events?limit=1").await.body["items"][0].clone();
        assert_eq!(newest["object_name"], name);
    }
    assert!(eventually(async || state(&app).await == "not used").await);
    replay(&copy, "select pg_wal_replay_resume()").await;

    assert!(eventually(async || state(&app).await == "ok").await);
}

#[tokio::test]
async fn copy_that_stands_still_hides_no_message() {
    let (app, _primary, copy) = start().await;
    let model = ScriptedModel::start().await;
    model.next(Answer::text("First."));
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    app.ask(&conversation, "One?").await;
    app.log(&conversation).await;
    // Until what was written so far is no reason any more to read elsewhere.
    let before = looks(&copy, "runs").await;
    let reads_come = eventually(async || {
        assert_eq!(app.get("/runs").await.status, 200);
        looks(&copy, "runs").await > before
    });
    assert!(reads_come.await);
    replay(&copy, "select pg_wal_replay_pause()").await;

    let (held, gate) = Answer::text("Second.").held();
    model.next(held);
    let run = app.ask(&conversation, "Two?").await;

    let newest = app.get("/runs?limit=1").await.body["items"][0].clone();
    assert_eq!(newest["id"], run);
    gate.finish();
}

#[tokio::test]
async fn copy_that_dies_is_done_without() {
    let (app, _primary, mut copy) = start().await;
    copy.pause();

    assert!(eventually(async || state(&app).await == "not used").await);
    assert_eq!(app.get("/usage").await.status, 200);
    copy.resume();
    assert!(eventually(async || state(&app).await == "ok").await);
    copy.crash().await;

    assert!(eventually(async || state(&app).await == "ok").await);
    assert_eq!(app.get("/usage").await.status, 200);
}
