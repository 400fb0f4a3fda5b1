//! Servers in containers that speak HTTP: a real one of npm, on the machine's own Node.js.

use std::time::{Duration, Instant};

use reqwest::StatusCode;
use serde_json::json;

use super::site::{Site, ask_with};

const BASE: &str = "agentarea-test/languages:1";
const HOSTS: &str = "registry.npmjs.org:443,pypi.org:443,files.pythonhosted.org:443";

#[tokio::test]
async fn package_that_speaks_http_is_reached_and_looked_after() {
    let settings = [
        ("AGENTAREA_ALLOW_PRIVATE_HOSTS", HOSTS),
        ("AGENTAREA_CONTAINERS__NODE_IMAGE", BASE),
        ("AGENTAREA_TOOL_SERVERS__CHECK_EVERY_MS", "600"),
    ];
    let Some(site) = Site::start(&settings).await else {
        return;
    };
    site.engine.import_languages(BASE).await;
    let source = json!({
        "type": "package", "registry": "npm", "name": "@modelcontextprotocol/server-everything",
        "version": "2026.8.31", "command": ["streamableHttp"], "env": {"PORT": "3456"},
        "http": {"port": 3456}, "resources": {"memory_mb": 256, "pids": 64},
    });

    let input = json!({"name": "every", "source": source});
    let id = site.app.post("/mcp-servers", input).await.created();

    let server = site.wait_for_long(&id, "ready").await;
    assert_eq!(
        server["source"]["http"],
        json!({"port": 3456, "path": "/mcp"})
    );
    let arguments = json!({"message": "over HTTP"});
    let answer = ask_with(&site.app, "every__echo", arguments)
        .await
        .expect("an answer");
    let text = answer["result"]["content"][0]["text"]
        .as_str()
        .expect("text");
    assert!(text.contains("over HTTP"), "{answer}");
    let log = site.app.get(&format!("/mcp-servers/{id}/logs")).await.body;
    assert!(log.to_string().contains("3456"), "{log}");

    // It cannot be reached from this machine but through the platform.
    assert!(std::net::TcpStream::connect("127.0.0.1:3456").is_err());

    // Its end is noticed, and the next call starts it again.
    let containers = site.engine.containers().await;
    assert_eq!(
        containers.len(),
        2,
        "the server and its network: {containers:?}"
    );
    for container in &containers {
        let name = container["Id"].as_str().expect("an id");
        site.engine
            .call("POST", &format!("/containers/{name}/kill"))
            .await;
    }
    site.wait_for(&id, "failed").await;
    let begun = Instant::now();
    loop {
        let arguments = json!({"message": "again"});
        let answer = ask_with(&site.app, "every__echo", arguments)
            .await
            .expect("an answer");
        let text = answer["result"]["content"][0]["text"].to_string();
        if text.contains("Echo: again") {
            break;
        }
        assert!(begun.elapsed() < Duration::from_secs(40), "{answer}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    site.app.delete(&format!("/mcp-servers/{id}")).await;
    site.wait_for_no_container().await;
}

#[tokio::test]
async fn server_that_does_not_listen_says_so_and_wrong_ports_are_refused() {
    let Some(site) = Site::start(&[]).await else {
        return;
    };

    let ends = site
        .add(
            "ends",
            json!({"command": ["crash"], "http": {"port": 8080}}),
        )
        .await;
    let wrong = site.add("wrong", json!({"http": {"port": 0}})).await;
    let taken = site.add("taken", json!({"http": {"port": 3128}})).await;
    let path = site
        .add("path", json!({"http": {"port": 80, "path": "mcp?x"}}))
        .await;

    assert_eq!(ends.status, StatusCode::CREATED, "{}", ends.body);
    assert_eq!(ends.body["state"], "failed");
    let reason = ends.body["reason"].as_str().expect("a reason");
    assert!(reason.contains("configuration file not found"), "{reason}");
    for refused in [wrong, taken, path] {
        assert_eq!(refused.wrong_fields(), ["source.http"], "{}", refused.body);
    }
}
