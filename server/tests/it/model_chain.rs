//! Fallbacks, retries and prices, seen through the product.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, SseEvent, inputs};

use crate::support::TestApp;

/// A connection to a scripted server; gives its id.
async fn connect(app: &TestApp, name: &str, kind: &str, base_url: &str) -> String {
    let input = json!({"name": name, "kind": kind, "base_url": base_url, "api_key": "sk-test"});
    app.post("/model-connections", input).await.created()
}

/// An agent with a model and fallbacks; gives a conversation with it.
async fn converse(app: &TestApp, model: Value, fallbacks: Value) -> String {
    let mut input = inputs::agent("Careful", "x", "x");
    input["model"] = model;
    input["fallbacks"] = fallbacks;
    let agent = app.post("/agents", input).await.created();
    app.create_conversation(&agent).await
}

fn event<'a>(log: &'a [SseEvent], kind: &str) -> Option<&'a Value> {
    log.iter()
        .find(|event| event.event == kind)
        .map(|event| &event.data["data"])
}

#[tokio::test]
async fn fallback_answers_and_the_conversation_says_so() {
    let app = TestApp::start().await;
    let (broken, good) = (ScriptedModel::start().await, ScriptedModel::start().await);
    broken.always(Scripted::status(401));
    good.always(Scripted::text("Here I am."));
    let first = connect(&app, "First", "openai_compatible", &broken.base_url()).await;
    let second = connect(&app, "Second", "anthropic", &good.root_url()).await;
    let conversation = converse(
        &app,
        json!({"connection_id": first, "name": "scripted-large"}),
        json!([{"connection_id": second, "name": "claude-haiku-4-5"}]),
    )
    .await;

    let run = app.ask(&conversation, "hello").await;
    let log = app.log(&conversation).await;

    let switched = event(&log, "model_switched").expect("a note");
    assert_eq!(switched["from"], "First · scripted-large");
    assert_eq!(switched["to"], "Second · claude-haiku-4-5");
    assert!(
        switched["reason"].as_str().expect("words").contains("key"),
        "{switched}"
    );
    let completed = event(&log, "message_completed").expect("an end");
    assert_eq!(completed["text"], "Here I am.");
    assert_eq!(completed["message_id"], switched["message_id"]);
    // 10 tokens at $1 and 20 at $5 a million.
    assert_eq!(completed["usage"]["cost_usd_micros"], 110);
    let run = app.get(&format!("/runs/{run}")).await.body;
    assert_eq!(run["status"], "completed");
    assert_eq!(run["usage"]["cost_usd_micros"], 110);
    assert_eq!(good.requests()[0]["model"], "claude-haiku-4-5");
    assert_eq!(good.seen()[0].header("x-api-key"), Some("sk-test"));
    assert_eq!(broken.request_count(), 1, "a wrong key is not tried again");
}

#[tokio::test]
async fn overloaded_model_is_asked_again_before_its_first_word() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    model.next(Scripted::status(503));
    model.next(Scripted::status(529).header("retry-after", "1"));
    model.next(Scripted::text("at last"));

    app.ask(&conversation, "hello").await;
    let log = app.log(&conversation).await;

    assert_eq!(model.request_count(), 3);
    assert!(event(&log, "model_switched").is_none());
    let completed = event(&log, "message_completed").expect("an end");
    assert_eq!(completed["text"], "at last");
    assert_eq!(completed["finish_reason"], "stop");
}

#[tokio::test]
async fn every_provider_answers_and_has_its_price() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    model.always(Scripted::text("Hello, né漢🌍.").usage(1_000, 100));
    for (kind, base_url, name, cost) in [
        ("openai", model.base_url(), "gpt-5-mini", 250 + 200),
        (
            "anthropic",
            model.root_url(),
            "claude-haiku-4-5-20251001",
            1_000 + 500,
        ),
        ("gemini", model.root_url(), "gemini-2.5-flash", 300 + 250),
        (
            "openai_responses",
            model.base_url(),
            "gpt-5-mini",
            250 + 200,
        ),
        ("ollama", model.root_url(), "qwen3:8b", 0),
        ("openai_compatible", model.base_url(), "unknown", 0),
    ] {
        let connection = connect(&app, kind, kind, &base_url).await;
        let chosen = json!({"connection_id": connection, "name": name, "max_output_tokens": 50});
        let conversation = converse(&app, chosen, json!([])).await;

        app.ask(&conversation, "hello").await;
        let log = app.log(&conversation).await;

        let completed = event(&log, "message_completed").expect("an end");
        assert_eq!(completed["text"], "Hello, né漢🌍.", "{kind}");
        assert_eq!(completed["usage"]["input_tokens"], 1_000, "{kind}");
        assert_eq!(completed["usage"]["cost_usd_micros"], cost, "{kind}");
    }
    let requests = model.requests();
    assert_eq!(requests[0]["max_completion_tokens"], 50);
    assert_eq!(requests[3]["max_output_tokens"], 50);
    assert_eq!(requests[5]["max_tokens"], 50);
}

#[tokio::test]
async fn price_of_an_admin_counts_from_the_next_answer_on() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    model.always(Scripted::text("ok").usage(1_000, 0));
    let connection = connect(&app, "Own", "openai_compatible", &model.base_url()).await;
    let chosen = json!({"connection_id": connection, "name": "org/own-model"});
    let conversation = converse(&app, chosen, json!([])).await;
    let path = format!("/models/{connection}/org/own-model");
    let price = json!({"input_usd_micros": 2_000_000, "output_usd_micros": 4_000_000});

    let before = app.get(&path).await.body;
    app.ask(&conversation, "one").await;
    let free = app.log(&conversation).await;
    let edited = app
        .patch(&path, json!({"price": price, "context_window": 8000}))
        .await;
    app.ask(&conversation, "two").await;
    let paid = app.log(&conversation).await;
    let listed = app.get("/models").await.body;
    let reset = app.delete(&path).await;

    assert_eq!(before["price"], Value::Null);
    assert_eq!(before["is_edited"], false);
    let cost = |log: &[SseEvent]| {
        let last = log.iter().rfind(|event| event.event == "run_completed");
        last.expect("an end").data["data"]["usage"]["cost_usd_micros"].clone()
    };
    assert_eq!(cost(&free), 0);
    assert_eq!(edited.status, StatusCode::OK, "{}", edited.body);
    assert_eq!(edited.body["price"], price);
    assert_eq!(cost(&paid), 2_000);
    let listed = listed["items"].as_array().expect("models");
    let own = listed
        .iter()
        .find(|model| model["name"] == "org/own-model")
        .expect("what was edited is listed");
    assert_eq!(own["id"], format!("{connection}/org/own-model"));
    assert_eq!(own["context_window"], 8000);
    assert_eq!(own["is_edited"], true);
    assert_eq!(reset.body["price"], Value::Null);
}

#[tokio::test]
async fn wrong_prices_and_fallbacks_are_field_errors() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let connection = connect(&app, "One", "openai_compatible", &model.base_url()).await;
    let path = format!("/models/{connection}/m");
    let wrong = json!({
        "context_window": 0,
        "price": {"input_usd_micros": 1, "output_usd_micros": 99_000_000_000_u64},
    });
    let mut agent = inputs::agent("A", &connection, "m");
    agent["fallbacks"] = json!([
        {"connection_id": connection, "name": "m"},
        {"connection_id": uuid::Uuid::now_v7(), "name": "n", "temperature": 3},
    ]);
    let mut lost = inputs::agent("A", &connection, "m");
    lost["fallbacks"] = json!([{"connection_id": uuid::Uuid::now_v7(), "name": "n"}]);

    let price = app.patch(&path, wrong).await;
    let agent = app.post("/agents", agent).await;
    let lost = app.post("/agents", lost).await;
    let nowhere = app
        .get(&format!("/models/{}/m", uuid::Uuid::now_v7()))
        .await;

    assert_eq!(
        price.wrong_fields(),
        ["context_window", "price.output_usd_micros"]
    );
    assert_eq!(
        agent.wrong_fields(),
        ["fallbacks[0]", "fallbacks[1].temperature"]
    );
    assert_eq!(lost.wrong_fields(), ["fallbacks[0].connection_id"]);
    assert_eq!(nowhere.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn connection_of_a_fallback_cannot_be_deleted() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let first = connect(&app, "First", "openai_compatible", &model.base_url()).await;
    let second = connect(&app, "Second", "openai_compatible", &model.base_url()).await;
    converse(
        &app,
        json!({"connection_id": first, "name": "m"}),
        json!([{"connection_id": second, "name": "m"}]),
    )
    .await;

    let answer = app.delete(&format!("/model-connections/{second}")).await;

    assert_eq!(answer.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn models_are_listed_with_what_the_catalog_knows() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    // One server lists its models, the other has none that it could list.
    connect(&app, "Listing", "openai_compatible", &model.base_url()).await;
    connect(&app, "Silent", "anthropic", "http://127.0.0.1:9").await;

    let models = app.get("/models").await.body;
    let providers = app.get("/model-providers").await.body;

    let models = models["items"].as_array().expect("models");
    let find = |name: &str| models.iter().find(|model| model["name"] == name);
    assert_eq!(
        find("scripted-large").expect("a listed model")["price"],
        Value::Null
    );
    let claude = find("claude-haiku-4-5").expect("a known model");
    assert_eq!(claude["context_window"], 200_000);
    assert_eq!(claude["supports_tools"], true);
    assert_eq!(claude["price"]["input_usd_micros"], 1_000_000);
    let providers = providers["items"].as_array().expect("providers");
    assert!(providers.len() >= 30);
    assert!(
        providers
            .iter()
            .any(|provider| provider["key"] == "openrouter")
    );
}

#[tokio::test]
async fn test_of_a_connection_is_a_real_call() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    for (kind, base_url) in [
        ("openai_compatible", model.base_url()),
        ("anthropic", model.root_url()),
        ("gemini", model.root_url()),
        ("openai_responses", model.base_url()),
        ("ollama", model.root_url()),
    ] {
        let connection = connect(&app, kind, kind, &base_url).await;
        let path = format!("/model-connections/{connection}/test");
        let before = model.request_count();

        let good = app.post(&path, json!({})).await.body;
        // It lists its models, but does not answer.
        model.next(Scripted::status(401));
        let bad = app.post(&path, json!({})).await.body;

        assert_eq!(good["ok"], true, "{kind}: {good}");
        assert_eq!(bad["ok"], false, "{kind}");
        assert_eq!(bad["error"]["kind"], "authentication", "{kind}");
        assert_eq!(model.request_count(), before + 2, "{kind}");
    }
}

#[tokio::test]
async fn message_of_a_fallback_says_so_when_it_is_read_again() {
    let app = TestApp::start().await;
    let (broken, good) = (ScriptedModel::start().await, ScriptedModel::start().await);
    broken.always(Scripted::status(404));
    let first = connect(&app, "First", "openai_compatible", &broken.base_url()).await;
    let second = connect(&app, "Second", "openai_compatible", &good.base_url()).await;
    let conversation = converse(
        &app,
        json!({"connection_id": first, "name": "m"}),
        json!([{"connection_id": second, "name": "n"}]),
    )
    .await;
    app.ask(&conversation, "hello").await;
    app.log(&conversation).await;

    let path = format!("/conversations/{conversation}/messages");
    let messages = app.get(&path).await.body;

    let messages = messages["items"].as_array().expect("messages");
    let answer = messages
        .iter()
        .find(|message| message["role"] == "assistant")
        .expect("an answer");
    assert_eq!(answer["switched"]["to"], "Second · n");
    let question = messages.iter().find(|message| message["role"] == "user");
    assert!(question.expect("a question").get("switched").is_none());
}

#[tokio::test]
async fn thoughts_are_not_asked_of_a_model_that_is_said_not_to_think() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    model.always(Scripted::text("ok"));
    let connection = connect(&app, "Own", "openai_responses", &model.base_url()).await;
    let chosen = json!({"connection_id": connection, "name": "own-model"});
    let path = format!("/models/{connection}/own-model");

    let unknown = converse(&app, chosen.clone(), json!([])).await;
    app.ask(&unknown, "hello").await;
    app.log(&unknown).await;
    let said = app.patch(&path, json!({"supports_reasoning": false})).await;
    app.ask(&unknown, "hello again").await;
    app.log(&unknown).await;
    let known = json!({"connection_id": connection, "name": "gpt-4.1"});
    let known = converse(&app, known, json!([])).await;
    app.ask(&known, "hello").await;
    app.log(&known).await;

    assert_eq!(said.body["supports_reasoning"], false, "{}", said.body);
    let include: Vec<Value> = model
        .requests()
        .iter()
        .map(|request| request["include"].clone())
        .collect();
    let sealed = json!(["reasoning.encrypted_content"]);
    // A call that is begun before its message is written may be begun again.
    assert!(include.len() >= 3);
    assert_eq!(include[0], sealed);
    assert!(include[1..].iter().all(Value::is_null), "{include:?}");
}
