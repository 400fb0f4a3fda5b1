//! Crashes in the middle of an answer: everybody ends with the same text.

use std::collections::HashSet;
use std::fs::File;
use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;
use testkit::scripted_model::Answer as Scripted;
use testkit::tool_server::{Era, Mood};
use testkit::{
    EventStream, ScriptedModel, SseEvent, TestDb, ToolServer, check_gapless, inputs, texts,
};

use crate::faults::rounds;
use crate::mcp_servers::remote;
use crate::support::{Program, TestApp};
use crate::tools::{agent_with, of_type, types};

/// Chunks of the answer that is interrupted.
const CHUNKS: usize = 400;

/// How soon nearly every client sees more of its answer than before the crash.
const RESUMED_WITHIN: Duration = Duration::from_secs(3);

/// F1: `kill -9` at seeded offsets of a 400-chunk answer.
#[tokio::test]
async fn killed_server_ends_every_answer_exactly_once() {
    let mut app = TestApp::start_embedded().await;
    let model = ScriptedModel::start().await;
    let answer = Scripted::numbered(CHUNKS).paced(Duration::from_millis(1));
    model.always(answer.clone());
    let agent = app.create_agent(&model).await;
    let expected = answer.full_text();
    let crashes = rounds(20, 500);
    let mut adopted = 0;
    let mut resumed_after = Vec::new();

    for seed in 0..crashes as u64 {
        // Spread over the answer by a multiplicative hash of the seed.
        let offset = (seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32) as usize % (CHUNKS - 20) + 1;
        let conversation = app.create_conversation(&agent).await;
        let mut stream = app.events(&conversation, "").await;
        // However late the crash comes, it comes before the end.
        model.next(answer.clone().stall_after(CHUNKS - 1));
        app.ask(&conversation, "count").await;
        let before = stream
            .collect_until_live(Scripted::numbered(offset + 1).full_text().len())
            .await
            .expect("text before the crash");

        app.program().kill();
        let killed = Instant::now();
        app.program().start().await;

        let last = before
            .iter()
            .filter_map(|event| event.id)
            .max()
            .expect("logged events");
        let url = app.url(&format!(
            "/api/v1/conversations/{conversation}/events?until=idle"
        ));
        let mut resumed = EventStream::resume(&url, &app.key, last)
            .await
            .expect("a stream");
        let after = resumed
            .collect_until(|event| event.event == "run_adopted")
            .await
            .expect("the run is adopted");
        assert!(
            killed.elapsed() < Duration::from_secs(15),
            "adopted too late, seed {seed}"
        );
        adopted += 1;
        resumed_after.push(killed.elapsed());
        let rest = resumed.collect_all().await.expect("the rest");
        let log: Vec<SseEvent> = before
            .into_iter()
            .chain(after)
            .chain(rest)
            .filter(|event| event.id.is_some())
            .collect();

        check_gapless(&log).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        let answers = texts(&log).unwrap_or_else(|error| panic!("seed {seed}: {error}"));
        assert!(
            answers.values().any(|text| *text == expected),
            "seed {seed}: {answers:?}"
        );
        let messages = app
            .get(&format!("/conversations/{conversation}/messages"))
            .await
            .body;
        let items = messages["items"].as_array().expect("items");
        assert_eq!(items.len(), 2, "seed {seed}: a question and one answer");
        assert_eq!(items[0]["text"], expected.as_str(), "seed {seed}");
        let ids: HashSet<_> = log
            .iter()
            .map(|event| event.data["id"].to_string())
            .collect();
        assert_eq!(ids.len(), log.len(), "seed {seed}: an event came twice");
    }

    resumed_after.sort();
    let p95 = resumed_after[(crashes - 1) * 95 / 100];
    println!("{crashes} crashes, resumed within {p95:?} (p95)");
    assert_eq!(
        adopted, crashes,
        "every crash landed in the middle of a run"
    );
    assert!(p95 <= RESUMED_WITHIN, "{p95:?}");
}

#[tokio::test]
async fn server_starts_although_its_folder_is_held_longer_than_the_dead_one_lived() {
    let mut app = TestApp::start_embedded().await;
    app.program().kill();
    let lock = File::open(app.data_dir().join("serve.lock")).expect("the lock of the dead server");
    lock.lock().expect("held");
    let holding = std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        drop(lock);
    });

    app.program().start().await;

    assert!(
        holding.is_finished(),
        "it started while its folder was held"
    );
}

#[tokio::test]
async fn run_of_a_dead_server_is_adopted_by_another_within_15_s() {
    let db = TestDb::create().await;
    let mut dying = TestApp::on(Program::new(Some(db.url()))).await;
    let mut other = Program::new(Some(db.url()));
    let keys = dying.program().data_dir.path().join("master.key");
    std::fs::copy(keys, other.data_dir.path().join("master.key")).expect("share the key");
    let model = ScriptedModel::start().await;
    let agent = dying.create_agent(&model).await;
    let conversation = dying.create_conversation(&agent).await;
    let (answer, gate) = Scripted::numbered(10).held();
    model.next(answer);
    model.always(Scripted::numbered(10));
    other.start().await;
    dying.ask(&conversation, "count").await;
    model.wait_for_requests(1).await;

    dying.program().kill();
    let killed = Instant::now();
    let url = other.url(&format!(
        "/api/v1/conversations/{conversation}/events?until=idle"
    ));
    let mut stream = EventStream::open(&url, &dying.key).await.expect("a stream");
    let log = stream.collect_all().await.expect("the whole log");
    drop(gate);

    assert!(
        killed.elapsed() < Duration::from_secs(15),
        "{:?}",
        killed.elapsed()
    );
    let log: Vec<_> = log.into_iter().filter(|event| event.id.is_some()).collect();
    check_gapless(&log).expect("no gap");
    assert!(log.iter().any(|event| event.event == "run_adopted"));
    assert!(
        texts(&log)
            .expect("exact")
            .values()
            .any(|text| text.ends_with("9 "))
    );
}

#[tokio::test]
async fn stopped_server_hands_its_run_to_the_next() {
    let mut app = TestApp::start_embedded().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let (answer, gate) = Scripted::numbered(10).held();
    model.next(answer);
    model.always(Scripted::numbered(10));
    app.ask(&conversation, "count").await;
    gate.release(5);
    model.wait_for_requests(1).await;

    let ended_well = app.program().stop();
    app.program().start().await;
    let log = app.log(&conversation).await;

    assert!(ended_well);
    assert!(
        texts(&log)
            .expect("exact")
            .values()
            .any(|text| text.ends_with("9 "))
    );
}

/// More often than a run may be interrupted by crashes.
#[tokio::test]
async fn run_that_is_handed_over_again_and_again_is_at_its_first_attempt() {
    let db = TestDb::create().await;
    let mut app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    model.always(Scripted::silent());
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let run = app.ask(&conversation, "count").await;
    for starts in 1..=6 {
        model.wait_for_requests(starts).await;
        assert!(app.program().stop());
        app.program().start().await;
    }
    model.wait_for_requests(7).await;

    let handed_over = app.get(&format!("/runs/{run}")).await.body;
    app.program().kill();
    model.always(Scripted::text("At last."));
    app.program().start().await;
    app.log(&conversation).await;
    let run = app.get(&format!("/runs/{run}")).await.body;

    assert_eq!(handed_over["status"], "running");
    assert_eq!(handed_over["attempt"], 1);
    assert_eq!(run["status"], "completed", "{run}");
    assert_eq!(run["attempt"], 2, "a crash counts");
}

#[tokio::test]
async fn message_posted_before_a_crash_is_not_posted_again() {
    let mut app = TestApp::start_embedded().await;
    let model = ScriptedModel::start().await;
    model.always(Scripted::text("done"));
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let path = format!("/conversations/{conversation}/messages");
    let key = [("idempotency-key", "retry")];
    let input = || Some(inputs::message("once"));

    let first = app.send(reqwest::Method::POST, &path, input(), &key).await;
    app.program().kill();
    app.program().start().await;
    let second = app.send(reqwest::Method::POST, &path, input(), &key).await;
    app.log(&conversation).await;

    assert_eq!(second.status, StatusCode::ACCEPTED);
    assert_eq!(first.body, second.body);
    let messages = app.get(&path).await.body;
    assert_eq!(messages["items"].as_array().expect("items").len(), 2);
}

/// What becomes of a call that a crash interrupted and that is not safe to repeat.
#[tokio::test]
async fn unsafe_call_of_a_dead_server_is_made_again_only_if_a_person_says_so() {
    for (decision, calls, told) in [
        ("reject", 1, "nobody knows whether it took effect"),
        ("approve", 2, "counted"),
    ] {
        let db = TestDb::create().await;
        let mut app = TestApp::on(Program::new(Some(db.url()))).await;
        let model = ScriptedModel::start().await;
        let tools = ToolServer::start(Era::Modern).await;
        let input = remote("one", &tools.url());
        let server = app.post("/mcp-servers", input).await.created();
        let used = json!([{"server_id": server, "name": "count", "approval": "never"}]);
        let agent = agent_with(&app, &model, used).await;
        let conversation = app.create_conversation(&agent).await;
        model.next(Scripted::tool_calls(&[("call_a", "one__count", "{}")]));
        model.next(Scripted::text("As you wish."));
        tools.set_mood(Mood::Silent);
        app.ask(&conversation, "count").await;
        tools
            .until("a call", |tools| tools.count("tools/call") == 1)
            .await;

        app.program().kill();
        tools.set_mood(Mood::Kind);
        app.program().start().await;
        let mut stream = app.events(&conversation, "").await;
        let events = stream
            .collect_until(|event| event.event == "approval_requested")
            .await
            .expect("a question");
        let asked = &events.last().expect("the question").data["data"];
        let before = tools.count("tools/call");
        let id = asked["approval_id"].as_str().expect("an id");
        let path = format!("/approvals/{id}/decision");
        let decided = app.post(&path, json!({ "decision": decision })).await;
        let log = app.log(&conversation).await;

        assert_eq!(asked["reason"], "unknown_outcome");
        assert_eq!(before, 1, "{decision}: nobody had been asked yet");
        assert_eq!(decided.status, StatusCode::OK, "{}", decided.body);
        check_gapless(&log).expect("no gap");
        assert_eq!(types(&log).last(), Some(&"run_completed"), "{decision}");
        assert_eq!(tools.count("tools/call"), calls, "{decision}");
        let completed = of_type(&log, "tool_call_completed");
        assert_eq!(completed.len(), 1, "{decision}");
        let result = completed[0]["result"].as_str().expect("a result");
        assert!(result.contains(told), "{decision}: {result}");
    }
}
