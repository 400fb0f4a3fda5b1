//! A lease that is renewed while its run ends: the end is shown all the same.

use std::time::{Duration, Instant};

use futures::future::join_all;
use testkit::scripted_model::Answer as Scripted;
use testkit::{Proxy, ScriptedModel, TestDb};

use crate::support::{Program, TestApp, eventually};

/// Runs that end one after the other within one interval of renewals, so that each renewal comes
/// while some of them end.
const RUNS: usize = 24;
const INTERVAL: Duration = Duration::from_secs(3);
/// Races that must have happened, and the longest time to wait for them.
const RACES: usize = 3;
const PATIENCE: Duration = Duration::from_secs(120);

/// With a slow database a renewal waits for the row that the run's end has locked. Both get their
/// answers at the same time, each on its own connection, and the renewal's may come first: then
/// the worker hears that it does not hold the run before it knows that the run has ended.
#[tokio::test(flavor = "multi_thread")]
async fn run_whose_end_overlaps_a_renewal_is_shown_to_its_end() {
    let db = TestDb::create().await;
    let proxy = Proxy::to_database(&db).await;
    let mut program = Program::new(Some(db.url_through(&proxy)));
    let journal = program.data_dir.path().join("server.log");
    program.set("RUST_LOG", "info");
    // Enough for all of them to end at once: a renewal that waits for a connection comes too late.
    program.set("AGENTAREA_LIMITS__DATABASE_CONNECTIONS", "40");
    program.log_to(journal.clone());
    let app = TestApp::on(program).await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let mut conversations = Vec::new();
    for _ in 0..RUNS {
        conversations.push(app.create_conversation(&agent).await);
    }
    let begun = Instant::now();
    let races = || {
        let text = std::fs::read_to_string(&journal).expect("its log");
        text.matches("lease is no longer held").count()
    };

    let mut rounds = 0;
    while races() < RACES {
        assert!(begun.elapsed() < PATIENCE, "only {} races", races());
        let gates: Vec<_> = (0..RUNS)
            .map(|_| {
                let (answer, gate) = Scripted::numbered(3).held();
                model.next(answer);
                gate
            })
            .collect();
        let asked = conversations.iter().map(|conversation| async {
            let mut stream = app.events(conversation, "").await;
            app.ask(conversation, "count").await;
            for _ in 0..=rounds {
                let started = stream.collect_until(|event| event.event == "run_started");
                started.await.expect("the run starts");
            }
            stream
        });
        let streams = join_all(asked).await;
        proxy.delay(Duration::from_millis(100));
        proxy.delay_replies(Duration::from_millis(400));
        let mut spread = tokio::time::interval(INTERVAL / RUNS as u32);
        for gate in gates {
            spread.tick().await;
            gate.finish();
        }
        let ends = streams.into_iter().map(|mut stream| async move {
            let ended = stream.collect_until(|event| event.event == "run_completed");
            tokio::time::timeout(PATIENCE, ended).await.is_ok()
        });
        let has_ended = join_all(ends).await;
        proxy.delay(Duration::ZERO);
        proxy.delay_replies(Duration::ZERO);
        rounds += 1;

        assert!(
            has_ended.iter().all(|has_ended| *has_ended),
            "{has_ended:?}"
        );
        // What comes after the commit was done for every run: counting its end and showing it.
        let completed = format!(
            "agentarea_runs_total{{status=\"completed\"}} {}",
            rounds * RUNS
        );
        let is_counted = eventually(async || {
            let metrics = app.client.get(app.url("/metrics")).send().await;
            let metrics = metrics.expect("an answer").text().await.expect("text");
            metrics.contains(&completed)
        });
        assert!(is_counted.await, "{completed} is not told");
    }
    println!(
        "{} races in {rounds} rounds, {:?}",
        races(),
        begun.elapsed()
    );
}
