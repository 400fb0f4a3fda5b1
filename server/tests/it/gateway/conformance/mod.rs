//! The official conformance suite against the gateway, in both revisions.
//!
//! It runs against `/mcp/fixture`: a server behind the gateway that has all the suite asks for, so
//! that every answer has passed through both halves of the product and, for clients of 2025, from one
//! revision into the other.

mod proxy;
mod server;
mod tools;

use std::time::Duration;

use self::proxy::Proxy;
pub use self::server::Fixture;
use super::clients::peers;
use crate::mcp_servers::remote;
use crate::support::TestApp;

/// Scenarios that fail, each with its reason; empty is the aim.
const EXPECTED_FAILURES: &str = include_str!("expected-failures.yaml");
const PATIENCE: Duration = Duration::from_secs(240);

async fn conforms(revision: &str) {
    let Some(folder) = peers() else { return };
    let app = TestApp::start().await;
    let fixture = Fixture::start().await;
    let made = app
        .post("/mcp-servers", remote("fixture", &fixture.url))
        .await;
    assert_eq!(made.body["state"], "ready", "{}", made.body);
    let proxy = Proxy::start(&app).await;
    let output = tempfile::tempdir().expect("temporary folder");
    let expected = output.path().join("expected-failures.yaml");
    std::fs::write(&expected, EXPECTED_FAILURES).expect("write the list");

    let mut command = tokio::process::Command::new(folder.join("node_modules/node/bin/node"));
    command
        .arg(folder.join("node_modules/@modelcontextprotocol/conformance/dist/index.js"))
        .args(["server", "--requirements", revision])
        .args(["--url", &format!("{}/mcp/fixture", proxy.origin)])
        .arg("--expected-failures")
        .arg(&expected)
        .arg("--output-dir")
        .arg(output.path().join("results"))
        .current_dir(output.path())
        .kill_on_drop(true);
    let ended = tokio::time::timeout(PATIENCE, command.output()).await;

    let ended = ended.expect("the suite ends").expect("the suite runs");
    let told = String::from_utf8_lossy(&ended.stdout);
    let faults = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{revision}\n{told}\n{faults}");
    assert!(told.contains("tools-call-simple-text"), "{told}");
}

#[tokio::test]
async fn gateway_conforms_to_2025_11_25() {
    conforms("2025-11-25").await;
}

#[tokio::test]
async fn gateway_conforms_to_2026_07_28() {
    conforms("2026-07-28").await;
}
