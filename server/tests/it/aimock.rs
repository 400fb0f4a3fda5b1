//! Model providers as another program imitates them: npm's `@copilotkit/aimock`, which knows nothing
//! of this one.
//!
//! `scripts/mcp-peers.sh` fetches it; without it this test is skipped.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::json;
use testkit::{check_gapless, inputs, not_tested};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::TestApp;
use crate::tools::{of_type, types};

/// What it says, by what it is asked.
const FIXTURES: &str = include_str!("../../../end2end/peers/aimock.json");
const PROGRAM: &str = "node_modules/@copilotkit/aimock/dist/cli.js";

/// The program at work; it ends when this is dropped.
struct Aimock {
    _child: Child,
    _fixtures: tempfile::NamedTempFile,
    origin: String,
}

impl Aimock {
    /// `None` if it is not installed.
    async fn start() -> Option<Self> {
        let home = std::env::var_os("HOME").map(PathBuf::from)?;
        let folder = home.join(".cache/agentarea/mcp-peers");
        if !folder.join(PROGRAM).is_file() {
            not_tested("another's mock of model providers: scripts/mcp-peers.sh failed");
            return None;
        }
        let fixtures = tempfile::Builder::new().suffix(".json").tempfile();
        let fixtures = fixtures.expect("a file");
        std::fs::write(fixtures.path(), FIXTURES).expect("write what it says");
        let mut child = Command::new(folder.join("node_modules/node/bin/node"))
            .arg(folder.join(PROGRAM))
            .args(["--port", "0", "--chunk-size", "7", "--strict", "--fixtures"])
            .arg(fixtures.path())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("start it");
        let mut lines = BufReader::new(child.stdout.take().expect("its words")).lines();
        let origin = loop {
            let line = lines.next_line().await.expect("its words");
            let line = line.expect("it ended before it listened");
            if let Some((_, origin)) = line.split_once("listening on ") {
                break origin.trim().to_owned();
            }
        };
        // Somebody must read what else it says.
        tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
        Some(Self {
            _child: child,
            _fixtures: fixtures,
            origin,
        })
    }
}

#[tokio::test]
async fn every_wire_format_is_understood_as_another_program_writes_it() {
    let Some(aimock) = Aimock::start().await else {
        return;
    };
    let app = TestApp::start().await;
    for (kind, path, model) in [
        ("openai", "/v1", "gpt-5-mini"),
        ("openai_responses", "/v1", "gpt-5-mini"),
        ("openai_compatible", "/v1", "another"),
        ("anthropic", "", "claude-haiku-4-5"),
        ("gemini", "", "gemini-2.5-flash"),
        ("ollama", "", "qwen3:8b"),
    ] {
        let base_url = format!("{}{path}", aimock.origin);
        let input = json!({"name": kind, "kind": kind, "base_url": base_url, "api_key": "sk-x"});
        let connection = app.post("/model-connections", input).await.created();
        let mut input = inputs::agent(kind, &connection, model);
        input["tools"] = json!([{"builtin": "calculator"}]);
        let agent = app.post("/agents", input).await.created();
        let conversation = app.create_conversation(&agent).await;

        app.ask(&conversation, "What is six times seven?").await;
        let log = app.log(&conversation).await;

        check_gapless(&log).expect("no gap");
        assert_eq!(
            types(&log).last(),
            Some(&"run_completed"),
            "{kind}: {log:?}"
        );
        let started = of_type(&log, "tool_call_started");
        assert_eq!(started.len(), 1, "{kind}");
        assert_eq!(
            started[0]["arguments"],
            json!({"expression": "6*7"}),
            "{kind}"
        );
        assert_eq!(of_type(&log, "tool_call_completed")[0]["result"], "42");
        let said: Vec<_> = of_type(&log, "message_completed")
            .iter()
            .map(|message| message["text"].as_str().expect("text").to_owned())
            .collect();
        assert_eq!(
            said,
            [
                "Let me calculate that for you.",
                "Six times seven is 42, né漢🌍 says another program.",
            ],
            "{kind}"
        );
    }
}
