//! Runs of workers that die are ended once by others; the same submit is the same run.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures::future::join_all;
use reqwest::StatusCode;
use serde_json::Value;
use sqlx::{Connection, PgConnection};
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, TestDb, check_gapless, inputs, texts};

use super::rounds;
use crate::authorization::functions::paths;
use crate::people::Person;
use crate::support::{Program, TestApp, client};

/// How often one of the servers is killed.
const KILL_EVERY: Duration = Duration::from_secs(2);
/// Longest time for all runs to end, for each run.
const PATIENCE: Duration = Duration::from_millis(600);

/// F12: three servers on one database, one killed every two seconds.
#[tokio::test]
async fn runs_of_dying_workers_all_end_exactly_once() {
    let runs = rounds(200, 2_000);
    let db = TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    // Most runs have to wait in the queue, and no server takes them all.
    program.set("AGENTAREA_LIMITS__RUNS_PER_WORKER", "4");
    let mut app = TestApp::on(program).await;
    let model = ScriptedModel::start().await;
    model.always(Scripted::numbered(10).paced(Duration::from_millis(100)));
    let expected = Scripted::numbered(10).full_text();
    let agent = app.create_agent(&model).await;
    let mut others = [app.program().beside(), app.program().beside()];
    for other in &mut others {
        other.start().await;
    }
    let mut conversations = Vec::new();
    for _ in 0..runs {
        let conversation = app.create_conversation(&agent).await;
        app.ask(&conversation, "count").await;
        conversations.push(conversation);
    }
    let mut superuser = PgConnection::connect(&db.superuser_url())
        .await
        .expect("connect");

    let begun = Instant::now();
    let mut kills = 0;
    while count(&mut superuser, "status in ('queued', 'running')").await > 0 {
        assert!(
            begun.elapsed() < PATIENCE * runs as u32,
            "some runs do not end"
        );
        // A run that is interrupted too often is ended as failed, which is not what this is about.
        if count(&mut superuser, "status = 'running' and attempt >= 4").await > 0 {
            tokio::time::sleep(KILL_EVERY).await;
            continue;
        }
        let victim = &mut others[kills % 2];
        victim.kill();
        kills += 1;
        tokio::time::sleep(KILL_EVERY).await;
        victim.start().await;
    }
    println!("{runs} runs, {kills} kills, {:?}", begun.elapsed());

    let completed = count(&mut superuser, "status = 'completed'").await;
    let adopted = count(&mut superuser, "attempt > 1").await;
    println!("{adopted} were adopted");
    assert_eq!(completed as usize, runs);
    assert!(adopted > 0, "no kill hit a run");
    for conversation in &conversations {
        let log = app.log(conversation).await;
        check_gapless(&log).expect("no gap");
        let answers = texts(&log).expect("exact");
        assert_eq!(answers.len(), 2, "a question and one answer");
        assert!(answers.values().any(|text| *text == expected));
        let ends = log.iter().filter(|event| {
            ["run_completed", "run_failed", "run_cancelled"].contains(&event.event.as_str())
        });
        assert_eq!(ends.count(), 1, "a run ends once");
    }
}

#[tokio::test]
async fn same_submit_is_the_same_run_at_every_server_and_door() {
    let db = TestDb::create().await;
    let mut app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let mut other = app.program().beside();
    other.start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let client = client();

    for door in ["rest", "form"] {
        let conversation = app.create_conversation(&agent).await;
        let submits = (0..20).map(|number| {
            let at = |path: &str| match number % 2 {
                0 => app.url(path),
                _ => other.url(path),
            };
            let req = match door {
                "rest" => client
                    .post(at(&format!(
                        "/api/v1/conversations/{conversation}/messages"
                    )))
                    .bearer_auth(&app.key)
                    .header("idempotency-key", "double-click")
                    .json(&inputs::message("once")),
                _ => client
                    .post(at(&paths()["post_message"]))
                    .header("origin", at(""))
                    .header("cookie", ada.cookie.as_deref().expect("a cookie"))
                    .header("content-type", "application/x-www-form-urlencoded")
                    .body(format!("id={conversation}&text=once&key=double-click")),
            };
            async move {
                let response = req.send().await.expect("an answer");
                let status = response.status();
                let body: Value = response.json().await.expect("JSON");
                assert!(status.is_success(), "{door}: {status} {body}");
                body["run_id"].as_str().expect("a run").to_owned()
            }
        });

        let runs: HashSet<String> = join_all(submits).await.into_iter().collect();

        assert_eq!(runs.len(), 1, "{door}");
        app.log(&conversation).await;
        let path = format!("/conversations/{conversation}/messages");
        let messages = app.get(&path).await;
        assert_eq!(messages.status, StatusCode::OK);
        let items = messages.body["items"].as_array().expect("items");
        assert_eq!(items.len(), 2, "{door}: a question and one answer");
    }
    assert_eq!(model.request_count(), 2, "the model was asked once each");
}

/// Claims that wait in the database for longer than their worker does are made when nobody expects
/// them any more.
#[tokio::test]
async fn claim_that_comes_too_late_is_no_attempt() {
    let db = TestDb::create().await;
    let app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    let (answer, gate) = Scripted::numbered(2).held();
    model.next(answer);
    model.always(Scripted::text("done"));
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    app.ask(&conversation, "first").await;
    model.wait_for_requests(1).await;
    let run = app.ask(&conversation, "second").await;
    let mut superuser = PgConnection::connect(&db.superuser_url())
        .await
        .expect("connect");
    let mut watcher = PgConnection::connect(&db.superuser_url())
        .await
        .expect("connect");

    // Whoever takes runs from the queue waits for this.
    lock_queue(&mut superuser, "pg_advisory_lock").await;
    gate.finish();
    let begun = Instant::now();
    while waiting_claims(&mut watcher).await < 2 {
        assert!(begun.elapsed() < Duration::from_secs(30), "no claim waits");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    lock_queue(&mut superuser, "pg_advisory_unlock").await;
    let log = app.log(&conversation).await;
    let run = app.get(&format!("/runs/{run}")).await.body;

    check_gapless(&log).expect("no gap");
    let adopted = log.iter().filter(|event| event.event == "run_adopted");
    assert_eq!(adopted.count(), 1, "the first claim came too late");
    assert_eq!(run["status"], "completed", "{run}");
    assert_eq!(run["attempt"], 1, "{run}");
}

async fn lock_queue(db: &mut PgConnection, function: &str) {
    let sql = format!("select {function}(hashtext('agentarea run queue'))");
    let done = sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(db).await;
    done.expect("lock or unlock the queue");
}

/// How many connections wait for the lock of the queue.
async fn waiting_claims(db: &mut PgConnection) -> i64 {
    let sql = "select count(*) from pg_stat_activity
        where wait_event_type = 'Lock' and wait_event = 'advisory'
          and datname = current_database()";
    let count = sqlx::query_scalar(sql).fetch_one(db);
    count.await.expect("a count")
}

async fn count(db: &mut PgConnection, condition: &str) -> i64 {
    let sql = format!("select count(*) from runs where {condition}");
    sqlx::query_scalar(sqlx::AssertSqlSafe(sql))
        .fetch_one(db)
        .await
        .expect("a count")
}
