//! Secrets of tool servers: headers, and the environment of containers.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::tool_server::Era;
use testkit::{TestEngine, ToolServer};

use super::asker::Asker;
use super::cages::Cages;
use crate::containers::site::IMAGE;
use crate::support::client;

/// Adds servers with secrets, has their tools called and looks at what is shown of them; answers
/// their ids.
pub async fn plant(
    cages: &mut Cages,
    asker: &Asker<'_>,
    engine: Option<&TestEngine>,
) -> Vec<String> {
    let tools = ToolServer::start(Era::Modern).await;
    let header = format!("Bearer {}", cages.plant("header of a tool server"));
    let source = json!({
        "type": "remote", "url": tools.url(), "headers": {"authorization": header},
    });
    let remote = add(cages, asker, "remote", source).await;
    call(cages, asker, "remote__echo", json!({"text": "hello"})).await;
    let Some(engine) = engine else {
        return vec![remote];
    };

    engine.import_tool_server(IMAGE).await;
    let secret = cages.plant("environment of a container");
    let source = json!({
        "type": "container", "image": IMAGE, "resources": {"memory_mb": 32, "pids": 32},
        "secrets": {"TOKEN": secret},
    });
    let id = add(cages, asker, "boxed", source).await;
    call(cages, asker, "boxed__tell", json!({"value": "TOKEN"})).await;
    call(cages, asker, "boxed__end", json!({"value": "9"})).await;
    let path = format!("/mcp-servers/{id}");
    let mut failed = String::new();
    while !failed.contains("exit code 9") {
        failed = asker.get(&path).await;
    }
    cages.see("failed server", &failed);
    let logs = asker.get(&format!("{path}/logs")).await;
    assert!(logs.contains("told to say"), "{logs}");
    cages.see("log of a container", &logs);
    let images = engine.images().await;
    assert!(!images.is_empty());
    for (id, archive) in images {
        cages.see(&format!("image {id}"), &String::from_utf8_lossy(&archive));
    }
    // One whose container runs while its page is looked at.
    let secret = cages.plant("environment of a container that runs");
    let source = json!({
        "type": "container", "image": IMAGE, "resources": {"memory_mb": 32, "pids": 32},
        "secrets": {"TOKEN": secret},
    });
    let running = add(cages, asker, "running", source).await;
    call(cages, asker, "running__tell", json!({"value": "TOKEN"})).await;
    let path = format!("/mcp-servers/{running}");
    for path in [path.clone(), format!("{path}/container")] {
        let told = asker.get(&path).await;
        cages.see(&path, &told);
    }
    vec![remote, id, running]
}

async fn add(cages: &mut Cages, asker: &Asker<'_>, name: &str, source: Value) -> String {
    let input = json!({"name": name, "source": source});
    let made = asker.send(Method::POST, "/mcp-servers", Some(&input), "");
    let made = made.await;
    cages.see("tool server", &made);
    let made: Value = serde_json::from_str(&made).expect("JSON");
    assert_eq!(made["state"], "ready", "{made}");
    made["id"].as_str().expect("an id").to_owned()
}

async fn call(cages: &mut Cages, asker: &Asker<'_>, tool: &str, arguments: Value) {
    let version = "2026-07-28";
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    });
    let params = json!({"name": tool, "arguments": arguments, "_meta": meta});
    let message = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
    let request = client()
        .post(asker.program.url("/mcp"))
        .bearer_auth(&asker.key)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", version)
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool);
    let answer = request.json(&message).send().await.expect("an answer");
    cages.see("answer of a tool", &answer.text().await.expect("text"));
}
