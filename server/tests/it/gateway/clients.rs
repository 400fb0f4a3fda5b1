//! The official servers behind the gateway, and the official clients in front of it.
//!
//! `scripts/mcp-peers.sh` fetches them; without them these tests are skipped.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use testkit::scripted_model::Answer as Scripted;
use testkit::{ScriptedModel, free_port, not_tested};

use super::{LEGACY, MODERN, call};
use crate::mcp_servers::remote;
use crate::support::{TestApp, eventually};
use crate::tools::{agent_with, of_type};

/// Where the programs are, if they are there.
pub fn peers() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from)?;
    let folder = home.join(".cache/agentarea/mcp-peers");
    if !folder.join("stamp").is_file() {
        not_tested("other programs of the protocol, conformance: scripts/mcp-peers.sh failed");
        return None;
    }
    Some(folder)
}

/// A server of somebody else's; killed when dropped.
struct Peer {
    child: Child,
    url: String,
}

impl Peer {
    #[allow(clippy::zombie_processes, reason = "it is waited for when dropped")]
    async fn start(command: &mut Command, port: u16) -> Self {
        let child = command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("start the peer");
        let url = format!("http://127.0.0.1:{port}/mcp");
        for _ in 0..600 {
            let open = tokio::net::TcpStream::connect(("127.0.0.1", port)).await;
            if open.is_ok() {
                return Self { child, url };
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{url} was never there");
    }

    async fn everything() -> Option<Self> {
        let folder = peers()?;
        let port = free_port();
        let program = "node_modules/@modelcontextprotocol/server-everything/dist/index.js";
        let mut command = Command::new("node");
        command.args([program, "streamableHttp"]);
        command.current_dir(folder).env("PORT", port.to_string());
        Some(Self::start(&mut command, port).await)
    }

    async fn time() -> Option<Self> {
        let folder = peers()?;
        let port = free_port();
        let mut command = Command::new(folder.join("venv/bin/python"));
        command.args(["time_server.py", &port.to_string()]);
        command.current_dir(folder);
        Some(Self::start(&mut command, port).await)
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a client to its end; gives what it printed.
async fn run(command: &mut Command) -> Value {
    let mut command =
        tokio::process::Command::from(std::mem::replace(command, Command::new("true")));
    let ended = tokio::time::timeout(Duration::from_secs(60), command.output()).await;
    let output = ended.expect("the client ends").expect("the client runs");
    let told = String::from_utf8_lossy(&output.stdout);
    let faults = String::from_utf8_lossy(&output.stderr);
    serde_json::from_str(&told).unwrap_or_else(|_| panic!("{told}\n{faults}"))
}

#[tokio::test]
async fn official_servers_work_as_remote_servers() {
    let (Some(everything), Some(time)) = (Peer::everything().await, Peer::time().await) else {
        return;
    };
    let app = TestApp::start().await;

    let old = app
        .post("/mcp-servers", remote("everything", &everything.url))
        .await;
    let new = app.post("/mcp-servers", remote("time", &time.url)).await;
    assert_eq!(old.body["state"], "ready", "{}", old.body);
    assert_eq!(old.body["protocol_version"], LEGACY);
    assert!(
        !old.body["offers"]["prompts"]
            .as_array()
            .expect("prompts")
            .is_empty()
    );
    assert!(
        !old.body["offers"]["resources"]
            .as_array()
            .expect("resources")
            .is_empty()
    );
    assert_eq!(new.body["state"], "ready", "{}", new.body);
    assert_eq!(new.body["protocol_version"], MODERN);

    let sum = call(
        &app,
        MODERN,
        "everything__get-sum",
        json!({"a": 40, "b": 2}),
    )
    .await;
    assert!(sum.to_string().contains("42"), "{sum}");
    let image = call(&app, LEGACY, "everything__get-tiny-image", json!({})).await;
    assert!(image.to_string().contains("image/png"), "{image}");
    let structured = json!({"location": "New York"});
    let structured = call(
        &app,
        MODERN,
        "everything__get-structured-content",
        structured,
    )
    .await;
    assert!(structured["structuredContent"].is_object(), "{structured}");
    let now = json!({"timezone": "Europe/Paris"});
    let now = call(&app, LEGACY, "time__get_current_time", now).await;
    assert_eq!(
        now["structuredContent"]["timezone"], "Europe/Paris",
        "{now}"
    );
}

/// One of them speaks the older revision, the other the newer.
#[tokio::test]
async fn agents_use_official_servers() {
    let (Some(everything), Some(time)) = (Peer::everything().await, Peer::time().await) else {
        return;
    };
    let app = TestApp::start().await;
    let model = ScriptedModel::start().await;
    let every = remote("everything", &everything.url);
    let every = app.post("/mcp-servers", every).await.created();
    let time = remote("time", &time.url);
    let time = app.post("/mcp-servers", time).await.created();
    let tools = json!([
        {"server_id": every, "name": "get-sum", "approval": "never"},
        {"server_id": every, "name": "get-tiny-image", "approval": "never"},
        {"server_id": time, "name": "convert_time", "approval": "always"},
    ]);
    let agent = agent_with(&app, &model, tools).await;
    let conversation = app.create_conversation(&agent).await;
    let noon = r#"{"source_timezone":"UTC","time":"12:00","target_timezone":"Asia/Tokyo"}"#;
    model.next(Scripted::tool_calls(&[
        ("a", "everything__get-sum", r#"{"a":40,"b":2}"#),
        ("b", "everything__get-tiny-image", "{}"),
        ("c", "time__convert_time", noon),
        ("d", "everything__get-sum", r#"{"a":"many"}"#),
    ]));
    model.next(Scripted::text("Done."));

    app.ask(&conversation, "calculate").await;
    let is_asked = eventually(async || {
        let approvals = app.get("/approvals").await.body;
        approvals["items"][0].is_object()
    });
    assert!(is_asked.await, "nobody is asked");
    let approval = app.get("/approvals").await.body["items"][0].clone();
    let path = format!(
        "/approvals/{}/decision",
        approval["id"].as_str().expect("an id")
    );
    app.post(&path, json!({"decision": "approve"})).await;
    let log = app.log(&conversation).await;

    assert_eq!(log.last().expect("an end").event, "run_completed");
    let results = of_type(&log, "tool_call_completed");
    let has = |words: &str| {
        results
            .iter()
            .any(|it| it["result"].to_string().contains(words))
    };
    assert!(has("42"), "{results:?}");
    assert!(has("21:00"), "{results:?}");
    let failed = results.iter().filter(|it| it["is_error"] == true).count();
    assert_eq!(failed, 1, "{results:?}");
    let asked = &model.requests()[0]["tools"];
    assert_eq!(asked.as_array().expect("tools").len(), 3);
    let calls = app.get("/usage/calls").await.body;
    assert!(calls.to_string().contains("time__convert_time"), "{calls}");
}

#[tokio::test]
async fn official_clients_list_and_call() {
    let (Some(folder), Some(time)) = (peers(), Peer::time().await) else {
        return;
    };
    let app = TestApp::start().await;
    app.post("/mcp-servers", remote("time", &time.url))
        .await
        .created();
    let arguments = r#"{"timezone": "Europe/Paris"}"#;
    let input = [
        &app.url("/mcp"),
        &app.key,
        "time__get_current_time",
        arguments,
    ];

    let mut typescript = Command::new("node");
    typescript
        .arg("client.mjs")
        .args(input)
        .current_dir(&folder);
    let typescript = run(&mut typescript).await;
    let python = |mode: &str| {
        let mut command = Command::new(folder.join("venv/bin/python"));
        command
            .arg("client.py")
            .args(input)
            .arg(mode)
            .current_dir(&folder);
        command
    };
    let modern = run(&mut python("auto")).await;
    let legacy = run(&mut python("legacy")).await;

    for told in [&typescript, &modern, &legacy] {
        let tools = told["tools"].as_array().expect("tools");
        assert!(tools.contains(&json!("time__get_current_time")), "{told}");
        let zone = &told["result"]["structuredContent"]["timezone"];
        assert_eq!(zone, "Europe/Paris", "{told}");
    }
    assert_eq!(modern["version"], MODERN);
    assert_eq!(legacy["version"], LEGACY);
}
