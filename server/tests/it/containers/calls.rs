//! What comes with the answer of a tool, and what is kept of a call.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::ScriptedModel;
use testkit::scripted_model::Answer as Scripted;

use super::site::Site;
use crate::tools::{agent_with, of_type};

const REFUSED: &str = "elsewhere.example:443 (not on the server's allow-list)";

#[tokio::test]
async fn refused_connection_is_told_with_the_call_that_wanted_it() {
    let Some(site) = Site::start(&[]).await else {
        return;
    };
    let id = site
        .add("tools", json!({"egress": ["example.com:443"]}))
        .await
        .created();

    let quiet = site.call_whole("tools__echo", "hello").await;
    let refused = site
        .call_whole("tools__fetch", "elsewhere.example:443")
        .await;
    let after = site.call_whole("tools__echo", "hello").await;

    assert_eq!(
        quiet["content"].as_array().map(Vec::len),
        Some(1),
        "{quiet}"
    );
    assert_eq!(
        after["content"].as_array().map(Vec::len),
        Some(1),
        "{after}"
    );
    let note = refused["content"][1]["text"].as_str().expect("a note");
    assert!(note.contains(REFUSED), "{note}");

    // The model is told, and whoever reads the conversation.
    let model = ScriptedModel::start().await;
    let tools = json!([{"server_id": id, "name": "fetch", "approval": "never"}]);
    let agent = agent_with(&site.app, &model, tools).await;
    let conversation = site.app.create_conversation(&agent).await;
    let call = (
        "call_a",
        "tools__fetch",
        r#"{"value":"elsewhere.example:443"}"#,
    );
    model.next(Scripted::tool_calls(&[call]));
    model.next(Scripted::text("It may not."));
    site.app.ask(&conversation, "reach out").await;
    let log = site.app.log(&conversation).await;
    let completed = of_type(&log, "tool_call_completed");
    let result = completed[0]["result"].as_str().expect("a result");
    assert!(result.contains(REFUSED), "{result}");
    let told = model.requests().last().expect("a request").to_string();
    assert!(told.contains("elsewhere.example:443 (not on"), "{told}");
}

#[tokio::test]
async fn use_of_a_container_is_sampled_for_its_graphs() {
    let Some(site) = Site::start(&[]).await else {
        return;
    };
    let id = site.add("tools", json!({})).await.created();
    let begun = Instant::now();

    let samples = loop {
        let path = format!("/mcp-servers/{id}/container");
        let report = site.app.get(&path).await.body;
        let samples = report["samples"].as_array().cloned().unwrap_or_default();
        if samples.len() >= 2 {
            break samples;
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "{report}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    };

    for sample in &samples {
        assert!(
            sample["memory_bytes"].as_u64().is_some_and(|it| it > 0),
            "{sample}"
        );
        assert!(
            sample["cpu_millis"].as_u64().is_some_and(|it| it < 1500),
            "{sample}"
        );
    }
    let times: Vec<&Value> = samples.iter().map(|sample| &sample["time"]).collect();
    assert!(
        times
            .windows(2)
            .all(|two| two[0].as_str() < two[1].as_str())
    );
}
