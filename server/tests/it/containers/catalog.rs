//! The catalog: what is built in, and what a workspace's administrators add.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::site::{IMAGE, Site};
use crate::support::TestApp;

async fn keys(app: &TestApp) -> Vec<String> {
    let catalog = app.get("/mcp-catalog").await.body;
    let items = catalog["items"].as_array().expect("items").clone();
    let key = |item: &Value| item["key"].as_str().expect("a key").to_owned();
    items.iter().map(key).collect()
}

#[tokio::test]
async fn catalog_shows_entries_of_the_workspace_beside_the_built_in_ones() {
    let app = TestApp::start().await;
    let before = keys(&app).await;
    assert!(before.len() >= 25, "{before:?}");
    let file = json!({
        "name": "com.example/weather", "title": "Weather", "description": "Forecasts",
        "version": "1.2.3",
        "packages": [{
            "registryType": "pypi", "identifier": "weather-mcp", "version": "1.2.3",
            "transport": {"type": "stdio"},
            "packageArguments": [{"type": "named", "name": "--units", "value": "metric"}],
            "environmentVariables": [{"name": "WEATHER_KEY", "isSecret": true, "isRequired": true}],
        }],
        "_meta": {"ai.agentarea/catalog": {"egress": ["api.example.com:443"]}},
    });

    // As the registry's own interface gives it.
    let wrapped = json!({"server": file, "_meta": {}});
    let made = app.post("/mcp-catalog", wrapped).await;
    let again = app.post("/mcp-catalog", file.clone()).await;
    let mut built_in = file.clone();
    built_in["name"] = json!("com.example/notion");
    let built_in = app.post("/mcp-catalog", built_in).await;

    assert_eq!(made.status, StatusCode::CREATED, "{}", made.body);
    assert_eq!(made.body["key"], "weather");
    assert_eq!(made.body["is_own"], true);
    assert_eq!(made.body["settings"][0]["is_secret"], true);
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.body);
    assert_eq!(built_in.status, StatusCode::CONFLICT, "{}", built_in.body);
    assert_eq!(keys(&app).await.len(), before.len() + 1);
    let source = json!({"type": "catalog", "key": "weather"});
    let input = json!({"name": "weather", "source": source});
    let incomplete = app.post("/mcp-servers", input).await;
    assert_eq!(
        incomplete.wrong_fields(),
        ["source.values.WEATHER_KEY"],
        "{}",
        incomplete.body
    );

    let gone = app.delete("/mcp-catalog/weather").await;
    let missing = app.delete("/mcp-catalog/weather").await;
    let kept = app.delete("/mcp-catalog/notion").await;

    assert_eq!(gone.status, StatusCode::NO_CONTENT);
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert_eq!(kept.status, StatusCode::NOT_FOUND);
    assert_eq!(keys(&app).await, before);
}

#[tokio::test]
async fn files_that_cannot_be_run_say_why() {
    let app = TestApp::start().await;
    let package = |kind: &str, version: &str| {
        json!({
            "name": "com.example/x", "description": "x", "version": "1",
            "packages": [{"registryType": kind, "identifier": "x", "version": version}],
        })
    };

    for (file, why) in [
        (json!({"name": "no good name!"}), "server.json"),
        (json!({"name": "com.example/x"}), "description"),
        (package("nuget", "1.0"), "nuget"),
        (package("npm", "latest"), "exact"),
    ] {
        let answer = app.post("/mcp-catalog", file).await;
        assert_eq!(answer.wrong_fields(), ["file"], "{}", answer.body);
        let told = answer.body.to_string();
        assert!(told.contains(why), "{told}");
    }
}

#[tokio::test]
async fn image_of_the_catalog_becomes_a_server_that_answers() {
    let Some(site) = Site::start(&[]).await else {
        return;
    };
    let file = json!({
        "name": "com.example/boxed", "description": "x", "version": "1",
        "packages": [{
            "registryType": "oci", "identifier": IMAGE, "transport": {"type": "stdio"},
            "environmentVariables": [{"name": "COLOUR"}],
        }],
    });
    site.app.post("/mcp-catalog", file).await;

    let source = json!({"type": "catalog", "key": "boxed", "values": {"COLOUR": "blue"}});
    let input = json!({"name": "boxed", "source": source});
    let made = site.app.post("/mcp-servers", input).await;

    assert_eq!(made.body["state"], "ready", "{}", made.body);
    assert_eq!(made.body["source"]["image"], IMAGE);
    assert_eq!(
        site.call("boxed__environment", "COLOUR").await.as_deref(),
        Ok("blue")
    );
}
