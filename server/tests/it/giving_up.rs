//! Runs that nobody brings to an end are ended.

use sqlx::{Connection, PgConnection};
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, TestDb, check_gapless, texts};

use crate::support::{Program, TestApp};
use crate::tools::of_type;

pub async fn run_sql(db: &TestDb, sql: &'static str) {
    let mut superuser = PgConnection::connect(&db.superuser_url())
        .await
        .expect("connect");
    let done = sqlx::raw_sql(sql).execute(&mut superuser).await;
    done.expect("change the database");
}

/// Kills a server in the middle of an answer; gives the conversation and the run.
async fn killed_in_the_middle(app: &mut TestApp, model: &ScriptedModel) -> (String, String) {
    let agent = app.create_agent(model).await;
    let conversation = app.create_conversation(&agent).await;
    let (answer, gate) = Scripted::numbered(10).held();
    model.next(answer);
    let run = app.ask(&conversation, "count").await;
    let mut stream = app.events(&conversation, "").await;
    gate.release(3);
    let said = stream.collect_until(|event| event.event == "text_delta");
    said.await.expect("text in the log");
    app.program().kill();
    (conversation, run)
}

#[tokio::test]
async fn run_that_was_interrupted_five_times_fails_and_costs_no_more() {
    let db = TestDb::create().await;
    let mut app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    let (conversation, run) = killed_in_the_middle(&mut app, &model).await;
    model.always(Scripted::text("back again"));

    run_sql(&db, "update runs set attempt = 5").await;
    app.program().start().await;
    let log = app.log(&conversation).await;
    let failed = app.get(&format!("/runs/{run}")).await.body;
    let next = app.ask(&conversation, "still there?").await;
    app.log(&conversation).await;
    let next = app.get(&format!("/runs/{next}")).await.body;

    assert_eq!(failed["status"], "failed", "{failed}");
    assert_eq!(failed["error"]["kind"], "interrupted");
    assert_eq!(failed["error"]["retryable"], true);
    check_gapless(&log).expect("no gap");
    let ended = of_type(&log, "message_completed")[0];
    assert_eq!(ended["finish_reason"], "error");
    let said = ended["text"].as_str().expect("text");
    assert!(said.starts_with("0 "), "{said:?}");
    assert!(texts(&log).expect("exact").values().any(|it| it == said));
    assert_eq!(next["status"], "completed");
    assert_eq!(model.request_count(), 2, "the failed run asked once");
}

#[tokio::test]
async fn run_that_is_stopped_while_its_server_is_dead_keeps_what_it_said() {
    let db = TestDb::create().await;
    let mut app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    let (conversation, run) = killed_in_the_middle(&mut app, &model).await;

    run_sql(&db, "update runs set cancel_requested_at = now()").await;
    app.program().start().await;
    let log = app.log(&conversation).await;
    let stopped = app.get(&format!("/runs/{run}")).await.body;

    assert_eq!(stopped["status"], "cancelled", "{stopped}");
    check_gapless(&log).expect("no gap");
    let ended = of_type(&log, "message_completed")[0];
    assert_eq!(ended["finish_reason"], "cancelled");
    let said = ended["text"].as_str().expect("text");
    assert!(said.starts_with("0 "), "{said:?}");
    assert_eq!(model.request_count(), 1);
}

#[tokio::test]
async fn run_that_never_began_fails_where_people_see_it() {
    let db = TestDb::create().await;
    let mut api = Program::new(Some(db.url()));
    api.set("AGENTAREA_ROLES", "api");
    let api = TestApp::on(api).await;
    let model = ScriptedModel::start().await;
    let agent = api.create_agent(&model).await;
    let conversation = api.create_conversation(&agent).await;
    api.ask(&conversation, "hello").await;
    run_sql(
        &db,
        "update runs set status = 'running', attempt = 5, fence = 5, started_at = now(),
           lease_owner = gen_random_uuid(), lease_expires_at = now() - interval '1 second'",
    )
    .await;

    let mut worker = Program::new(Some(db.url()));
    worker.set("AGENTAREA_ROLES", "worker");
    let _worker = api.beside(worker).await;
    let log = api.log(&conversation).await;
    let path = format!("/conversations/{conversation}/messages");
    let shown = api.get(&path).await.body;

    check_gapless(&log).expect("no gap");
    assert_eq!(log.last().expect("events").event, "run_failed");
    assert_eq!(shown["items"][0]["role"], "assistant");
    assert_eq!(shown["items"][0]["error"]["kind"], "interrupted");
    assert_eq!(model.request_count(), 0);
}
