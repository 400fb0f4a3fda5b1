//! The official conformance suite against the gateway, in both revisions.
//!
//! It runs against `/mcp/fixture`: a server behind the gateway that has all the suite asks for, so
//! that every answer has passed through both halves of the product and, for clients of 2025, from one
//! revision into the other.

mod proxy;
mod server;
mod tools;

use std::time::Duration;

use testkit::{TestDb, inputs};

use self::proxy::Proxy;
pub use self::server::Fixture;
use super::clients::peers;
use crate::authorization::functions::paths;
use crate::mcp_servers::remote;
use crate::people::Person;
use crate::support::{Program, TestApp};

/// Scenarios that fail, each with its reason; empty is the aim.
const EXPECTED_FAILURES: &str = include_str!("expected-failures.yaml");
/// The product as a client.
const CLIENT: &str = include_str!("client.mjs");
const PATIENCE: Duration = Duration::from_secs(240);

/// Runs one leg of the suite; fails unless exactly the expected scenarios fail.
async fn run(leg: &str, revision: &str, more: &[(&str, String)], env: &[(&str, &str)]) {
    let folder = peers().expect("asked for before");
    let output = tempfile::tempdir().expect("temporary folder");
    let expected = output.path().join("expected-failures.yaml");
    std::fs::write(&expected, EXPECTED_FAILURES).expect("write the list");
    let mut command = tokio::process::Command::new(folder.join("node_modules/node/bin/node"));
    command
        .arg(folder.join("node_modules/@modelcontextprotocol/conformance/dist/index.js"))
        .args([leg, "--requirements", revision])
        .arg("--expected-failures")
        .arg(&expected)
        .arg("--output-dir")
        .arg(output.path().join("results"))
        .current_dir(output.path())
        .envs(env.iter().copied())
        .kill_on_drop(true);
    for (name, value) in more {
        command.args([*name, value.as_str()]);
    }
    let ended = tokio::time::timeout(PATIENCE, command.output()).await;

    let ended = ended.expect("the suite ends").expect("the suite runs");
    let told = String::from_utf8_lossy(&ended.stdout);
    let faults = String::from_utf8_lossy(&ended.stderr);
    assert!(ended.status.success(), "{leg} {revision}\n{told}\n{faults}");
    assert!(told.contains("SUMMARY"), "{told}");
}

async fn serves(revision: &str) {
    if peers().is_none() {
        return;
    }
    let app = TestApp::start().await;
    let fixture = Fixture::start().await;
    let made = app
        .post("/mcp-servers", remote("fixture", &fixture.url))
        .await;
    assert_eq!(made.body["state"], "ready", "{}", made.body);
    let proxy = Proxy::start(&app).await;

    let url = format!("{}/mcp/fixture", proxy.origin);
    run("server", revision, &[("--url", url)], &[]).await;
}

/// The product is the client: it connects to the suite's servers, signs in and calls their tools.
async fn connects(revision: &str) {
    let Some(folder) = peers() else { return };
    let db = TestDb::create().await;
    let mut program = Program::new(Some(db.url()));
    let document = "https://conformance-test.local/client-metadata.json";
    program.set("AGENTAREA_CLIENT_METADATA_URL", document);
    let app = TestApp::on(program).await;
    let ada = Person::sign_in(&app, inputs::ADA).await;
    let script = tempfile::Builder::new().suffix(".mjs").tempfile();
    let script = script.expect("a file");
    std::fs::write(script.path(), CLIENT).expect("write the client");
    let node = folder.join("node_modules/node/bin/node");
    let command = format!("{} {}", node.display(), script.path().display());

    let more = [("--command", command), ("--timeout", "60000".to_owned())];
    let env = [
        ("ORIGIN", app.origin()),
        ("KEY", app.key.clone()),
        ("COOKIE", ada.cookie.clone().expect("a cookie")),
        ("BEGIN", paths()["begin_tool_server_sign_in"].clone()),
    ];
    let env: Vec<_> = env
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    run("client", revision, &more, &env).await;
}

#[tokio::test]
async fn gateway_conforms_to_2025_11_25() {
    serves("2025-11-25").await;
}

#[tokio::test]
async fn gateway_conforms_to_2026_07_28() {
    serves("2026-07-28").await;
}

#[tokio::test]
async fn client_conforms_to_2025_11_25() {
    connects("2025-11-25").await;
}

#[tokio::test]
async fn client_conforms_to_2026_07_28() {
    connects("2026-07-28").await;
}
