//! The database did what was asked, and its answer got lost.

use std::time::{Duration, Instant};

use sqlx::{Connection, PgConnection};
use testkit::scripted_model::Answer as Scripted;
use testkit::{Proxy, ScriptedModel, TestDb, texts};
use uuid::Uuid;

use crate::support::{HeldTable, Program, TestApp};

/// Longest wait for something that should happen.
const PATIENCE: Duration = Duration::from_secs(30);

#[tokio::test(flavor = "multi_thread")]
async fn run_whose_end_is_written_counts_although_the_answer_got_lost() {
    let db = TestDb::create().await;
    let proxy = Proxy::to_database(&db).await;
    let mut program = Program::new(Some(db.url_through(&proxy)));
    let journal = program.data_dir.path().join("server.log");
    program.set("RUST_LOG", "info");
    program.log_to(journal.clone());
    let app = TestApp::on(program).await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let mut direct = PgConnection::connect(&db.superuser_url())
        .await
        .expect("a connection");
    let (answer, gate) = Scripted::text("all is well").held();
    model.next(answer);
    let run = app.ask(&conversation, "How is the harbour?").await;
    gate.release(1);
    let mut stream = app.events(&conversation, "").await;
    let text = stream.collect_until(|event| event.event == "text_delta");
    text.await.expect("the run has begun");

    // Written by the end of a run, and by nothing before.
    let mut used = HeldTable::hold(&db, "usage_entries").await;
    gate.finish();
    used.is_awaited().await;
    assert!(proxy.freeze() > 0, "nothing gets lost");
    used.release().await;
    wait_until_completed(&mut direct, &run).await;
    proxy.cut();

    let end = stream.collect_until(|event| event.event == "run_completed");
    end.await.expect("the end is shown");
    let counted = "agentarea_runs_total{status=\"completed\"} 1";
    let begun = Instant::now();
    loop {
        let metrics = app.client.get(app.url("/metrics")).send().await;
        let metrics = metrics.expect("an answer").text().await.expect("text");
        if metrics.contains(counted) {
            break;
        }
        assert!(
            begun.elapsed() < PATIENCE,
            "the end is not counted:\n{metrics}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let log = app.log(&conversation).await;
    let texts = texts(&log).expect("exact");
    assert!(
        texts.values().any(|text| text == "all is well"),
        "{texts:?}"
    );
    let ends = log.iter().filter(|event| event.event == "run_completed");
    assert_eq!(ends.count(), 1);
    let journal = std::fs::read_to_string(&journal).expect("its log");
    assert!(journal.contains("though its answer got lost"), "{journal}");
}

async fn wait_until_completed(db: &mut PgConnection, run: &str) {
    let run: Uuid = run.parse().expect("an id");
    let begun = Instant::now();
    loop {
        let status: String = sqlx::query_scalar("select status from runs where id = $1")
            .bind(run)
            .fetch_one(&mut *db)
            .await
            .expect("the run");
        if status == "completed" {
            return;
        }
        assert!(begun.elapsed() < PATIENCE, "the run is {status}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
