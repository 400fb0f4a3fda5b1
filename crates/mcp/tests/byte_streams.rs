//! Servers that speak by standard input and output, as those in containers do.
//!
//! `scripts/mcp-peers.sh` fetches the official ones; without them those tests are skipped.

use std::path::PathBuf;
use std::process::Stdio;
use std::sync::Mutex;
use std::time::{Duration, Instant};

use mcp::{CallError, CallOptions, Connection, Patience, Progress, ToolOutput};
use serde_json::{Map, Value, json};
use testkit::not_tested;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio_util::sync::CancellationToken;

fn peers() -> Option<PathBuf> {
    let home = std::env::var_os("HOME").map(PathBuf::from)?;
    let folder = home.join(".cache/agentarea/mcp-peers");
    if !folder.join("stamp").is_file() {
        not_tested("other programs of the protocol, conformance: scripts/mcp-peers.sh failed");
        return None;
    }
    Some(folder)
}

async fn connect(command: &mut Command) -> (Child, Connection) {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("start the server");
    let (read, write) = (child.stdout.take(), child.stdin.take());
    let connection = Connection::open_stream(read.expect("output"), write.expect("input")).await;
    (child, connection.expect("a connection"))
}

async fn call(
    connection: &Connection,
    tool: &str,
    arguments: Value,
) -> Result<ToolOutput, CallError> {
    let arguments: Map<String, Value> = arguments.as_object().cloned().unwrap_or_default();
    let options = CallOptions {
        patience: Patience {
            silence: Duration::from_secs(30),
            longest: Duration::from_secs(30),
        },
        cancel: &CancellationToken::new(),
        on_progress: None,
        on_log: None,
        on_question: None,
    };
    connection.call_tool(tool, arguments, options).await
}

#[tokio::test]
async fn server_of_the_newest_revision_lists_and_answers() {
    let Some(folder) = peers() else { return };
    let mut command = Command::new(folder.join("venv/bin/python"));
    command.args(["-m", "mcp_server_time"]);

    let (_child, connection) = connect(&mut command).await;
    let tools = connection.list_tools().await.expect("tools");
    let answer = call(&connection, "get_current_time", json!({"timezone": "UTC"})).await;

    assert_eq!(connection.profile().protocol_version, "2026-07-28");
    let names: Vec<_> = tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["get_current_time", "convert_time"]);
    let answer = answer.expect("an answer");
    assert!(
        !answer.is_error() && answer.text().contains("\"UTC\""),
        "{}",
        answer.text()
    );
}

#[tokio::test]
async fn server_with_a_handshake_lists_answers_and_tells_of_progress() {
    let Some(folder) = peers() else { return };
    let mut command = Command::new("node");
    let program = "node_modules/@modelcontextprotocol/server-everything/dist/index.js";
    command.arg(folder.join(program)).arg("stdio");

    let (_child, connection) = connect(&mut command).await;
    let offers = connection.list_offers().await;
    let steps = Mutex::new(Vec::<Progress>::new());
    let tell = |step| steps.lock().expect("no holder panics").push(step);
    let options = CallOptions {
        patience: Patience {
            silence: Duration::from_secs(30),
            longest: Duration::from_secs(30),
        },
        cancel: &CancellationToken::new(),
        on_progress: Some(&tell),
        on_log: None,
        on_question: None,
    };
    let arguments = json!({"duration": 0.5, "steps": 3});
    let arguments = arguments.as_object().cloned().expect("an object");
    let answer = connection.call_tool("trigger-long-running-operation", arguments, options);
    let answer = answer.await.expect("an answer");

    assert_eq!(connection.profile().protocol_version, "2025-11-25");
    assert!(
        !offers.prompts.is_empty() && !offers.resources.is_empty(),
        "{offers:?}"
    );
    assert!(answer.text().contains("completed"), "{}", answer.text());
    let steps = steps.into_inner().expect("no holder panics");
    assert!(
        !steps.is_empty() && steps.iter().all(|step| step.total == Some(3.0)),
        "{steps:?}"
    );
}

#[tokio::test]
async fn stream_of_garbage_ends_as_an_error_in_bounded_memory() {
    let (ours, mut theirs) = tokio::io::duplex(64 * 1024);
    let flood = tokio::spawn(async move {
        let mut sink = vec![0; 1024];
        // One line without end, longer than any message that is read.
        while theirs.write_all(&[b'x'; 4096]).await.is_ok() {
            let read = tokio::time::timeout(Duration::ZERO, theirs.read(&mut sink));
            let _ = read.await;
        }
    });
    let started = Instant::now();
    let (read, write) = tokio::io::split(ours);

    let opened = Connection::open_stream(read, write).await;

    let error = opened.expect_err("no server").to_string();
    assert!(error.contains("did not answer within 20 s"), "{error}");
    assert!(started.elapsed() < Duration::from_secs(25));
    flood.abort();
}
