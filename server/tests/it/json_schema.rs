//! Agents whose answers are JSON of a given form.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, inputs};

use crate::support::TestApp;
use crate::tools::of_type;

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {"city": {"type": "string"}, "degrees": {"type": "integer"}},
        "required": ["city", "degrees"],
        "additionalProperties": false,
    })
}

/// A connection, and an agent whose answers shall fit the schema.
async fn weather_agent(app: &TestApp, model: &ScriptedModel) -> (String, String) {
    let input = inputs::model_connection("weather", &model.base_url());
    let connection = app.post("/model-connections", input).await.created();
    let mut input = inputs::agent("Weather", &connection, "scripted-large");
    input["output_schema"] = schema();
    let agent = app.post("/agents", input).await;
    assert_eq!(agent.body["output_schema"], schema());
    (connection, agent.created())
}

#[tokio::test]
async fn answer_that_fits_is_an_answer_and_another_is_a_fault_in_plain_words() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let (_, agent) = weather_agent(&app, &model).await;
    let fitting = r#"{"city": "Zürich", "degrees": 21}"#;

    for (answer, complaint) in [
        (fitting, None),
        (
            r#"{"city": "Zürich", "degrees": "warm"}"#,
            Some("/degrees: "),
        ),
        (r#"{"city": "Zürich"}"#, Some("degrees")),
        ("It is 21 degrees.", Some("no JSON")),
    ] {
        let conversation = app.create_conversation(&agent).await;
        model.next(Scripted::text(answer).usage(10, 7));
        let run = app.ask(&conversation, "Zürich?").await;
        let log = app.log(&conversation).await;

        let end = log.last().expect("an end");
        let completed = of_type(&log, "message_completed")[0];
        assert_eq!(completed["text"], answer);
        let error = &end.data["data"]["error"];
        match complaint {
            None => assert_eq!(end.event, "run_completed", "{error}"),
            Some(complaint) => {
                assert_eq!(end.event, "run_failed", "{answer}");
                assert_eq!(error["kind"], "output_schema");
                let message = error["message"].as_str().expect("words");
                assert!(message.contains(complaint), "{message}");
            }
        }
        // It was paid for in any case.
        let run = app.get(&format!("/runs/{run}")).await.body;
        assert_eq!(run["usage"]["output_tokens"], 7);
        assert_eq!(run["steps"][0]["usage"]["output_tokens"], 7);
    }
    let asked = &model.requests()[0]["response_format"];
    assert_eq!(asked["type"], "json_schema");
    assert_eq!(asked["json_schema"]["schema"], schema());
    assert_eq!(asked["json_schema"]["strict"], true);
}

#[tokio::test]
async fn answer_that_is_cut_off_says_so() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let (_, agent) = weather_agent(&app, &model).await;
    let conversation = app.create_conversation(&agent).await;
    model.next(Scripted::text(r#"{"city": "Zü"#).finish_reason("length"));

    app.ask(&conversation, "Zürich?").await;
    let log = app.log(&conversation).await;

    let error = &log.last().expect("an end").data["data"]["error"];
    assert_eq!(error["kind"], "output_schema");
    let message = error["message"].as_str().expect("words");
    assert!(message.contains("cut off"), "{message}");
}

#[tokio::test]
async fn model_that_cannot_is_not_asked() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let (connection, agent) = weather_agent(&app, &model).await;
    let path = format!("/models/{connection}/scripted-large");
    let said = app
        .patch(&path, json!({"supports_json_schema": false}))
        .await;
    assert_eq!(said.body["supports_json_schema"], false, "{}", said.body);
    let conversation = app.create_conversation(&agent).await;

    app.ask(&conversation, "Zürich?").await;
    let log = app.log(&conversation).await;

    let error = &log.last().expect("an end").data["data"]["error"];
    assert_eq!(error["kind"], "no_json_schema", "{error}");
    assert_eq!(model.request_count(), 0);
}

#[tokio::test]
async fn schema_is_checked_kept_in_versions_and_files_and_taken_away_by_null() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let (_, agent) = weather_agent(&app, &model).await;
    let path = format!("/agents/{agent}");

    for wrong in [json!({"type": "strnig"}), json!([]), json!("text")] {
        let answer = app.patch(&path, json!({"output_schema": wrong})).await;
        assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY, "{wrong}");
        assert_eq!(answer.wrong_fields()[0], "output_schema", "{wrong}");
    }
    let kept = app.patch(&path, json!({"description": "x"})).await.body;
    let yaml = app
        .client
        .get(app.url(&format!("/api/v1{path}/export")))
        .bearer_auth(&app.key)
        .send();
    let yaml = yaml.await.expect("a file").text().await.expect("text");
    let imported = app
        .client
        .post(app.url("/api/v1/agents/import"))
        .bearer_auth(&app.key)
        .header("content-type", "application/yaml")
        .body(yaml)
        .send();
    let imported: Value = imported
        .await
        .expect("an answer")
        .json()
        .await
        .expect("JSON");
    let gone = app.patch(&path, json!({"output_schema": null})).await.body;
    let changes = app.get(&format!("{path}/changes")).await.body;

    assert_eq!(kept["output_schema"], schema());
    assert_eq!(imported["output_schema"], schema());
    assert_eq!(gone["version"], 3);
    assert!(gone.get("output_schema").is_none(), "{gone}");
    assert_eq!(changes["items"][0]["changes"][0]["field"], "output_schema");
}
