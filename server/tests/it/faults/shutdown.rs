//! A server that is told to stop lets everybody go on elsewhere.

use std::time::{Duration, Instant};

use futures::future::join_all;
use testkit::scripted_model::Answer as Scripted;
use testkit::{CrashableDb, EventStream, ScriptedModel, check_gapless, inputs, signal, texts};

use super::rounds;
use crate::support::{Program, TestApp, client};

/// Conversations with a run under way, and clients that watch each.
const CONVERSATIONS: usize = 5;
const WATCHERS: usize = 10;
/// Chunks of each answer, and time between them.
const CHUNKS: usize = 300;
const PACE: Duration = Duration::from_millis(20);

/// Longest time that a server takes to end.
const ENDS_WITHIN: Duration = Duration::from_secs(30);

/// A client of one conversation, with what it has seen.
struct Watcher {
    conversation: String,
    stream: EventStream,
    seen: Vec<testkit::SseEvent>,
}

/// F2: SIGTERM with 50 open streams.
#[tokio::test]
async fn stopped_server_tells_every_stream_to_come_back_and_nothing_is_lost() {
    let mut app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let answer = Scripted::numbered(CHUNKS).paced(PACE);
    model.always(answer.clone());
    let expected = answer.full_text();
    let agent = app.create_agent(&model).await;

    for round in 0..rounds(3, 50) {
        let mut watchers = Vec::new();
        for _ in 0..CONVERSATIONS {
            let conversation = app.create_conversation(&agent).await;
            // However late the stop comes, it comes before the end.
            model.next(answer.clone().stall_after(CHUNKS - 1));
            app.ask(&conversation, "count").await;
            for _ in 0..WATCHERS {
                watchers.push(Watcher {
                    stream: app.events(&conversation, "").await,
                    conversation: conversation.clone(),
                    seen: Vec::new(),
                });
            }
        }
        // In the middle of every answer.
        join_all(watchers.iter_mut().map(|watcher| async {
            let until = watcher
                .stream
                .collect_until(|event| event.event == "text_delta");
            watcher.seen = until.await.expect("some text");
        }))
        .await;
        assert_eq!(
            model.open_streams(),
            CONVERSATIONS,
            "every run is under way"
        );

        signal("TERM", app.program().id());
        let told = Instant::now();
        let ends = watchers.iter_mut().map(|watcher| async {
            let rest = watcher.stream.collect_all().await;
            watcher.seen.extend(rest.expect("the stream ends well"));
            watcher.stream.retry()
        });
        let pauses = join_all(ends).await;
        assert!(app.program().stop(), "the server ends well");
        let took = told.elapsed();
        println!("round {round}: ended after {took:?}");

        assert!(took < ENDS_WITHIN, "{took:?}");
        assert_eq!(pauses.len(), CONVERSATIONS * WATCHERS);
        for pause in pauses {
            let pause = pause.expect("every stream is told when to come back");
            assert!(pause <= Duration::from_secs(5), "{pause:?}");
        }
        app.program().start().await;
        let app = &app;
        let resumed = watchers.into_iter().map(|watcher| resume(app, watcher));
        for log in join_all(resumed).await {
            check_gapless(&log).unwrap_or_else(|error| panic!("round {round}: {error}"));
            let answers = texts(&log).unwrap_or_else(|error| panic!("round {round}: {error}"));
            let is_whole = answers.values().any(|text| *text == expected);
            assert!(is_whole, "round {round}: {answers:?}");
            let ends = log.iter().filter(|event| event.event == "run_completed");
            assert_eq!(ends.count(), 1, "round {round}");
            assert!(
                log.iter().any(|event| event.event == "run_adopted"),
                "round {round}: the stop came after the answer"
            );
        }
    }
}

/// What a client has seen of the log once its conversation is idle.
async fn resume(app: &TestApp, mut watcher: Watcher) -> Vec<testkit::SseEvent> {
    let last = watcher.seen.iter().filter_map(|event| event.id).max();
    let url = app.url(&format!(
        "/api/v1/conversations/{}/events?until=idle",
        watcher.conversation
    ));
    let stream = EventStream::resume(&url, &app.key, last.expect("logged events")).await;
    let rest = stream.expect("a stream").collect_all().await;
    watcher.seen.extend(rest.expect("the rest"));
    watcher.seen.retain(|event| event.id.is_some());
    watcher.seen
}

/// Runs, streams and requests that wait for a database that says nothing keep nobody.
#[tokio::test]
async fn server_that_is_told_to_stop_while_the_database_is_frozen_ends_in_time() {
    let db = CrashableDb::start().await;
    let mut app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    let (answer, gate) = Scripted::numbered(10).held();
    model.next(answer);
    model.always(Scripted::numbered(10));
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    app.ask(&conversation, "count").await;
    gate.release(5);
    let mut stream = app.events(&conversation, "").await;
    let seen = stream.collect_until(|event| event.event == "text_delta");
    seen.await.expect("some text");

    db.pause();
    gate.release(1);
    let path = format!("/api/v1/conversations/{conversation}/messages");
    let waiting = client()
        .post(app.url(&path))
        .bearer_auth(&app.key)
        .json(&inputs::message("are you there?"))
        .send();
    let waiting = tokio::spawn(waiting);
    signal("TERM", app.program().id());
    let told = Instant::now();
    while app.program().is_running() {
        assert!(told.elapsed() < ENDS_WITHIN, "it does not end");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    println!("ended after {:?}", told.elapsed());
    // However that ended.
    let _ = waiting.await.expect("the request is over");
    db.resume();
    gate.finish();
    app.program().start().await;
    let log = app.log(&conversation).await;

    check_gapless(&log).expect("no gap");
    let expected = Scripted::numbered(10).full_text();
    let answers = texts(&log).expect("exact");
    assert!(
        answers.values().any(|text| *text == expected),
        "{answers:?}"
    );
}
