//! What models think before they answer.

use serde_json::Value;
use testkit::ScriptedModel;
use testkit::scripted_model::Answer as Scripted;

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
