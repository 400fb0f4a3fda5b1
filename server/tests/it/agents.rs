//! Agents and their versions, repeated requests, and wrong input.

use reqwest::{Method, StatusCode};
use serde_json::json;
use testkit::{ScriptedModel, inputs};

use crate::support::TestApp;

#[tokio::test]
async fn every_save_is_a_version_and_old_ones_come_back() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let path = format!("/agents/{agent}");

    let saved = app
        .patch(&path, json!({"instructions": "Answer in French."}))
        .await
        .body;
    let unchanged = app
        .patch(&path, json!({"instructions": "Answer in French."}))
        .await
        .body;
    let restored = app
        .post(&format!("{path}/versions/1/restoration"), json!({}))
        .await;
    let versions = app.get(&format!("{path}/versions")).await.body;

    assert_eq!(saved["version"], 2);
    assert_eq!(unchanged["version"], 2);
    assert_eq!(restored.status, StatusCode::CREATED);
    assert_eq!(restored.body["version"], 3);
    assert_eq!(restored.body["instructions"], "Answer briefly.");
    let numbers: Vec<_> = versions["items"]
        .as_array()
        .expect("items")
        .iter()
        .map(|version| version["version"].as_u64())
        .collect();
    assert_eq!(numbers, [Some(3), Some(2), Some(1)]);
}

#[tokio::test]
async fn wrong_input_names_its_field_and_saves_nothing() {
    let app = TestApp::start().await;
    let nowhere = uuid::Uuid::nil().to_string();

    let unknown_connection = app
        .post("/agents", inputs::agent("Scout", &nowhere, "m"))
        .await;
    let unknown_key = app.post("/agents", json!({"nam": "Scout"})).await;
    let wrong_type = app
        .post(
            "/agents",
            json!({"name": "Scout", "model": {"connection_id": nowhere, "name": 7}}),
        )
        .await;
    let agents = app.get("/agents").await.body;

    assert_eq!(unknown_connection.wrong_fields(), ["model.connection_id"]);
    assert_eq!(unknown_key.wrong_fields().len(), 1);
    assert_eq!(wrong_type.wrong_fields(), ["model.name"]);
    assert_eq!(agents["items"], json!([]));
}

#[tokio::test]
async fn deleted_agent_keeps_its_conversations_and_takes_no_messages() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;

    let deleted = app.delete(&format!("/agents/{agent}")).await.status;
    let messages = format!("/conversations/{conversation}/messages");
    let posted = app
        .post(&messages, inputs::message("still there?"))
        .await
        .status;
    let readable = app
        .get(&format!("/conversations/{conversation}"))
        .await
        .status;

    assert_eq!(deleted, StatusCode::NO_CONTENT);
    assert_eq!(posted, StatusCode::CONFLICT);
    assert_eq!(readable, StatusCode::OK);
}

#[tokio::test]
async fn repeated_request_with_a_key_gets_the_first_answer() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let key = [("idempotency-key", "once")];
    let input = || Some(inputs::conversation(&agent));

    let twins = tokio::join!(
        app.send(Method::POST, "/conversations", input(), &key),
        app.send(Method::POST, "/conversations", input(), &key),
    );
    let other = json!({"agent_id": agent, "title": "another body"});
    let other_body = app
        .send(Method::POST, "/conversations", Some(other), &key)
        .await;
    let list = app.get("/conversations").await.body;

    assert_eq!(twins.0.status, StatusCode::CREATED);
    assert_eq!(twins.0.body, twins.1.body);
    assert_eq!(twins.0.headers["location"], twins.1.headers["location"]);
    assert_eq!(other_body.status, StatusCode::CONFLICT);
    assert_eq!(list["items"].as_array().expect("items").len(), 1);
}

#[tokio::test]
async fn list_is_paged_by_cursor_without_gap_or_repeat() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let mut made = Vec::new();
    for _ in 0..7 {
        made.push(app.create_conversation(&agent).await);
    }

    let mut seen = Vec::new();
    let mut path = "/conversations?limit=3".to_owned();
    loop {
        let page = app.get(&path).await.body;
        let items = page["items"].as_array().expect("items");
        seen.extend(
            items
                .iter()
                .map(|item| item["id"].as_str().expect("an id").to_owned()),
        );
        let Some(next) = page["next"].as_str() else {
            break;
        };
        path = format!("/conversations?limit=3&after={next}");
    }

    made.reverse();
    assert_eq!(seen, made);
}

#[tokio::test]
async fn empty_tools_and_fallbacks_are_accepted() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let path = format!("/agents/{agent}");

    let empty = app
        .patch(&path, json!({"tools": [], "fallbacks": []}))
        .await;

    assert_eq!(empty.status, StatusCode::OK);
    assert_eq!(empty.body["tools"], json!([]));
}
