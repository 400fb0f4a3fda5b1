//! Results of tools that are too long for models are kept whole.

use reqwest::StatusCode;
use serde_json::{Value, json};
use testkit::scripted_model::Answer as Scripted;
use testkit::tool_server::Era;
use testkit::{ScriptedModel, ToolServer};

use crate::files::remains::objects;
use crate::files::{download, upload};
use crate::mcp_servers::remote;
use crate::support::{TestApp, eventually};
use crate::tools::{agent_with, of_type};

#[tokio::test]
async fn long_result_is_cut_for_the_model_and_kept_whole_for_people() {
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let server = ToolServer::start(Era::Modern).await;
    let input = remote("far", &server.url());
    let id = app.post("/mcp-servers", input).await.created();
    let tools = json!([{"server_id": id, "name": "echo"}]);
    let agent = agent_with(&app, &model, tools).await;
    let conversation = app.create_conversation(&agent).await;
    let long: String = (0..20_000).map(|n| format!("line {n}\n")).collect();
    let arguments = json!({"text": long}).to_string();
    model.next(Scripted::tool_calls(&[("a", "far__echo", &arguments)]));
    model.next(Scripted::text("That was long."));

    app.ask(&conversation, "say it").await;
    let log = app.log(&conversation).await;
    let completed = of_type(&log, "tool_call_completed")[0];
    let artifact = completed["artifact_id"].as_str().expect("an artifact");
    let file = download(&app, artifact).await;
    let name = file.headers()["content-disposition"].to_str();
    let name = name.expect("text").to_owned();
    let whole = file.text().await.expect("text");
    let path = format!("/conversations/{conversation}/messages");
    let messages = app.get(&path).await.body;
    let kept = app.delete(&format!("/files/{artifact}")).await;

    let shown = completed["result"].as_str().expect("text");
    assert!(shown.contains("bytes left out") && shown.len() < 40_000);
    assert_eq!(model.requests()[1]["messages"][3]["content"], shown);
    assert_eq!(whole, long);
    assert!(name.contains("echo result.txt"), "{name}");
    let calls = messages["items"].to_string();
    assert!(calls.contains(artifact), "a reload loses it");
    assert_eq!(kept.status, StatusCode::CONFLICT, "its call has it");

    app.delete(&format!("/conversations/{conversation}")).await;
    let gone = eventually(async || {
        app.delete(&format!("/files/{artifact}")).await.status != StatusCode::CONFLICT
    });
    assert!(gone.await);
    assert_eq!(objects(&app), 0);
}

#[tokio::test]
async fn pictures_are_shown_to_models_and_stay_in_the_conversation() {
    let mut app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    let picture = upload(&app, "plan.png", PIXEL, &[]).await.created();
    let path = format!("/conversations/{conversation}/messages");
    let input = json!({"text": "What is this?", "attachments": [picture]});

    let posted = app.post(&path, input).await;
    assert_eq!(posted.status, StatusCode::ACCEPTED, "{}", posted.body);
    app.log(&conversation).await;
    app.ask(&conversation, "and what colour?").await;
    app.log(&conversation).await;
    app.program().stop();
    app.program().start().await;
    app.ask(&conversation, "are you sure?").await;
    app.log(&conversation).await;

    let shown: Vec<Value> = model.requests();
    assert_eq!(shown.len(), 3);
    for request in &shown {
        let content = request["messages"][1]["content"].as_array();
        let content = content.unwrap_or_else(|| panic!("no parts in {request}"));
        let text = content[0]["text"].as_str().expect("text");
        assert!(text.starts_with("What is this?"), "{text}");
        let url = content[1]["image_url"]["url"].as_str().expect("a picture");
        assert!(
            url.starts_with("data:image/png;base64,iVBORw0KGgo"),
            "{url}"
        );
    }
}

#[tokio::test]
async fn model_is_told_which_picture_it_is_not_shown_and_why() {
    let mut app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let agent = app.create_agent(&model).await;
    let conversation = app.create_conversation(&agent).await;
    // As base64 it has more than 5 MiB.
    let mut large = PIXEL.to_vec();
    large.resize(3_932_161, 0);
    let large = upload(&app, "large.png", &large, &[]).await.created();
    let small = upload(&app, "small.png", PIXEL, &[]).await.created();
    let path = format!("/conversations/{conversation}/messages");
    let input = json!({"text": "What are these?", "attachments": [large, small]});

    app.post(&path, input).await;
    app.log(&conversation).await;
    app.program().stop();
    app.program().start().await;
    app.ask(&conversation, "are you sure?").await;
    app.log(&conversation).await;

    let shown: Vec<Value> = model.requests();
    assert_eq!(shown.len(), 2);
    for request in &shown {
        let content = request["messages"][1]["content"].as_array();
        let content = content.unwrap_or_else(|| panic!("no parts in {request}"));
        assert_eq!(content.len(), 2, "one picture");
        let text = content[0]["text"].as_str().expect("text");
        let told = "[The picture \"large.png\" is not shown to you: it has more than 3.75 MiB.]";
        assert!(text.ends_with(told), "{text}");
    }
}

/// The smallest PNG: one grey pixel.
const PIXEL: &[u8] = &[
    0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, 0, 0, 0, 0x0d, b'I', b'H', b'D', b'R', 0, 0, 0,
    1, 0, 0, 0, 1, 8, 0, 0, 0, 0, 0x3a, 0x7e, 0x9b, 0x55, 0, 0, 0, 0x0a, b'I', b'D', b'A', b'T',
    0x78, 0x9c, 0x63, 0x68, 0, 0, 0, 0x82, 0, 0x81, 0x77, 0xcd, 0x72, 0xb6, 0, 0, 0, 0, b'I', b'E',
    b'N', b'D', 0xae, 0x42, 0x60, 0x82,
];
