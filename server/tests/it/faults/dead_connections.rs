//! Connections to the database that die without a word.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use testkit::scripted_model::Answer as Scripted;
use testkit::{Proxy, ScriptedModel, TestDb, check_gapless, texts};

use crate::support::{Program, TestApp};

/// Longer than a lease, and than the longest wait for a dead connection.
const WATCHED: Duration = Duration::from_secs(16);

// The proxy must go on while the test waits for a command.
#[tokio::test(flavor = "multi_thread")]
async fn worker_with_dead_connections_keeps_its_runs_and_takes_new_ones() {
    let db = TestDb::create().await;
    let proxy = Proxy::to_database(&db).await;
    let app = TestApp::on(Program::new(Some(db.url_through(&proxy)))).await;
    let mut api = Program::new(Some(db.url()));
    api.set("AGENTAREA_ROLES", "api");
    let api = app.beside(api).await;
    let model = ScriptedModel::start().await;
    let agent = api.create_agent(&model).await;
    let first = api.create_conversation(&agent).await;
    let second = api.create_conversation(&agent).await;
    let (answer, gate) = Scripted::numbered(10).held();
    model.next(answer);
    model.next(Scripted::text("done"));
    let run = app.ask(&first, "count").await;
    gate.release(3);
    model.wait_for_requests(1).await;
    let mut superuser = PgConnection::connect(&db.superuser_url())
        .await
        .expect("connect");

    let frozen = proxy.freeze();
    let begun = Instant::now();
    api.ask(&second, "hello").await;
    while begun.elapsed() < WATCHED {
        let held: bool =
            sqlx::query_scalar("select lease_expires_at > now() from runs where id = $1::uuid")
                .bind(&run)
                .fetch_one(&mut superuser)
                .await
                .expect("the lease");
        assert!(held, "the lease ran out after {:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    gate.finish();
    let first = api.log(&first).await;
    let second = api.log(&second).await;

    assert!(frozen > 0, "no connection died");
    check_gapless(&first).expect("no gap");
    let answers = texts(&first).expect("exact");
    let expected = Scripted::numbered(10).full_text();
    assert!(
        answers.values().any(|text| *text == expected),
        "{answers:?}"
    );
    let is_adopted = |event: &testkit::SseEvent| event.event == "run_adopted";
    assert!(!first.iter().any(is_adopted));
    assert_eq!(second.last().expect("events").event, "run_completed");
}
