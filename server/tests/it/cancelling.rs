//! Stopping runs before they begin.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, SseEvent, check_gapless};

use crate::support::{TestApp, eventually};
use crate::tools::agent_with;

async fn status(app: &TestApp, run: &str) -> Value {
    app.get(&format!("/runs/{run}")).await.body["status"].clone()
}

async fn cancel(app: &TestApp, run: &str) -> StatusCode {
    let path = format!("/runs/{run}/cancellation");
    app.post(&path, json!({})).await.status
}

fn events_of<'a>(log: &'a [SseEvent], run: &str) -> Vec<&'a str> {
    let of_run = log.iter().filter(|event| event.data["run_id"] == run);
    of_run.map(|event| event.event.as_str()).collect()
}

/// What an untouched run's log has, start to end.
const UNTOUCHED: [&str; 5] = [
    "message_created",
    "run_queued",
    "message_created",
    "message_completed",
    "run_cancelled",
];

#[tokio::test]
async fn run_queued_behind_a_running_one_ends_at_once() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let (answer, gate) = Scripted::text("first answer").held();
    model.next(answer);
    model.next(Scripted::text("third answer"));
    let first = app.ask(&conversation, "one").await;
    model.wait_for_requests(1).await;
    let second = app.ask(&conversation, "two").await;
    let third = app.ask(&conversation, "three").await;

    let stopped = cancel(&app, &second).await;
    let at_once = [
        status(&app, &first).await,
        status(&app, &second).await,
        status(&app, &third).await,
    ];
    let again = cancel(&app, &second).await;
    gate.finish();
    let log = app.log(&conversation).await;

    assert_eq!(stopped, StatusCode::ACCEPTED);
    assert_eq!(at_once, ["running", "cancelled", "queued"]);
    assert_eq!(again, StatusCode::CONFLICT);
    check_gapless(&log).expect("no gap");
    assert_eq!(events_of(&log, &second), UNTOUCHED);
    // The model was never asked for it, and the next run knows that it was asked; strict servers want
    // the two questions as one message.
    assert_eq!(model.request_count(), 2);
    let asked = model.requests()[1]["messages"].clone();
    let texts: Vec<&Value> = asked
        .as_array()
        .expect("messages")
        .iter()
        .skip(1)
        .map(|message| &message["content"])
        .collect();
    assert_eq!(texts, ["one", "first answer", "two\n\nthree"]);
    let path = format!("/conversations/{conversation}/messages");
    let shown = app.get(&path).await.body;
    let stopped = &shown["items"][2];
    assert_eq!(stopped["run_id"], second.as_str());
    assert_eq!(stopped["finish_reason"], "cancelled");
    assert_eq!(shown["items"][0]["text"], "third answer");
    let audit = app.get("/audit-events").await.body.to_string();
    assert!(audit.contains("run.cancel"), "{audit}");
}

#[tokio::test]
async fn run_queued_behind_a_waiting_one_ends_at_once() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let tools = json!([{"builtin": "calculator", "approval": "always"}]);
    let agent = agent_with(&app, &model, tools).await;
    let conversation = app.create_conversation(&agent).await;
    let call = ("call_1", "calculator", r#"{"expression":"1+1"}"#);
    model.next(Scripted::tool_calls(&[call]));
    let first = app.ask(&conversation, "one").await;
    let waits = eventually(async || status(&app, &first).await == "waiting").await;
    let second = app.ask(&conversation, "two").await;
    let mut watcher = app.events(&conversation, "").await;

    let stopped = cancel(&app, &second).await;
    let seen = watcher
        .collect_until(|event| event.event == "run_cancelled")
        .await
        .expect("the end of the second");
    let at_once = [status(&app, &first).await, status(&app, &second).await];
    let stopped_first = cancel(&app, &first).await;
    let log = app.log(&conversation).await;

    assert!(waits);
    assert_eq!(stopped, StatusCode::ACCEPTED);
    assert_eq!(seen.last().expect("events").data["run_id"], second.as_str());
    assert_eq!(at_once, ["waiting", "cancelled"]);
    assert_eq!(stopped_first, StatusCode::ACCEPTED);
    check_gapless(&log).expect("no gap");
    assert_eq!(events_of(&log, &second), UNTOUCHED);
    assert_eq!(events_of(&log, &first).last(), Some(&"run_cancelled"));
    assert_eq!(model.request_count(), 1);
}
