//! What models think before they answer.

use serde_json::{Value, json};
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, inputs};

use crate::support::{TestApp, eventually};

async fn answer(app: &TestApp, conversation: &str) -> Value {
    let path = format!("/conversations/{conversation}/messages");
    app.get(&path).await.body["items"][0].clone()
}

#[tokio::test]
async fn thoughts_are_there_while_they_come_and_afterwards() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let (thinking, gate) = Scripted::thinking("first this then that ", "So it is.").held();
    model.next(thinking);

    app.ask(&conversation, "Is it so?").await;
    gate.release(2);
    let is_thinking = eventually(async || {
        let answer = answer(&app, &conversation).await;
        answer["reasoning"] == "first this " && answer["finish_reason"].is_null()
    });
    assert!(is_thinking.await, "{}", answer(&app, &conversation).await);
    gate.finish();
    app.log(&conversation).await;
    let whole = answer(&app, &conversation).await;

    assert_eq!(whole["reasoning"], "first this then that ");
    assert_eq!(whole["text"], "So it is.");
    let took = whole["thought_ms"].as_u64().expect("a time");
    assert!(took < 60_000, "{took}");
}

#[tokio::test]
async fn answers_without_thoughts_say_nothing_of_them() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;

    app.ask(&conversation, "Is it so?").await;
    app.log(&conversation).await;
    let whole = answer(&app, &conversation).await;

    assert_eq!(whole["reasoning"], Value::Null);
    assert_eq!(whole["thought_ms"], Value::Null);
}

#[tokio::test]
async fn thoughts_go_back_to_the_model_that_had_them_and_to_no_other() {
    let mut app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let tools = json!([{"builtin": "calculator"}]);
    let agent = crate::tools::agent_with(&app, &model, tools).await;
    let conversation = app.create_conversation(&agent).await;
    let call = json!({"index": 0, "id": "call_a", "type": "function",
        "function": {"name": "calculator", "arguments": "{\"expression\":\"1+1\"}"}});
    let deltas = [
        json!({"delta": {"reasoning_content": "I must add."}}),
        json!({"delta": {"tool_calls": [call]}}),
        json!({"delta": {}, "finish_reason": "tool_calls"}),
    ];
    let events = deltas.map(|delta| format!("data: {}\n\n", json!({"choices": [delta]})).into());
    model.next(Scripted::raw(events.to_vec()));
    app.ask(&conversation, "1+1?").await;
    app.log(&conversation).await;

    // What is read from the database is as good as what is remembered.
    app.program().stop();
    app.program().start().await;
    app.ask(&conversation, "are you sure?").await;
    app.log(&conversation).await;
    let input = json!({"model": {"connection_id": connection(&app, &agent).await,
        "name": "scripted-small"}});
    app.patch(&format!("/agents/{agent}"), input).await;
    app.ask(&conversation, "and you?").await;
    app.log(&conversation).await;

    let requests = model.requests();
    assert_eq!(requests.len(), 4, "{requests:#?}");
    let thought = |request: usize| {
        let message = &requests[request]["messages"][2];
        assert_eq!(message["tool_calls"][0]["id"], "call_a", "{message}");
        message["reasoning_content"].clone()
    };
    assert_eq!(thought(1), "I must add.");
    assert_eq!(thought(2), "I must add.");
    assert_eq!(thought(3), Value::Null);
}

async fn connection(app: &TestApp, agent: &str) -> Value {
    let agent = app.get(&format!("/agents/{agent}")).await;
    agent.body["model"]["connection_id"].clone()
}

#[tokio::test]
async fn summary_of_thoughts_is_asked_for_until_it_is_refused() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let mut input = inputs::model_connection("Responses", &model.base_url());
    input["kind"] = json!("openai_responses");
    let connection = app.post("/model-connections", input).await.created();
    let path = format!("/models/{connection}/scripted-large");
    app.patch(&path, json!({"supports_reasoning": true})).await;
    let input = inputs::agent("Thinker", &connection, "scripted-large");
    let agent = app.post("/agents", input).await.created();
    // As OpenAI answers organisations that have not shown who they are.
    let refusal = json!({"error": {
        "message": "Your organization must be verified to generate reasoning summaries.",
        "type": "invalid_request_error",
        "param": "reasoning.summary",
        "code": "unsupported_value",
    }});

    let conversation = app.create_conversation(&agent).await;
    app.ask(&conversation, "Is it so?").await;
    app.log(&conversation).await;
    model.next(Scripted::status(400).json(refusal));
    app.ask(&conversation, "And now?").await;
    let refused = app.log(&conversation).await;
    app.ask(&conversation, "And then?").await;
    let later = app.log(&conversation).await;

    let asked: Vec<Value> = model.requests();
    let summaries: Vec<_> = asked.iter().map(|it| &it["reasoning"]["summary"]).collect();
    let auto = &json!("auto");
    assert_eq!(summaries, [auto, auto, &Value::Null, &Value::Null]);
    for log in [refused, later] {
        assert_eq!(log.last().expect("an end").event, "run_completed");
    }
}
