//! Model connections: testing them, their keys, and the built-in model.

use reqwest::StatusCode;
use serde_json::json;
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, inputs};

use crate::support::{TestApp, weights};

#[tokio::test]
async fn key_is_sent_and_never_shown() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;

    app.ask(&conversation, "hello").await;
    app.log(&conversation).await;
    let shown = app.get("/model-connections").await.body.to_string();

    assert_eq!(
        model.seen()[0].header("authorization"),
        Some("Bearer sk-test")
    );
    assert!(!shown.contains("sk-test"), "{shown}");
    assert!(shown.contains("\"has_api_key\":true"));
}

#[tokio::test]
async fn failed_test_says_why() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let good = inputs::model_connection("Good", &model.base_url());
    let good = app.post("/model-connections", good).await.created();
    let gone = inputs::model_connection("Gone", "http://127.0.0.1:9/v1");
    let gone = app.post("/model-connections", gone).await.created();

    let works = app
        .post(&format!("/model-connections/{good}/test"), json!({}))
        .await
        .body;
    let fails = app
        .post(&format!("/model-connections/{gone}/test"), json!({}))
        .await
        .body;

    assert_eq!(works["ok"], true);
    assert_eq!(fails["ok"], false);
    assert_eq!(fails["error"]["kind"], "unreachable");
}

#[tokio::test]
async fn private_network_is_out_of_reach() {
    let app = TestApp::start().await;
    let inward = inputs::model_connection("Inward", "http://169.254.169.254/v1");
    let inward = app.post("/model-connections", inward).await.created();

    let test = app
        .post(&format!("/model-connections/{inward}/test"), json!({}))
        .await
        .body;

    assert_eq!(test["error"]["kind"], "refused_address");
}

#[tokio::test]
async fn connection_in_use_cannot_be_deleted() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    app.create_agent(&model).await;
    let list = app.get("/model-connections").await.body;
    let used = list["items"][0]["id"].as_str().expect("an id").to_owned();

    let answer = app.delete(&format!("/model-connections/{used}")).await;

    assert_eq!(answer.status, StatusCode::CONFLICT);
    assert!(
        answer.body["detail"]
            .as_str()
            .expect("words")
            .contains("Release Scout")
    );
}

#[tokio::test]
async fn failure_of_the_model_is_told_in_words_and_keeps_the_text() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    model.next(Scripted::numbered(10).eof_after(4));

    let run = app.ask(&conversation, "count").await;
    let log = app.log(&conversation).await;

    let run = app.get(&format!("/runs/{run}")).await.body;
    assert_eq!(run["status"], "failed");
    assert_eq!(run["error"]["kind"], "interrupted");
    assert_eq!(run["steps"][0]["status"], "failed");
    let completed = log
        .iter()
        .find(|event| event.event == "message_completed")
        .expect("an end");
    assert_eq!(completed.data["data"]["text"], "0 1 2 3 ");
    assert_eq!(completed.data["data"]["finish_reason"], "error");
}

#[tokio::test]
async fn built_in_model_answers() {
    if weights().is_none() {
        eprintln!("skipped: the built-in model's weights are not installed");
        return;
    }
    let app = TestApp::start().await;
    let list = app.get("/model-connections").await.body;
    let local = list["items"][0]["id"].as_str().expect("an id");
    let mut input = inputs::agent("Local", local, domain::models::LOCAL_MODEL);
    input["model"]["max_output_tokens"] = json!(12);
    let agent = app.post("/agents", input).await.created();
    let conversation = app.create_conversation(&agent).await;

    app.ask(&conversation, "Say hello.").await;
    let log = app.log(&conversation).await;

    let texts = testkit::texts(&log).expect("an exact log");
    assert!(texts.values().any(|text| !text.is_empty()));
    assert_eq!(log.last().expect("events").event, "run_completed");
}
