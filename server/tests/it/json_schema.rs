//! Agents whose answers are JSON of a given form.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, TestDb, check_gapless, inputs};

use crate::support::{Program, TestApp};
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
        // A model that gives a wrong answer is asked once more.
        let times = if complaint.is_some() { 2 } else { 1 };
        for _ in 0..times {
            model.next(Scripted::text(answer).usage(10, 7));
        }
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
        assert_eq!(run["usage"]["output_tokens"], 7 * times);
        assert_eq!(run["steps"].as_array().map(Vec::len), Some(times));
        assert_eq!(run["steps"][0]["usage"]["output_tokens"], 7);
    }
    let asked = &model.requests()[0]["response_format"];
    assert_eq!(asked["type"], "json_schema");
    assert_eq!(asked["json_schema"]["schema"], schema());
    assert_eq!(asked["json_schema"]["strict"], true);
}

const WRONG: &str = r#"{"city": "Zürich", "degrees": "warm"}"#;
const RIGHT: &str = r#"{"city": "Zürich", "degrees": 21}"#;

fn roles(request: &Value) -> Vec<&str> {
    let messages = request["messages"].as_array().expect("messages").iter();
    messages.filter_map(|it| it["role"].as_str()).collect()
}

#[tokio::test]
async fn wrong_answer_is_asked_for_once_more_and_then_forgotten() {
    let mut app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let (_, agent) = weather_agent(&app, &model).await;
    let conversation = app.create_conversation(&agent).await;
    for answer in [WRONG, RIGHT, RIGHT, RIGHT] {
        model.next(Scripted::text(answer).usage(10, 7));
    }

    let run = app.ask(&conversation, "Zürich?").await;
    let log = app.log(&conversation).await;
    app.ask(&conversation, "again?").await;
    app.log(&conversation).await;
    app.program().stop();
    app.program().start().await;
    app.ask(&conversation, "and again?").await;
    app.log(&conversation).await;

    check_gapless(&log).expect("no gap");
    assert_eq!(log.last().expect("an end").event, "run_completed");
    let completed = of_type(&log, "message_completed");
    let told: Vec<(&Value, &Value)> = completed
        .iter()
        .map(|it| (&it["text"], &it["finish_reason"]))
        .collect();
    let (wrong, right) = (json!(WRONG), json!(RIGHT));
    assert_eq!(told, [(&wrong, &json!("error")), (&right, &json!("stop"))]);
    let requests = model.requests();
    assert_eq!(roles(&requests[1]), ["system", "user", "assistant", "user"]);
    assert_eq!(requests[1]["messages"][2]["content"], WRONG);
    let asked = requests[1]["messages"][3]["content"].as_str();
    let asked = asked.expect("text");
    assert!(asked.contains("JSON schema"), "{asked}");
    assert!(asked.contains("/degrees: "), "{asked}");
    assert_eq!(requests[1]["response_format"]["type"], "json_schema");
    let run = app.get(&format!("/runs/{run}")).await.body;
    assert_eq!(run["steps"].as_array().map(Vec::len), Some(2), "{run}");
    assert_eq!(run["usage"]["output_tokens"], 14);
    // Remembered or read again: the wrong answer is no part of what comes after it.
    let pair = ["assistant", "user"];
    assert_eq!(roles(&requests[2])[2..], pair);
    assert_eq!(requests[2]["messages"][2]["content"], RIGHT);
    assert_eq!(roles(&requests[3])[2..], [pair, pair].concat());
    assert!(!requests[3].to_string().contains("warm"));
}

#[tokio::test]
async fn wrong_answer_is_not_asked_for_again_beyond_the_limit_of_calls() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let (_, agent) = weather_agent(&app, &model).await;
    let limits = json!({"limits": {"max_iterations": 1}});
    app.patch(&format!("/agents/{agent}"), limits).await;
    let conversation = app.create_conversation(&agent).await;
    model.always(Scripted::text(WRONG));

    app.ask(&conversation, "Zürich?").await;
    let log = app.log(&conversation).await;

    let error = &log.last().expect("an end").data["data"]["error"];
    assert_eq!(error["kind"], "output_schema");
    assert_eq!(model.request_count(), 1);
}

#[tokio::test]
async fn second_try_survives_a_crash_and_is_the_last() {
    let db = TestDb::create().await;
    let mut app = TestApp::on(Program::new(Some(db.url()))).await;
    let model = ScriptedModel::start().await;
    let (_, agent) = weather_agent(&app, &model).await;
    let conversation = app.create_conversation(&agent).await;
    model.next(Scripted::text(WRONG));
    model.next(Scripted::silent());
    model.always(Scripted::text(WRONG));
    app.ask(&conversation, "Zürich?").await;
    model.wait_for_requests(2).await;

    app.program().kill();
    app.program().start().await;
    let log = app.log(&conversation).await;

    check_gapless(&log).expect("no gap");
    let error = &log.last().expect("an end").data["data"]["error"];
    assert_eq!(error["kind"], "output_schema", "{error}");
    let requests = model.requests();
    assert_eq!(requests.len(), 3);
    assert_eq!(requests[2]["messages"], requests[1]["messages"]);
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
