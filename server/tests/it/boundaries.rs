//! The crates depend on each other only as the architecture says.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;

/// Every allowed arrow; whatever is not here is forbidden.
const ARROWS: [(&str, &[&str]); 12] = [
    ("app", &["domain"]),
    ("domain", &[]),
    ("engine", &["domain", "llm"]),
    ("frontend", &["app"]),
    ("llm", &["domain", "outbound"]),
    ("mcp", &["domain", "outbound"]),
    ("outbound", &[]),
    ("provisioner", &["domain", "outbound"]),
    (
        "server",
        &[
            "app", "domain", "llm", "mcp", "outbound", "services", "store",
        ],
    ),
    (
        "services",
        &[
            "domain",
            "engine",
            "llm",
            "mcp",
            "outbound",
            "provisioner",
            "store",
        ],
    ),
    ("store", &["domain"]),
    ("testkit", &[]),
];

#[test]
fn crates_depend_only_along_the_drawn_arrows() {
    let packages = packages();

    let drawn: BTreeSet<&str> = ARROWS.iter().map(|(name, _)| *name).collect();
    let existing: BTreeSet<&str> = packages
        .iter()
        .map(|package| text(package, "name"))
        .collect();
    assert_eq!(existing, drawn, "a crate is not in the drawing");
    for package in &packages {
        let name = text(package, "name");
        let (_, allowed) = ARROWS
            .iter()
            .find(|(drawn, _)| *drawn == name)
            .expect("drawn");
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let target = text(dependency, "name");
            let is_ours = dependency["path"].is_string();
            let is_for_tests = dependency["kind"] == "dev";
            let is_allowed = allowed.contains(&target) || (is_for_tests && target == "testkit");
            assert!(!is_ours || is_allowed, "{name} must not depend on {target}");
        }
    }
}

#[test]
fn sql_and_sockets_stay_in_their_crates() {
    for package in packages() {
        let name = text(&package, "name").to_owned();
        for dependency in package["dependencies"].as_array().expect("dependencies") {
            let target = text(dependency, "name");
            let homes: &[&str] = match target {
                "sqlx" => &["store"],
                "axum" => &["server"],
                "hyper" => &["server", "mcp"],
                "reqwest" => &["outbound", "llm", "mcp", "store"],
                "bollard" => &["provisioner"],
                "rmcp" => &["mcp"],
                "redis" | "object_store" => &["store"],
                "candle-core" => &["llm"],
                _ => continue,
            };
            let is_home = homes.contains(&name.as_str()) || name == "testkit";
            assert!(
                is_home || dependency["kind"] == "dev",
                "{name} must not use {target}"
            );
        }
    }
}

fn packages() -> Vec<Value> {
    let output = Command::new(env!("CARGO"))
        .args([
            "metadata",
            "--no-deps",
            "--offline",
            "--format-version",
            "1",
        ])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .output()
        .expect("run cargo metadata");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("JSON");
    metadata["packages"].as_array().expect("packages").clone()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().expect("text")
}
