//! Agents as files: out of one workspace, into another, and back exactly.

use reqwest::StatusCode;
use reqwest::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use serde_json::{Value, json};
use testkit::tool_server::Era;
use testkit::{ScriptedModel, ToolServer, inputs};

use crate::support::{Answer, TestApp};

/// Sends a file with its media type.
async fn import(app: &TestApp, kind: &str, file: impl Into<reqwest::Body>) -> Answer {
    let request = app.client.post(app.url("/api/v1/agents/import"));
    let request = request.bearer_auth(&app.key).header(CONTENT_TYPE, kind);
    Answer::read(request.body(file).send().await.expect("an answer")).await
}

/// The file of an agent.
async fn export(app: &TestApp, agent: &str) -> String {
    let request = app
        .client
        .get(app.url(&format!("/api/v1/agents/{agent}/export")));
    let answer = request
        .bearer_auth(&app.key)
        .send()
        .await
        .expect("an answer");
    assert_eq!(answer.status(), StatusCode::OK);
    assert_eq!(answer.headers()[CONTENT_TYPE], "application/yaml");
    let disposition = answer.headers()[CONTENT_DISPOSITION].to_str();
    let disposition = disposition.expect("text").to_owned();
    assert!(
        disposition.starts_with("attachment; filename=\""),
        "{disposition}"
    );
    assert!(disposition.ends_with(".yaml\""), "{disposition}");
    answer.text().await.expect("text")
}

/// Fields and messages of a 422.
fn complaints(answer: &Answer) -> Vec<(String, String)> {
    assert_eq!(
        answer.status,
        StatusCode::UNPROCESSABLE_ENTITY,
        "{}",
        answer.body
    );
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let errors = answer.body["errors"].as_array().expect("errors");
    errors
        .iter()
        .map(|error| (text(&error["field"]), text(&error["message"])))
        .collect()
}

#[tokio::test]
async fn export_and_import_give_the_same_agent_and_the_same_file() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let tools = ToolServer::start(Era::Modern).await;
    let connection = inputs::model_connection("Big: \"Provider\"", &model.base_url());
    let connection = app.post("/model-connections", connection).await.created();
    let source = json!({"type": "remote", "url": tools.url()});
    let server = app.post("/mcp-servers", json!({"name": "helper", "source": source}));
    let server = server.await.created();
    let made = app
        .post(
            "/agents",
            json!({
                "name": "Scout & 'Söhne'",
                "description": "yes",
                "tags": ["ops", "1"],
                "instructions": "# Rules\n\n- one:  two  \n\tthree\r\n\n  four\n\n",
                "model": {"connection_id": connection, "name": "scripted-large", "temperature": 0.7,
                    "max_output_tokens": 512},
                "fallbacks": [{"connection_id": connection, "name": "2"}],
                "tools": [{"builtin": "calculator", "approval": "first_use"},
                    {"server_id": server, "name": "echo"}],
                "limits": {"max_iterations": 7, "max_tokens": 9000, "max_cost_usd_micros": 125000,
                    "max_seconds": 90},
            }),
        )
        .await;
    let agent = made.body["id"].as_str().expect("an id").to_owned();

    let file = export(&app, &agent).await;
    let imported = import(&app, "application/yaml; charset=utf-8", file.clone()).await;
    let copy = imported.body["id"].as_str().expect("an id").to_owned();
    let again = export(&app, &copy).await;

    assert_eq!(imported.status, StatusCode::CREATED, "{}", imported.body);
    assert_eq!(
        imported.headers["location"],
        format!("/api/v1/agents/{copy}")
    );
    let mut same = imported.body.clone();
    for own in ["id", "created_at", "updated_at"] {
        same[own] = made.body[own].clone();
    }
    assert_eq!(same, made.body);
    assert_eq!(file, again);
    for id in [&connection, &server, &agent] {
        assert!(!file.contains(id.as_str()), "{file}");
    }
    assert!(file.contains("server: helper"), "{file}");
}

#[tokio::test]
async fn names_that_are_not_there_are_told_one_by_one() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let connection = inputs::model_connection("Known", &model.base_url());
    app.post("/model-connections", connection).await.created();
    let file = "
name: Scout
model: {connection: Elsewhere, name: m}
fallbacks:
- {connection: known, name: m}
- {connection: Nowhere, name: m}
tools:
- builtin: calculator
- {server: gone, name: look_up}
";

    let refused = import(&app, "text/yaml", file).await;
    let agents = app.get("/agents").await.body;

    let names: Vec<(String, String)> = complaints(&refused);
    let expected = [
        ("model.connection", "Elsewhere"),
        ("fallbacks[1].connection", "Nowhere"),
        ("tools[1].server", "gone"),
    ];
    assert_eq!(names.len(), expected.len(), "{names:?}");
    for ((field, message), (expected, name)) in names.iter().zip(expected) {
        assert_eq!(field, expected);
        assert!(message.contains(name), "{message}");
    }
    assert_eq!(agents["items"], json!([]));
}

#[tokio::test]
async fn wrong_files_are_refused_with_the_place() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let connection = inputs::model_connection("Known", &model.base_url());
    app.post("/model-connections", connection).await.created();
    let model = "model: {connection: Known, name: m}";
    let large = format!("name: {}", "x".repeat(600 * 1024));

    for (file, field) in [
        ("", "file"),
        ("name: [", "name"),
        ("name: Scout\n\t", "name"),
        ("- a\n- b\n", "file"),
        (&format!("name: Scout\n{model}\n---\nname: b\n"), "file"),
        ("name: Scout\n", "file"),
        (&format!("name: Scout\nnickname: b\n{model}\n"), "nickname"),
        ("name: Scout\nmodel: {connection: Known}\n", "model"),
        (
            &format!("name: Scout\n{model}\nlimits: {{max_seconds: soon}}\n"),
            "limits.max_seconds",
        ),
        (&format!("name: ''\n{model}\n"), "name"),
        (
            &format!("format: other/v9\nname: Scout\n{model}\n"),
            "format",
        ),
        (
            &format!("name: Scout\n{model}\ntools: [{{builtin: telepathy}}]\n"),
            "tools[0].builtin",
        ),
        (
            &format!("name: Scout\n{model}\ntools: [{{name: look_up}}]\n"),
            "tools[0].server",
        ),
        (&large, "file"),
    ] {
        let refused = import(&app, "application/yaml", file.to_owned()).await;
        let complaints = complaints(&refused);
        let (wrong, message) = &complaints[0];
        assert_eq!(wrong, field, "{file:.80}: {complaints:?}");
        assert!(!message.starts_with(&format!("{field}:")), "{message}");
    }
    let of_wrong_kind = import(&app, "text/plain", format!("name: a\n{model}\n")).await;
    let no_text = import(&app, "application/yaml", vec![0xff, 0xfe, 0x00]).await;
    let as_json = json!({"name": "Scout", "model": {"connection": "Known", "name": "m"}});
    let as_json = import(&app, "application/json", as_json.to_string()).await;

    assert_eq!(of_wrong_kind.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(no_text.status, StatusCode::BAD_REQUEST);
    assert_eq!(as_json.status, StatusCode::CREATED, "{}", as_json.body);
}
