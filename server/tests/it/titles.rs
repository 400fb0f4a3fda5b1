//! Titles of conversations: first words, or what the agent's model makes of the first exchange.

use serde_json::{Value, json};
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, inputs};

use crate::support::{TestApp, eventually};

/// An agent whose model writes titles.
async fn naming_agent(app: &TestApp, model: &ScriptedModel) -> String {
    let agent = app.create_agent(model).await;
    let change = json!({"conversation_titles": "model"});
    let changed = app.patch(&format!("/agents/{agent}"), change).await;
    assert_eq!(changed.body["conversation_titles"], "model");
    agent
}

async fn title(app: &TestApp, conversation: &str) -> Value {
    let path = format!("/conversations/{conversation}");
    app.get(&path).await.body["title"].clone()
}

async fn becomes(app: &TestApp, conversation: &str, expected: &str) -> bool {
    eventually(async || title(app, conversation).await == expected).await
}

/// What the ledger has counted: calls of models and how many failed.
async fn counted(app: &TestApp) -> (Value, Value) {
    let report = app.get("/usage?days=2").await.body;
    let total = &report["total"];
    (total["model_calls"].clone(), total["errors"].clone())
}

#[tokio::test]
async fn first_exchange_gets_a_title_that_watchers_see_and_the_ledger_counts() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = naming_agent(&app, &model).await;
    let conversation = app.create_conversation(&agent).await;
    model.next(Scripted::text("Take the night train.").usage(10, 4));
    model.next(Scripted::text("\"Trip to Rome.\"\nIt says so.").usage(50, 6));
    let mut stream = app.events(&conversation, "").await;

    app.ask(&conversation, "How do I get to Rome by Friday?")
        .await;
    let seen = stream
        .collect_until(|event| event.event == "title_live")
        .await
        .expect("a title");
    let named = title(&app, &conversation).await;
    let log = app.log(&conversation).await;
    let mut later = app.events(&conversation, "?render=html").await;
    let greeting = later.collect_until(|_| true).await.expect("an event");
    app.ask(&conversation, "And back?").await;
    app.log(&conversation).await;

    let last = seen.last().expect("an event");
    assert_eq!(last.id, None);
    assert_eq!(last.data, json!({"title": "Trip to Rome"}));
    assert!(seen.iter().any(|event| event.event == "run_completed"));
    assert_eq!(named, "Trip to Rome");
    assert_eq!(greeting[0].event, "title_live", "whoever comes later");
    assert_eq!(greeting[0].data, json!({"title": "Trip to Rome"}));
    assert!(log.iter().all(|event| !event.event.contains("title")));
    let requests = model.requests();
    assert_eq!(requests.len(), 3, "a later exchange changes no title");
    let asked = &requests[1];
    let limit = asked
        .get("max_completion_tokens")
        .or(asked.get("max_tokens"));
    assert_eq!(limit, Some(&json!(24)));
    assert!(asked["messages"].to_string().contains("night train"));
    assert!(asked.get("tools").is_none());
    let report = app.get("/usage?days=2").await.body;
    assert_eq!(report["total"]["model_calls"], 3);
    let path = format!("/conversations/{conversation}/messages");
    let messages = app.get(&path).await.body;
    assert_eq!(messages["items"].as_array().expect("items").len(), 4);
}

#[tokio::test]
async fn what_is_no_title_leaves_the_first_words() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = naming_agent(&app, &model).await;

    for (index, answer) in [
        Scripted::text("…"),
        Scripted::text(&"on and on ".repeat(20)),
        Scripted::status(400),
    ]
    .into_iter()
    .enumerate()
    {
        let conversation = app.create_conversation(&agent).await;
        model.next(Scripted::text("Fine."));
        model.next(answer);
        app.ask(&conversation, "## How are things?").await;
        app.log(&conversation).await;

        let calls = (index as u64 + 1) * 2;
        let is_counted = eventually(async || counted(&app).await.0 == calls).await;
        assert!(is_counted, "{:?}", counted(&app).await);
        assert_eq!(counted(&app).await.1, index as u64 + 1);
        assert_eq!(title(&app, &conversation).await, "How are things?");
    }
}

#[tokio::test]
async fn title_of_a_person_stays_whenever_it_was_given() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = naming_agent(&app, &model).await;
    let input = json!({"agent_id": agent, "title": "Given at once"});
    let at_once = app.post("/conversations", input).await.created();
    let meanwhile = app.create_conversation(&agent).await;

    app.ask(&at_once, "Hello").await;
    app.log(&at_once).await;
    model.next(Scripted::text("Fine."));
    let (answer, gate) = Scripted::text("Made by the model").held();
    model.next(answer);
    app.ask(&meanwhile, "Hello").await;
    // The run has ended although its title has not.
    app.log(&meanwhile).await;
    model.wait_for_requests(3).await;
    let path = format!("/conversations/{meanwhile}");
    app.patch(&path, json!({"title": "Given meanwhile"})).await;
    gate.finish();
    let is_over = eventually(async || counted(&app).await.0 == 3).await;

    assert!(is_over);
    assert_eq!(title(&app, &at_once).await, "Given at once");
    assert_eq!(title(&app, &meanwhile).await, "Given meanwhile");
    assert_eq!(model.request_count(), 3);
}

#[tokio::test]
async fn agents_that_do_not_ask_for_it_make_no_call() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;

    app.ask(&conversation, "How are things?").await;
    app.log(&conversation).await;
    let other = naming_agent_beside(&app, &agent).await;
    let named = app.create_conversation(&other).await;
    model.next(Scripted::text("Fine."));
    model.next(Scripted::text("Things in general"));
    app.ask(&named, "How are things?").await;

    // By the time that one has its title, the other would have had one.
    assert!(becomes(&app, &named, "Things in general").await);
    assert_eq!(title(&app, &conversation).await, "How are things?");
    assert_eq!(model.request_count(), 3);
}

#[tokio::test]
async fn server_stops_without_waiting_for_a_title() {
    let mut app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = naming_agent(&app, &model).await;
    let conversation = app.create_conversation(&agent).await;
    model.next(Scripted::text("Fine."));
    model.next(Scripted::silent());

    app.ask(&conversation, "Hello").await;
    app.log(&conversation).await;
    model.wait_for_requests(2).await;
    let started = std::time::Instant::now();
    let is_well = app.program().stop();

    assert!(is_well);
    assert!(started.elapsed().as_secs() < 8, "{:?}", started.elapsed());
}

async fn naming_agent_beside(app: &TestApp, agent: &str) -> String {
    let known = app.get(&format!("/agents/{agent}")).await.body;
    let connection = known["model"]["connection_id"].as_str().expect("an id");
    let mut input = inputs::agent("Namer", connection, "scripted-large");
    input["conversation_titles"] = json!("model");
    app.post("/agents", input).await.created()
}
