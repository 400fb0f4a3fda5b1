//! What comes with the answer of a tool, and what is kept of a call.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use testkit::ScriptedModel;
use testkit::scripted_model::Answer as Scripted;

use super::site::{IMAGE, Site};
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
async fn refused_connection_is_told_where_nobody_may_be_reached() {
    let settings = [("AGENTAREA_TOOL_SERVERS__IDLE_SECONDS", "2")];
    let Some(site) = Site::start(&settings).await else {
        return;
    };
    let id = site.add("tools", json!({})).await.created();
    let told = async || {
        let refused = site
            .call_whole("tools__fetch", "elsewhere.example:443")
            .await;
        let note = refused["content"][1]["text"].as_str().map(str::to_owned);
        note.unwrap_or_else(|| panic!("no note: {refused}"))
    };

    let first = told().await;
    site.wait_for(&id, "asleep").await;
    site.wait_for_no_container().await;
    let awake = told().await;

    assert!(first.contains(REFUSED), "{first}");
    assert!(awake.contains(REFUSED), "{awake}");
    let path = format!("/mcp-servers/{id}/container");
    let report = site.app.get(&path).await.body;
    let listed = &report["refusals"][0];
    assert_eq!(listed["target"], "elsewhere.example:443", "{report}");
    let reached = site.call("tools__connect", "192.0.2.1:443").await;
    assert!(reached.is_err(), "{reached:?}");
}

#[tokio::test]
async fn refused_connection_is_told_although_the_call_has_no_answer() {
    let settings = [("AGENTAREA_TOOL_SERVERS__CALL_SECONDS", "3")];
    let Some(site) = Site::start(&settings).await else {
        return;
    };
    let egress = json!({"egress": ["example.com:443"]});
    site.add("tools", egress).await.created();

    let silent = site.call("tools__silence", "elsewhere.example:443").await;
    let silent = silent.expect_err("silence");
    let lost = site.call("tools__fetch", "elsewhere.example:443,end").await;
    let lost = lost.expect_err("it ended");

    assert!(silent.contains("did not answer within"), "{silent}");
    assert!(silent.contains(REFUSED), "{silent}");
    assert!(lost.contains("lost"), "{lost}");
    assert!(lost.contains(REFUSED), "{lost}");
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

#[tokio::test]
async fn secret_that_a_server_tells_is_hidden_wherever_its_words_are_shown() {
    let Some(site) = Site::start(&[]).await else {
        return;
    };
    let secrets = json!({"secrets": {"TOKEN": "canary-of-the-box"}});
    let id = site.add("tools", secrets).await.created();

    site.end("tools", 2).await;
    site.call("tools__tell", "TOKEN").await.expect("told");
    site.end("tools", 1).await;

    let failed = site.wait_for(&id, "failed").await;
    let reason = failed["reason"].as_str().expect("a reason");
    assert!(reason.contains("told to say •••"), "{reason}");
    let log = site.app.get(&format!("/mcp-servers/{id}/logs")).await.body;
    let log = log.to_string();
    assert!(log.contains("told to say •••"), "{log}");
    assert!(!log.contains("canary-of-the-box"), "{log}");
}

#[tokio::test]
async fn answer_that_is_too_long_is_an_error_at_once_and_harms_nobody() {
    let Some(site) = Site::start(&[]).await else {
        return;
    };
    site.add("tools", json!({})).await.created();
    let before = only_container(&site).await;
    let begun = Instant::now();

    let refused = site.call("tools__output", "5000000").await;

    let refused = refused.expect_err("too long");
    assert!(refused.contains("more than 4 MiB"), "{refused}");
    assert!(begun.elapsed() < Duration::from_secs(20));
    let long = site.call("tools__output", "4000000").await;
    assert_eq!(long.map(|text| text.len()), Ok(4_000_000));
    assert_eq!(only_container(&site).await, before);
}

#[tokio::test]
async fn call_that_times_out_does_not_end_the_calls_of_others() {
    let settings = [("AGENTAREA_TOOL_SERVERS__CALL_SECONDS", "6")];
    let Some(site) = Site::start(&settings).await else {
        return;
    };
    site.add("tools", json!({})).await.created();
    let before = only_container(&site).await;
    let patient = async {
        tokio::time::sleep(Duration::from_millis(4_000)).await;
        site.call("tools__later", "4000").await
    };
    let silent = async {
        let silence = site.call("tools__silence", "").await;
        // Formerly this call began a new container, while the patient one waits for the old.
        (silence, site.call("tools__echo", "next").await)
    };

    let (patient, (silent, next)) = tokio::join!(patient, silent);

    let silent = silent.expect_err("silence");
    assert!(silent.contains("within 6 s"), "{silent}");
    assert_eq!(next.as_deref(), Ok("next"));
    assert_eq!(patient.as_deref(), Ok("4000"));
    assert_eq!(only_container(&site).await, before);
}

#[tokio::test]
async fn server_that_nobody_uses_sleeps_and_wakes_for_the_next_call() {
    let settings = [("AGENTAREA_TOOL_SERVERS__IDLE_SECONDS", "2")];
    let Some(site) = Site::start(&settings).await else {
        return;
    };
    let id = site.add("tools", json!({})).await.created();

    let asleep = site.wait_for(&id, "asleep").await;

    site.wait_for_no_container().await;
    assert_eq!(asleep["reason"], Value::Null);
    let tools = site.app.get(&format!("/mcp-servers/{id}/tools")).await.body;
    assert_eq!(tools["items"].as_array().map(Vec::len), Some(8), "{tools}");
    assert!(
        site.engine.containers().await.is_empty(),
        "listing wakes nobody"
    );
    assert_eq!(
        site.call("tools__echo", "awake").await.as_deref(),
        Ok("awake")
    );
    site.wait_for(&id, "ready").await;
}

async fn only_container(site: &Site) -> Value {
    let containers = site.engine.servers().await;
    assert_eq!(containers.len(), 1, "{containers:?}");
    containers[0]["Id"].clone()
}

#[tokio::test]
async fn image_that_the_engine_has_lost_is_fetched_anew() {
    let settings = [("AGENTAREA_TOOL_SERVERS__IDLE_SECONDS", "1")];
    let Some(site) = Site::start(&settings).await else {
        return;
    };
    let id = site.add("tools", json!({})).await.created();
    let asleep = site.wait_for(&id, "asleep").await;
    let lost = asleep["source"]["pinned_image"].as_str().expect("an id");
    site.wait_for_no_container().await;

    let removed = format!("/images/{lost}?force=1");
    assert_eq!(site.engine.call("DELETE", &removed).await.0, 200);
    let found = site.engine.import_tool_server(IMAGE).await;
    let answer = site.call("tools__echo", "back").await;

    assert_eq!(answer.as_deref(), Ok("back"));
    let path = format!("/mcp-servers/{id}");
    let pinned = &site.app.get(&path).await.body["source"]["pinned_image"];
    assert_eq!(pinned, &Value::String(found));
    assert_ne!(pinned, lost);
}

#[tokio::test]
async fn images_of_the_platform_itself_are_refused() {
    let Some(site) = Site::start(&[]).await else {
        return;
    };

    for image in ["agentarea/relay", "localhost/agentarea/package:1"] {
        let answer = site.add("tools", json!({"image": image})).await;
        assert_eq!(answer.wrong_fields(), ["source.image"], "{}", answer.body);
    }
}
