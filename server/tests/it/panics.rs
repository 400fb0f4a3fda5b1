//! A fault of this program ends the work that it happens in, and nothing else. The faults are moments
//! in the database that no `Timestamp` can hold: reading one panics.

use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use testkit::scripted_model::Answer as Scripted;
use testkit::{EventStream, ScriptedModel, TestDb, check_gapless, inputs, texts};

use crate::authorization::functions::paths;
use crate::giving_up::run_sql;
use crate::support::{Answer, Program, TestApp, client, eventually, sign_in};

#[tokio::test]
async fn request_that_panics_is_answered_500_and_harms_no_other() {
    let db = TestDb::create().await;
    let mut app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    model.always(Scripted::text("here"));
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    app.ask(&conversation, "are you there?").await;
    let before = app.log(&conversation).await;
    let cookie = sign_in(&app, inputs::ADA).await;
    let pid = app.program().id();
    let path = format!("/conversations/{conversation}");

    run_sql(&db, "update conversations set updated_at = 'infinity'").await;
    let read = app.get(&path).await;
    let changed = app.patch(&path, json!({"is_pinned": true})).await;
    let function = call(&app, &cookie, "list_conversations").await;
    let page = show(&app, &cookie, "/conversations").await;
    run_sql(&db, "update conversations set updated_at = now()").await;
    let stream = broken_stream(&app, &db, &conversation).await;
    let healed = app.get(&path).await;
    let function_healed = call(&app, &cookie, "list_conversations").await;
    let page_healed = show(&app, &cookie, "/conversations").await;

    for (name, answer) in [("read", read), ("change", changed), ("function", function)] {
        assert_fault(name, &answer);
    }
    assert_fault("page", &page);
    assert!(stream.len() < before.len(), "the stream broke off");
    assert!(app.program().is_running());
    assert_eq!(app.program().id(), pid);
    assert_eq!(healed.status, StatusCode::OK);
    assert_eq!(healed.body["is_pinned"], false, "the change was undone");
    assert_eq!(function_healed.status, StatusCode::OK);
    assert_eq!(page_healed.status, StatusCode::OK);
    assert_eq!(app.log(&conversation).await.len(), before.len());
}

#[tokio::test]
async fn run_that_panics_ends_with_an_error_and_its_conversation_goes_on() {
    let db = TestDb::create().await;
    let mut app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    model.always(Scripted::text("here"));
    let agent = app.create_agent(&model).await;
    let spare = inputs::model_connection("Spare", &model.base_url());
    let spare = app.post("/model-connections", spare).await.created();
    let fallbacks = json!({"fallbacks": [{"connection_id": spare, "name": "scripted-small"}]});
    let changed = app.patch(&format!("/agents/{agent}"), fallbacks).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    let conversation = app.create_conversation(&agent).await;
    let pid = app.program().id();

    run_sql(
        &db,
        "update model_connections set created_at = 'infinity' where name = 'Spare'",
    )
    .await;
    let failed = app.ask(&conversation, "are you there?").await;
    let log = app.log(&conversation).await;
    let failed = app.get(&format!("/runs/{failed}")).await.body;
    let is_let_go = eventually(async || metric(&app, "agentarea_runs_active").await == "0").await;
    run_sql(&db, "update model_connections set created_at = now()").await;
    let next = app.ask(&conversation, "and now?").await;
    let whole = app.log(&conversation).await;
    let next = app.get(&format!("/runs/{next}")).await.body;

    assert_eq!(failed["status"], "failed", "{failed}");
    assert_eq!(failed["error"]["kind"], "internal", "{failed}");
    assert_eq!(failed["error"]["retryable"], true);
    assert_eq!(failed["attempt"], 1);
    assert_eq!(log.last().expect("an end").event, "run_failed");
    assert!(is_let_go, "the run is in somebody's hands");
    assert_eq!(next["status"], "completed", "{next}");
    check_gapless(&whole).expect("no gap");
    texts(&whole).expect("exact");
    assert_eq!(app.program().id(), pid);
    assert!(app.program().is_running());
}

/// What takes runs, and what renews their leases, are loops.
#[tokio::test]
async fn worker_whose_loops_panic_takes_and_renews_again() {
    let db = TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    program.set("AGENTAREA_LIMITS__RUNS_PER_WORKSPACE", "1");
    let path = program.data_dir.path().join("log");
    program.log_to(path.clone());
    let log_has = |words: &str| {
        std::fs::read_to_string(&path)
            .expect("a log")
            .contains(words)
    };
    let app = TestApp::on(program).await;
    let model = ScriptedModel::start().await;
    let (answer, gate) = Scripted::numbered(5).held();
    model.next(answer);
    model.always(Scripted::text("here"));
    let agent = app.create_agent(&model).await;
    let held = app.create_conversation(&agent).await;
    let queued = app.create_conversation(&agent).await;
    let first = app.ask(&held, "count").await;
    gate.release(2);
    let mut stream = app.events(&held, "").await;
    let begun = stream.collect_until(|event| event.event == "text_delta");
    begun.await.expect("it runs");
    let second = app.ask(&queued, "are you there?").await;

    // Every claim and every renewal reads this.
    run_sql(&db, "update runs set cancel_requested_at = 'infinity'").await;
    let lost = "select exists (select from runs
        where status = 'running' and lease_expires_at < now())";
    let has_lost = eventually(async || ask(&db, lost).await).await;
    let has_landed = eventually(async || {
        log_has("cannot look at the run queue") && log_has("cannot renew leases")
    })
    .await;
    run_sql(&db, "update runs set cancel_requested_at = null").await;
    let renewed = "select exists (select from runs
        where status = 'running' and attempt = 1 and lease_expires_at > now() + interval '8 s')";
    let is_renewed = eventually(async || ask(&db, renewed).await).await;
    gate.finish();
    app.log(&held).await;
    let log = app.log(&queued).await;
    let first = app.get(&format!("/runs/{first}")).await.body;
    let second = app.get(&format!("/runs/{second}")).await.body;

    assert!(has_lost, "a run was taken by a claim that nobody read");
    assert!(has_landed, "both loops panicked");
    assert!(is_renewed, "a lease that is held is renewed again");
    assert_eq!(first["status"], "completed", "{first}");
    assert_eq!(first["attempt"], 1);
    assert_eq!(second["status"], "completed", "{second}");
    check_gapless(&log).expect("no gap");
    assert!(log.iter().any(|event| event.event == "run_adopted"));
}

/// An answer to a request whose handler panicked: the usual form, and nothing of the cause.
fn assert_fault(name: &str, answer: &Answer) {
    let Answer {
        status,
        headers,
        body,
    } = answer;
    assert_eq!(*status, StatusCode::INTERNAL_SERVER_ERROR, "{name}: {body}");
    assert_eq!(
        headers["content-type"], "application/problem+json",
        "{name}"
    );
    assert_eq!(body["status"], 500, "{name}");
    let request_id = headers["x-request-id"].to_str().expect("text");
    assert_eq!(body["request_id"], request_id, "{name}");
    assert!(!body.to_string().contains("range"), "{name}: {body}");
}

/// Reads a stream whose log cannot be read to its end; gives what came, which is no whole log.
async fn broken_stream(app: &TestApp, db: &TestDb, conversation: &str) -> Vec<Value> {
    run_sql(
        db,
        "update events set time = 'infinity' where seq = (select max(seq) from events)",
    )
    .await;
    let path = format!("/api/v1/conversations/{conversation}/events?until=idle");
    let mut came = Vec::new();
    if let Ok(mut stream) = EventStream::open(&app.url(&path), &app.key).await {
        while let Ok(Some(event)) = stream.next().await {
            came.push(event.data);
        }
    }
    run_sql(db, "update events set time = now() where time = 'infinity'").await;
    came
}

async fn call(app: &TestApp, cookie: &str, function: &str) -> Answer {
    let req = client()
        .post(app.url(&paths()[function]))
        .header("origin", app.origin())
        .header("accept", "application/json")
        .header("content-type", "application/x-www-form-urlencoded")
        .header("cookie", cookie);
    Answer::read(req.send().await.expect("an answer")).await
}

async fn show(app: &TestApp, cookie: &str, path: &str) -> Answer {
    let req = client().get(app.url(path)).header("cookie", cookie);
    Answer::read(req.send().await.expect("an answer")).await
}

async fn metric(app: &TestApp, name: &str) -> String {
    let text = client().get(app.url("/metrics")).send().await;
    let text = text.expect("an answer").text().await.expect("text");
    let value = text.lines().find_map(|line| line.strip_prefix(name));
    value.expect("a value").trim().to_owned()
}

/// Asks the database a question that is answered with yes or no.
async fn ask(db: &TestDb, question: &'static str) -> bool {
    let mut superuser = PgConnection::connect(&db.superuser_url())
        .await
        .expect("connect");
    let asked = sqlx::query_scalar::<_, bool>(question).fetch_one(&mut superuser);
    asked.await.expect("an answer")
}
