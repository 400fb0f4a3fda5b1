//! Packages that become images although nobody waits for that.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::site::Site;
use crate::support::eventually;

const PLAIN: &str = "agentarea-test/plain-languages:1";
const HOSTS: &str = "registry.npmjs.org:443,pypi.org:443,files.pythonhosted.org:443";
const PATIENCE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn packages_are_built_at_once_in_view_and_although_whoever_asked_is_gone() {
    let settings = [
        ("AGENTAREA_ALLOW_PRIVATE_HOSTS", HOSTS),
        ("AGENTAREA_CONTAINERS__NODE_FROM", PLAIN),
    ];
    let Some(site) = Site::start(&settings).await else {
        return;
    };
    site.engine.import_plain_languages(PLAIN).await;
    let add = async |name: &str, package: &str| {
        let source = json!({
            "type": "package", "registry": "npm", "name": package, "version": "2026.8.31",
            "resources": {"memory_mb": 256, "pids": 64},
        });
        let input = json!({"name": name, "source": source});
        let is_listed = eventually(async || {
            let listed = site.app.get("/mcp-servers").await.body;
            let mut items = listed["items"].as_array().into_iter().flatten();
            items.any(|server| server["name"] == name)
        });
        // Whoever asks goes away before it is done.
        tokio::select! {
            made = site.app.post("/mcp-servers", input) => panic!("made at once: {}", made.body),
            is_listed = is_listed => assert!(is_listed, "{name} is not there"),
        }
    };

    tokio::join!(
        add("every", "@modelcontextprotocol/server-everything"),
        add("think", "@modelcontextprotocol/server-sequential-thinking"),
    );

    let listed = site.app.get("/mcp-servers").await.body;
    let items = listed["items"].as_array().expect("servers").clone();
    let ids: Vec<String> = items
        .iter()
        .filter_map(|server| server["id"].as_str().map(str::to_owned))
        .collect();
    assert_eq!(ids.len(), 2, "{listed}");
    let begun = Instant::now();
    let mut told = Vec::<Value>::new();
    // Both wait for the same base image, which one of them makes.
    while !told
        .iter()
        .any(|log| log.to_string().contains("RUN mkdir /app"))
    {
        assert!(begun.elapsed() < PATIENCE, "{told:?}");
        told.clear();
        for id in &ids {
            told.push(site.app.get(&format!("/mcp-servers/{id}/logs")).await.body);
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    for id in &ids {
        site.wait_for_long(id, "ready").await;
    }
}
