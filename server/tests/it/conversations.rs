//! Conversations: streams, resuming, queueing, stopping.

use reqwest::StatusCode;
use serde_json::json;
use testkit::scripted_model::Answer as Scripted;
use testkit::{EventStream, ScriptedModel, check_gapless, check_gapless_after, inputs, texts};

use crate::support::{Answer, TestApp};

#[tokio::test]
async fn answer_streams_early_and_is_logged_exactly() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let (answer, gate) = Scripted::numbered(5).held();
    model.next(answer);
    let mut stream = app.events(&conversation, "?until=idle").await;

    // `until=idle` ends an idle stream; this one is opened before the run and so ends at once.
    assert!(stream.next().await.expect("a stream").is_none());
    let mut stream = app.events(&conversation, "").await;
    let run = app.ask(&conversation, "count").await;
    gate.release(2);
    let early = stream
        .collect_until(|event| event.event == "text_live")
        .await
        .expect("live text");
    gate.finish();
    let rest = stream
        .collect_until(|event| event.event == "run_completed")
        .await
        .expect("the end");

    assert!(early.iter().any(|event| event.event == "run_started"));
    let mut log = early;
    log.extend(rest);
    log.retain(|event| event.id.is_some());
    check_gapless(&log).expect("no gap");
    let kinds: Vec<&str> = log.iter().map(|event| event.event.as_str()).collect();
    assert_eq!(
        kinds[..4],
        [
            "message_created",
            "run_queued",
            "run_started",
            "message_created"
        ]
    );
    assert!(
        texts(&log)
            .expect("exact")
            .values()
            .any(|text| text == "0 1 2 3 4 ")
    );
    let run = app.get(&format!("/runs/{run}")).await.body;
    assert_eq!(run["status"], "completed");
    assert_eq!(run["steps"][0]["target"], "scripted-large");
}

#[tokio::test]
async fn model_is_shown_the_whole_conversation() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    model.next(Scripted::text("Paris."));

    app.ask(&conversation, "Capital of France?").await;
    app.log(&conversation).await;
    app.ask(&conversation, "And of Italy?").await;
    app.log(&conversation).await;

    let messages = &model.requests()[1]["messages"];
    assert_eq!(
        *messages,
        json!([
            {"role": "system", "content": "Answer briefly."},
            {"role": "user", "content": "Capital of France?"},
            {"role": "assistant", "content": "Paris."},
            {"role": "user", "content": "And of Italy?"},
        ])
    );
}

#[tokio::test]
async fn every_way_to_resume_gives_the_same_log() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    model.next(Scripted::text("né漢🌍 ends"));
    app.ask(&conversation, "hello").await;
    let whole = app.log(&conversation).await;
    let events = format!("/conversations/{conversation}/events");

    let after = app
        .events(&conversation, "?after=3&until=idle")
        .await
        .collect_all()
        .await;
    let url = app.url(&format!("/api/v1{events}?after=1&until=idle"));
    let last_id = EventStream::resume(&url, &app.key, 3)
        .await
        .expect("a stream")
        .collect_all()
        .await;
    let json = [("accept", "application/json")];
    let page = app
        .send(
            reqwest::Method::GET,
            &format!("{events}?after=3&limit=2"),
            None,
            &json,
        )
        .await;

    let after = after.expect("the rest");
    check_gapless_after(&after, 3).expect("no gap");
    assert_eq!(after.len(), whole.len() - 3);
    assert_eq!(last_id.expect("the rest").len(), after.len());
    assert_eq!(page.body["items"][0], whole[3].data);
    assert_eq!(page.body["next"], "5");
}

#[tokio::test]
async fn positions_that_are_no_numbers_are_refused() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let events = format!("/conversations/{conversation}/events");

    let after = app.get(&format!("{events}?after=x")).await.status;
    let header = app
        .send(
            reqwest::Method::GET,
            &events,
            None,
            &[("last-event-id", "-1")],
        )
        .await
        .status;
    let nowhere = app
        .get(&format!("/conversations/{}/events", uuid::Uuid::nil()))
        .await
        .status;

    assert_eq!(after, StatusCode::BAD_REQUEST);
    assert_eq!(header, StatusCode::BAD_REQUEST);
    assert_eq!(nowhere, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn two_watchers_and_the_database_agree() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let (answer, gate) = Scripted::numbered(200).held();
    model.next(answer);
    app.ask(&conversation, "count").await;
    gate.release(100);
    let mut first = app.events(&conversation, "?until=idle").await;
    let mut second = app.events(&conversation, "?after=3&until=idle").await;

    gate.finish();
    let (first, second) = tokio::join!(first.collect_all(), second.collect_all());

    let first = texts(&logged(first.expect("a log"))).expect("exact");
    let second = texts(&logged(second.expect("a log"))).expect("exact");
    let messages = app
        .get(&format!("/conversations/{conversation}/messages"))
        .await
        .body;
    let stored = messages["items"][0]["text"].as_str().expect("text");
    assert!(stored.ends_with("199 "));
    assert!(first.values().any(|text| text == stored));
    assert!(second.values().any(|text| text == stored));
}

#[tokio::test]
async fn message_during_a_run_waits_for_its_turn() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let (answer, gate) = Scripted::text("first answer").held();
    model.next(answer);

    app.ask(&conversation, "one").await;
    model.wait_for_requests(1).await;
    let second = app.ask(&conversation, "two").await;
    let waiting = app.get(&format!("/runs/{second}")).await.body;
    gate.finish();
    let log = app.log(&conversation).await;

    assert_eq!(waiting["status"], "queued");
    check_gapless(&log).expect("no gap");
    let ends = log
        .iter()
        .filter(|event| event.event == "run_completed")
        .count();
    assert_eq!(ends, 2);
    let asked = &model.requests()[1]["messages"];
    assert_eq!(asked[2]["content"], "first answer");
    assert_eq!(asked[3]["content"], "two");
}

#[tokio::test]
async fn stopped_run_keeps_what_was_said_and_hangs_up() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let (answer, gate) = Scripted::numbered(50).held();
    model.next(answer);
    let mut stream = app.events(&conversation, "").await;
    let run = app.ask(&conversation, "count").await;
    gate.release(3);
    stream
        .collect_until_live(Scripted::numbered(3).full_text().len())
        .await
        .expect("three words");

    let stopped = app
        .post(&format!("/runs/{run}/cancellation"), json!({}))
        .await
        .status;
    let log = app.log(&conversation).await;
    let again = app
        .post(&format!("/runs/{run}/cancellation"), json!({}))
        .await
        .status;

    model.wait_for_open_streams(0).await;
    assert_eq!(stopped, StatusCode::ACCEPTED);
    assert_eq!(again, StatusCode::CONFLICT);
    assert_eq!(log.last().expect("events").event, "run_cancelled");
    assert!(
        texts(&log)
            .expect("exact")
            .values()
            .any(|text| text == "0 1 2 ")
    );
}

#[tokio::test]
async fn same_message_posted_twice_with_a_key_runs_once() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let path = format!("/conversations/{conversation}/messages");
    let key = [("idempotency-key", "double-click")];
    let post = || {
        app.send(
            reqwest::Method::POST,
            &path,
            Some(inputs::message("once")),
            &key,
        )
    };

    let (first, second): (Answer, Answer) = tokio::join!(post(), post());
    app.log(&conversation).await;

    assert_eq!(first.status, StatusCode::ACCEPTED);
    assert_eq!(first.body, second.body);
    assert_eq!(model.request_count(), 1);
}

fn logged(events: Vec<testkit::SseEvent>) -> Vec<testkit::SseEvent> {
    let mut log: Vec<_> = events
        .into_iter()
        .filter(|event| event.id.is_some())
        .collect();
    // A stream that began later lacks the beginning, which `texts` does not need.
    log.retain(|event| event.event != "run_queued");
    log
}
