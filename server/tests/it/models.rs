//! Model connections: testing them, their keys, and the built-in model.

use reqwest::StatusCode;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, inputs, not_tested};

use crate::people::Person;
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
        not_tested("the built-in model: its weights are not installed (scripts/fetch-model.sh)");
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

#[tokio::test]
async fn key_does_not_follow_the_connection_to_another_server() {
    let app = TestApp::start().await;
    let (model, stranger) = (ScriptedModel::start().await, ScriptedModel::start().await);
    let input = inputs::model_connection("One", &model.base_url());
    let id = app.post("/model-connections", input).await.created();
    let path = format!("/model-connections/{id}");
    let elsewhere = json!({"base_url": stranger.base_url()});

    let moved = app.patch(&path, elsewhere).await;
    let same = json!({"base_url": format!("{}/", model.base_url())});
    let same = app.patch(&path, same).await;
    let with_key = json!({"base_url": stranger.base_url(), "api_key": "sk-other"});
    let with_key = app.patch(&path, with_key).await;
    app.post(&format!("{path}/test"), json!({})).await;

    assert_eq!(moved.wrong_fields(), ["api_key"]);
    assert_eq!(same.status, StatusCode::OK, "{}", same.body);
    assert_eq!(with_key.status, StatusCode::OK, "{}", with_key.body);
    let key = stranger.seen()[0]
        .header("authorization")
        .map(str::to_owned);
    assert_eq!(key.as_deref(), Some("Bearer sk-other"));
}

#[tokio::test]
async fn key_that_is_taken_away_is_gone() {
    let db = testkit::TestDb::create().await;
    let app = TestApp::on(crate::support::Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    let input = inputs::model_connection("One", &model.base_url());
    let id = app.post("/model-connections", input).await.created();
    let before = secrets(&db).await;

    let removed = app
        .patch(&format!("/model-connections/{id}"), json!({"api_key": ""}))
        .await;

    assert_eq!(removed.body["has_api_key"], false, "{}", removed.body);
    assert_eq!(secrets(&db).await, before - 1);
}

async fn secrets(db: &testkit::TestDb) -> i64 {
    let mut connection = PgConnection::connect(&db.superuser_url())
        .await
        .expect("the database");
    let count = sqlx::query_scalar("select count(*) from secrets");
    count.fetch_one(&mut connection).await.expect("a number")
}

/// The usual port of Ollama.
const OLLAMA: u16 = 11_434;

#[tokio::test]
async fn ollama_on_this_machine_is_found_with_its_models() {
    let app = TestApp::start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let path = &crate::authorization::functions::paths()["find_servers"];
    let find = async || -> Value {
        let answer = app
            .client
            .post(app.url(path))
            .header("origin", app.origin())
            .header("accept", "application/json")
            .header("content-type", "application/x-www-form-urlencoded")
            .header("cookie", ada.cookie.clone().expect("a cookie"))
            .send()
            .await
            .expect("an answer");
        answer.json().await.expect("a list")
    };
    let ollama = |found: &Value| {
        let found = found.as_array().expect("a list").iter();
        found
            .filter(|server| server["provider"] == "ollama")
            .cloned()
            .collect::<Vec<_>>()
    };

    let before = find().await;
    let server = ScriptedModel::start_at(OLLAMA).await;
    server.always(Scripted::text("I am local."));
    let found = ollama(&find().await);
    let kind = json!({"name": "Here", "kind": "ollama", "base_url": found[0]["base_url"]});
    let connection = app.post("/model-connections", kind).await.created();
    let agent = inputs::agent("Local", &connection, "scripted-small");
    let agent = app.post("/agents", agent).await.created();
    let conversation = app.create_conversation(&agent).await;
    app.ask(&conversation, "who are you?").await;
    let log = app.log(&conversation).await;

    assert!(ollama(&before).is_empty(), "{before}");
    assert_eq!(found.len(), 1);
    assert_eq!(
        found[0]["models"],
        json!(["scripted-large", "scripted-small"])
    );
    assert_eq!(log.last().expect("an end").event, "run_completed");
    assert_eq!(server.requests()[0]["model"], "scripted-small");
}

#[tokio::test]
async fn what_is_typed_is_tested_before_it_is_saved() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let test = "/model-connections/test";
    let typed = inputs::model_connection("Typed", &model.base_url());

    let works = app.post(test, typed).await;
    let gone = inputs::model_connection("Gone", "http://127.0.0.1:9/v1");
    let gone = app.post(test, gone).await.body;
    let inward = inputs::model_connection("Inward", "http://169.254.169.254/v1");
    let inward = app.post(test, inward).await.body;
    let nothing = app.post(test, json!({"name": "Nothing"})).await;
    let foreign = json!({"id": uuid::Uuid::now_v7()});
    let foreign = app.post(test, foreign).await;

    assert_eq!(works.body["ok"], true, "{}", works.body);
    assert_eq!(
        model.seen()[0].header("authorization"),
        Some("Bearer sk-test")
    );
    assert_eq!(gone["error"]["kind"], "unreachable");
    assert_eq!(inward["ok"], false);
    assert_eq!(nothing.wrong_fields(), ["kind"]);
    assert_eq!(foreign.wrong_fields(), ["id"]);
    let saved = app.get("/model-connections").await.body.to_string();
    assert!(
        !saved.contains("Typed") && !saved.contains("Gone"),
        "{saved}"
    );
}

#[tokio::test]
async fn change_is_tested_with_the_saved_key_at_its_own_server_only() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let other = ScriptedModel::start().await;
    let input = inputs::model_connection("Saved", &model.base_url());
    let id = app.post("/model-connections", input).await.created();
    let test = "/model-connections/test";

    let saved_key = app.post(test, json!({"id": id})).await.body;
    let new_key = app.post(test, json!({"id": id, "api_key": "sk-new"})).await;
    let elsewhere = json!({"id": id, "base_url": other.base_url()});
    let elsewhere = app.post(test, elsewhere).await;
    let with_key = json!({"id": id, "base_url": other.base_url(), "api_key": "sk-other"});
    let with_key = app.post(test, with_key).await;

    assert_eq!(saved_key["ok"], true, "{saved_key}");
    assert_eq!(new_key.body["ok"], true, "{}", new_key.body);
    let last = |model: &ScriptedModel| {
        let seen = model.seen();
        let last = seen.last().expect("a request");
        last.header("authorization").map(str::to_owned)
    };
    assert_eq!(last(&model).as_deref(), Some("Bearer sk-new"));
    assert_eq!(elsewhere.wrong_fields(), ["api_key"]);
    assert_eq!(with_key.body["ok"], true, "{}", with_key.body);
    assert_eq!(last(&other).as_deref(), Some("Bearer sk-other"));
    let stored = app.get(&format!("/model-connections/{id}")).await.body;
    assert_eq!(stored["base_url"], model.base_url());
}
