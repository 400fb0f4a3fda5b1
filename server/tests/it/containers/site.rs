//! A platform beside a container engine of its own.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use sqlx::Connection;
use testkit::engine::FaultyEngine;
use testkit::{TestDb, TestEngine};

use crate::support::{Answer, Program, TestApp};

pub const IMAGE: &str = "agentarea-test/tool-server:1";

/// A platform beside an engine of its own.
pub struct Site {
    pub app: TestApp,
    pub engine: TestEngine,
    db: TestDb,
}

impl Site {
    pub async fn start(settings: &[(&str, &str)]) -> Option<Self> {
        let engine = TestEngine::start().await?;
        engine.import_tool_server(IMAGE).await;
        let db = TestDb::create().await;
        let program = program(&db, &engine, settings);
        let app = TestApp::on(program).await;
        Some(Self { app, engine, db })
    }

    /// A platform whose engine fails as it is told to.
    pub async fn start_behind_faults(settings: &[(&str, &str)]) -> Option<(Self, FaultyEngine)> {
        let engine = TestEngine::start().await?;
        engine.import_tool_server(IMAGE).await;
        let faults = engine.behind_faults();
        let db = TestDb::create().await;
        let mut program = program(&db, &engine, settings);
        program.set("DOCKER_HOST", &faults.address());
        let app = TestApp::on(program).await;
        Some((Self { app, engine, db }, faults))
    }

    /// Another process of the fleet, on the same engine.
    pub async fn beside(&self, settings: &[(&str, &str)]) -> TestApp {
        let program = program(&self.db, &self.engine, settings);
        self.app.beside(program).await
    }

    /// The platform's database, as its owner sees it.
    pub async fn database(&self) -> sqlx::PgConnection {
        let connected = sqlx::PgConnection::connect(&self.db.url()).await;
        connected.expect("the database")
    }

    pub async fn add(&self, name: &str, more: Value) -> Answer {
        let mut source = json!({
            "type": "container", "image": IMAGE, "resources": {"memory_mb": 32, "pids": 32},
        });
        for (key, value) in more.as_object().expect("an object") {
            source[key] = value.clone();
        }
        let input = json!({"name": name, "source": source});
        self.app.post("/mcp-servers", input).await
    }

    /// Calls a tool through the gateway: its text, or why there is none.
    pub async fn call(&self, tool: &str, value: &str) -> Result<String, String> {
        call(&self.app, tool, value).await
    }

    /// The same: the whole result.
    pub async fn call_whole(&self, tool: &str, value: &str) -> Value {
        let answer = ask_with(&self.app, tool, json!({"value": value})).await;
        answer.expect("an answer")["result"].clone()
    }

    /// Has a server end so often. After the third time it is failed for four seconds, and is started
    /// again by itself then.
    pub async fn end(&self, name: &str, times: usize) {
        let tool = format!("{name}__end");
        for _ in 0..times {
            self.call(&tool, "9").await.expect_err("it ends");
        }
    }

    /// Asks for a server until it is as wanted.
    pub async fn wait_for(&self, id: &str, state: &str) -> Value {
        self.wait_within(id, state, Duration::from_secs(30)).await
    }

    /// The same where an image has to be built first.
    pub async fn wait_for_long(&self, id: &str, state: &str) -> Value {
        self.wait_within(id, state, Duration::from_secs(180)).await
    }

    async fn wait_within(&self, id: &str, state: &str, patience: Duration) -> Value {
        let begun = Instant::now();
        loop {
            let server = self.app.get(&format!("/mcp-servers/{id}")).await.body;
            if server["state"] == state {
                return server;
            }
            assert!(begun.elapsed() < patience, "not {state}: {server}");
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    pub async fn wait_for_no_container(&self) {
        let begun = Instant::now();
        while !self.engine.containers().await.is_empty() {
            assert!(
                begun.elapsed() < Duration::from_secs(30),
                "a container is left"
            );
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

fn program(db: &TestDb, engine: &TestEngine, settings: &[(&str, &str)]) -> Program {
    let mut program = Program::new(Some(db.url()));
    program.set("DOCKER_HOST", &engine.address());
    for (name, value) in settings {
        program.set(name, value);
    }
    program
}

/// Calls a tool through a server's gateway: its text, or why there is none.
pub async fn call(app: &TestApp, tool: &str, value: &str) -> Result<String, String> {
    let answer = ask_with(app, tool, json!({"value": value})).await?;
    let result = &answer["result"];
    match (result["content"][0]["text"].as_str(), &result["isError"]) {
        (Some(text), Value::Bool(true)) => Err(text.to_owned()),
        (Some(text), _) => Ok(text.to_owned()),
        _ => Err(answer.to_string()),
    }
}

/// Calls a tool through a server's gateway: the whole message that answers.
pub async fn ask_with(app: &TestApp, tool: &str, arguments: Value) -> Result<Value, String> {
    let version = "2026-07-28";
    let meta = json!({
        "io.modelcontextprotocol/protocolVersion": version,
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
    });
    let params = json!({"name": tool, "arguments": arguments, "_meta": meta});
    let message = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": params});
    let request = app
        .client
        .post(app.url("/mcp"))
        .bearer_auth(&app.key)
        .header("accept", "application/json, text/event-stream")
        .header("mcp-protocol-version", version)
        .header("mcp-method", "tools/call")
        .header("mcp-name", tool);
    let sent = request.json(&message).send().await;
    // A process that is killed answers nobody.
    Ok(Answer::read(sent.map_err(|error| error.to_string())?)
        .await
        .body)
}
