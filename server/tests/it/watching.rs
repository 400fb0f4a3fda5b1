//! Watching a conversation: what it costs, and where it begins.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use futures::future::join_all;
use sqlx::{Connection, PgConnection};
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, TestDb, check_gapless, check_gapless_after};

use crate::support::{Program, TestApp};

/// How often an idle stream says that it is there, and what may be added to that.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);
const SLACK: Duration = Duration::from_secs(5);

/// Has a question answered before so many watchers; gives the conversation.
async fn answer_with(app: &TestApp, model: &ScriptedModel, agent: &str, watchers: usize) -> String {
    let conversation = app.create_conversation(agent).await;
    let (answer, gate) = Scripted::numbered(50).held();
    model.next(answer);
    let opened = (0..watchers).map(|_| app.events(&conversation, ""));
    let streams = join_all(opened).await;
    app.ask(&conversation, "count").await;
    gate.finish();
    let watched = streams.into_iter().map(async |mut stream| {
        let end = stream.collect_until(|event| event.event == "run_completed");
        end.await.expect("the whole answer");
    });
    join_all(watched).await;
    conversation
}

#[tokio::test]
async fn answer_is_written_as_often_for_fifty_watchers_as_for_one() {
    let db = TestDb::create().await;
    let app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let mut superuser = PgConnection::connect(&db.superuser_url())
        .await
        .expect("connect");
    let mut written = Vec::new();

    for watchers in [1, 50] {
        let conversation = answer_with(&app, &model, &agent, watchers).await;
        let events: i64 =
            sqlx::query_scalar("select count(*) from events where conversation_id = $1::uuid")
                .bind(&conversation)
                .fetch_one(&mut superuser)
                .await
                .expect("a count");
        written.push(events);
    }

    // Text is written every half second, and a slow machine takes longer for the same text. A write per
    // watcher would be 50 more.
    assert!(written[1] <= written[0] + 10, "events written: {written:?}");
}

#[tokio::test]
async fn watcher_beyond_the_end_waits_until_the_log_has_come_so_far() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    model.always(Scripted::text("fine"));
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    app.ask(&conversation, "first").await;
    let last = app
        .log(&conversation)
        .await
        .last()
        .and_then(|event| event.id);
    let beyond = last.expect("events") + 2;

    let path = format!("/conversations/{conversation}/events?after={beyond}");
    let json = [("accept", "application/json")];
    let page = app.send(reqwest::Method::GET, &path, None, &json).await;
    let mut stream = app.events(&conversation, &format!("?after={beyond}")).await;
    app.ask(&conversation, "second").await;
    let came = stream
        .collect_until(|event| event.event == "run_completed")
        .await
        .expect("the rest of the log");

    assert_eq!(page.body["items"], serde_json::json!([]), "{}", page.body);
    let logged: Vec<u64> = came.iter().filter_map(|event| event.id).collect();
    assert_eq!(logged.first(), Some(&(beyond + 1)), "{came:?}");
    check_gapless_after(&came, beyond).expect("no gap");
}

#[tokio::test]
async fn idle_stream_says_every_15_s_that_it_is_there() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    model.always(Scripted::text("fine"));
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    app.ask(&conversation, "hello").await;
    let mut stream = app.events(&conversation, "").await;
    stream
        .collect_until(|event| event.event == "run_completed")
        .await
        .expect("the answer");

    for _ in 0..2 {
        let quiet = Instant::now();
        stream.next_comment().await.expect("a comment");

        let after = quiet.elapsed();
        assert!(after <= SIGN_OF_LIFE + SLACK, "{after:?}");
        assert!(after >= SIGN_OF_LIFE - SLACK, "{after:?}");
    }
}

/// A watcher may be so slow that an answer goes by while the beginning of the log is on its way.
#[tokio::test]
async fn early_text_of_an_answer_never_follows_its_end() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    // More than the buffers on the way can take.
    for _ in 0..12 {
        model.next(Scripted::text(&"x".repeat(1024 * 1024)));
        app.ask(&conversation, "much").await;
        app.log(&conversation).await;
    }
    let mut slow = app.events(&conversation, "").await;
    let mut quick = app.events(&conversation, "").await;
    let (answer, gate) = Scripted::numbered(10).held();
    model.next(answer);
    app.ask(&conversation, "count").await;
    gate.release(5);
    let early = quick
        .collect_until(|event| event.event == "text_live")
        .await;
    early.expect("early text");
    gate.finish();
    app.log(&conversation).await;
    model.next(Scripted::text("the end"));
    let last = app.ask(&conversation, "once more").await;
    app.log(&conversation).await;

    let came = slow
        .collect_until(|event| event.event == "run_completed" && event.data["run_id"] == *last)
        .await
        .expect("everything");

    check_gapless(&came).expect("no gap");
    let mut whole = HashSet::new();
    for event in &came {
        match event.event.as_str() {
            "message_completed" => {
                whole.insert(event.data["data"]["message_id"].clone());
            }
            "text_live" => assert!(!whole.contains(&event.data["message_id"]), "{event:?}"),
            _ => {}
        }
    }
    assert_eq!(whole.len(), 14);
}
