//! Containers that fall silent, and an engine that goes away.

use std::time::{Duration, Instant};

use serde_json::json;

use super::site::Site;

const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn container_that_answers_no_ping_becomes_a_new_one() {
    let settings = [
        ("AGENTAREA_TOOL_SERVERS__CHECK_EVERY_MS", "300"),
        ("AGENTAREA_TOOL_SERVERS__CHECK_TIMEOUT_MS", "2000"),
    ];
    let Some(site) = Site::start(&settings).await else {
        return;
    };
    let id = site.add("tools", json!({})).await.created();
    let before = site.engine.servers().await[0]["Id"].clone();
    let frozen = before.as_str().expect("an id");

    let pause = format!("/containers/{frozen}/pause");
    assert_eq!(site.engine.call("POST", &pause).await.0, 204);

    let begun = Instant::now();
    let after = loop {
        let servers = site.engine.servers().await;
        match &servers[..] {
            [only] if only["Id"] != before => break only["Id"].clone(),
            _ => assert!(begun.elapsed() < PATIENCE, "{servers:?}"),
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    site.wait_for(&id, "ready").await;
    let answer = site.call("tools__echo", "back").await;
    assert_eq!(answer.as_deref(), Ok("back"));
    assert_eq!(site.engine.servers().await[0]["Id"], after);
}

#[tokio::test]
async fn servers_go_on_after_the_engine_was_restarted() {
    let Some(mut site) = Site::start(&[]).await else {
        return;
    };
    let id = site.add("tools", json!({})).await.created();
    let other = site.add("others", json!({})).await.created();

    site.engine.restart().await;

    for tool in ["tools__echo", "others__echo"] {
        let begun = Instant::now();
        while let Err(error) = site.call(tool, "back").await {
            assert!(begun.elapsed() < PATIENCE, "{error}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
    site.wait_for(&id, "ready").await;
    site.wait_for(&other, "ready").await;
    let begun = Instant::now();
    loop {
        let servers = site.engine.servers().await;
        let are_running = servers.iter().all(|server| server["State"] == "running");
        if servers.len() == 2 && are_running {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "{servers:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
