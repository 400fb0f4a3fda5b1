//! The draft of an agent: saved, tried, published or let go, while conversations use the live version.

use domain::Role;
use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use testkit::{ScriptedModel, inputs};

use crate::people::Person;
use crate::support::TestApp;

/// What the agent was told in the last call of its model.
fn told(model: &ScriptedModel) -> String {
    let requests = model.requests();
    let last = requests.last().expect("a call");
    last["messages"][0]["content"]
        .as_str()
        .expect("instructions")
        .to_owned()
}

fn numbers(page: &Value) -> Vec<u64> {
    let items = page["items"].as_array().expect("items");
    let number = |item: &Value| item["version"].as_u64().expect("a number");
    items.iter().map(number).collect()
}

#[tokio::test]
async fn draft_is_used_only_by_those_who_try_it_until_it_is_published() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let path = format!("/agents/{agent}");
    let draft = format!("{path}/draft");
    let live = app.create_conversation(&agent).await;
    app.ask(&live, "hello").await;
    app.log(&live).await;

    let none = app.get(&draft).await.status;
    let saved = app
        .patch(&draft, json!({"instructions": "Answer in French."}))
        .await;
    let again = app
        .patch(&draft, json!({"instructions": "Answer in French."}))
        .await;
    let shown = app.get(&path).await.body;

    assert_eq!(none, StatusCode::NOT_FOUND);
    assert_eq!(saved.status, StatusCode::OK, "{}", saved.body);
    assert_eq!(
        (&saved.body["version"], &again.body["version"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(shown["version"], 1);
    assert_eq!(shown["draft_version"], 2);
    assert_eq!(shown["instructions"], "Answer briefly.");

    app.ask(&live, "hello again").await;
    app.log(&live).await;
    assert_eq!(told(&model), "Answer briefly.");
    let input = json!({"agent_id": agent, "uses_draft": true});
    let trial = app.post("/conversations", input).await;
    assert_eq!(trial.body["uses_draft"], true);
    let trial = trial.created();
    let run = app.ask(&trial, "bonjour").await;
    app.log(&trial).await;
    assert_eq!(told(&model), "Answer in French.");
    let run = app.get(&format!("/runs/{run}")).await.body;
    assert_eq!(run["agent_version"], 2);

    // The trial follows the draft, also in its next message.
    app.patch(&draft, json!({"instructions": "Answer in Dutch."}))
        .await;
    app.ask(&trial, "dag").await;
    app.log(&trial).await;
    assert_eq!(told(&model), "Answer in Dutch.");

    let published = app.post(&format!("{draft}/publication"), json!({})).await;
    let twice = app.post(&format!("{draft}/publication"), json!({})).await;
    assert_eq!(published.status, StatusCode::OK, "{}", published.body);
    assert_eq!(published.body["version"], 3);
    assert_eq!(published.body["draft_version"], json!(null));
    assert_eq!(twice.status, StatusCode::CONFLICT);
    app.ask(&live, "and now?").await;
    app.log(&live).await;
    assert_eq!(told(&model), "Answer in Dutch.");
    let versions = app.get(&format!("{path}/versions")).await.body;
    assert_eq!(numbers(&versions), [3, 2, 1]);
}

#[tokio::test]
async fn draft_that_is_let_go_stays_a_version_and_keeps_its_number() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let path = format!("/agents/{agent}");
    let draft = format!("{path}/draft");
    app.patch(&draft, json!({"description": "drafted"})).await;

    let discarded = app.delete(&draft).await.status;
    let gone = app.delete(&draft).await.status;
    let saved = app.patch(&path, json!({"description": "live"})).await.body;
    let restored = app
        .post(&format!("{path}/versions/2/restoration"), json!({}))
        .await
        .body;

    assert_eq!(discarded, StatusCode::NO_CONTENT);
    assert_eq!(gone, StatusCode::NOT_FOUND);
    assert_eq!(saved["version"], 3);
    assert_eq!(restored["version"], 4);
    assert_eq!(restored["description"], "drafted");
}

#[tokio::test]
async fn live_save_takes_effect_and_ends_the_draft() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let path = format!("/agents/{agent}");
    app.patch(&format!("{path}/draft"), json!({"description": "drafted"}))
        .await;

    let saved = app
        .patch(&path, json!({"instructions": "Answer in French."}))
        .await
        .body;
    let draft = app.get(&format!("{path}/draft")).await.status;
    let conversation = app.create_conversation(&agent).await;
    app.ask(&conversation, "hello").await;
    app.log(&conversation).await;

    assert_eq!(saved["version"], 3);
    assert_eq!(saved["draft_version"], json!(null));
    assert_ne!(saved["description"], "drafted");
    assert_eq!(draft, StatusCode::NOT_FOUND);
    assert_eq!(told(&model), "Answer in French.");
}

#[tokio::test]
async fn saves_at_the_same_time_all_count() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let path = format!("/agents/{agent}");
    let draft = format!("{path}/draft");

    let saves = tokio::join!(
        app.patch(&path, json!({"description": "one"})),
        app.patch(&path, json!({"tags": ["two"]})),
        app.patch(&draft, json!({"instructions": "three"})),
        app.patch(&draft, json!({"name": "Four"})),
    );
    let versions = app.get(&format!("{path}/versions")).await.body;
    let live = app.get(&path).await.body;

    for save in [saves.0, saves.1, saves.2, saves.3] {
        assert_eq!(save.status, StatusCode::OK, "{}", save.body);
    }
    assert_eq!(numbers(&versions), [5, 4, 3, 2, 1]);
    assert_eq!(live["description"], "one");
    assert_eq!(live["tags"], json!(["two"]));
}

#[tokio::test]
async fn those_who_may_not_change_agents_may_not_try_drafts() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let agent = app.create_agent(&model).await;
    let input = json!({"agent_id": agent, "uses_draft": true});
    let trial = app.post("/conversations", input.clone()).await.created();
    let talker = ada.makes_key(&app, json!(["converse"])).await;

    let begun = talker.post(&app, "/conversations", input).await;
    let path = format!("/conversations/{trial}/messages");
    let asked = talker.post(&app, &path, inputs::message("hello")).await;
    let usual = inputs::conversation(&agent);
    let usual = talker.post(&app, "/conversations", usual).await;
    let log = ada.get(&app, "/audit-events?result=refused").await.body;

    assert_eq!(begun.status, StatusCode::FORBIDDEN);
    assert_eq!(asked.status, StatusCode::FORBIDDEN);
    assert_eq!(usual.status, StatusCode::CREATED);
    assert_eq!(log["items"].as_array().map(Vec::len), Some(2), "{log}");
    assert!(domain::can(Role::Member, domain::Action::BuildAgents));
}

#[tokio::test]
async fn publishing_and_letting_go_are_audited() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let agent = app.create_agent(&model).await;
    let draft = format!("/agents/{agent}/draft");
    for description in ["one", "two"] {
        app.patch(&draft, json!({ "description": description }))
            .await;
        match description {
            "one" => app.send(Method::DELETE, &draft, None, &[]).await,
            _ => app.post(&format!("{draft}/publication"), json!({})).await,
        };
    }

    let log = ada.get(&app, "/audit-events?limit=4").await.body;

    let items = log["items"].as_array().expect("items");
    let deeds: Vec<_> = items.iter().map(|item| item["action"].as_str()).collect();
    assert_eq!(
        deeds,
        [
            Some("agent.publish"),
            Some("agent.draft"),
            Some("agent.discard"),
            Some("agent.draft"),
        ]
    );
    assert!(items.iter().all(|item| item["object_id"] == agent.as_str()));
}
