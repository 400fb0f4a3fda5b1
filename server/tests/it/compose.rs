//! The Compose file starts what it promises, with settings that the program takes.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::Program;

const FILE: &str = include_str!("../../../deploy/compose/docker-compose.dev.yml");

/// The file with its merges carried out, as Compose reads it.
fn file() -> Value {
    let mut file: serde_yaml_ng::Value = serde_yaml_ng::from_str(FILE).expect("YAML");
    file.apply_merge().expect("merges");
    serde_json::to_value(file).expect("plain data")
}

fn texts(value: &Value) -> Vec<&str> {
    let values = value.as_array().into_iter().flatten();
    values.filter_map(Value::as_str).collect()
}

#[test]
fn services_have_their_ports_images_and_volumes() {
    let file = file();
    let services = &file["services"];

    for (name, ports) in [
        ("agentarea-api", "8000:8000"),
        ("agentarea-frontend", "3000:3000"),
        ("mcp-manager", "8001:8001"),
        ("postgres", "5432:5432"),
        ("redis", "6379:6379"),
    ] {
        assert_eq!(texts(&services[name]["ports"]), [ports], "{name}");
    }
    assert_eq!(services["postgres"]["image"], "postgres:15-alpine");
    assert_eq!(services["redis"]["image"], "redis:7-alpine");
    for (name, value) in [
        ("POSTGRES_DB", "agentarea_dev"),
        ("POSTGRES_USER", "dev"),
        ("POSTGRES_PASSWORD", "dev"),
    ] {
        assert_eq!(services["postgres"]["environment"][name], value);
    }
    let environment = |name: &str| services[name]["environment"].clone();
    assert_eq!(environment("agentarea-api")["HOT_RELOAD"], "true");
    assert_eq!(environment("agentarea-frontend")["NODE_ENV"], "development");
    for service in services.as_object().expect("services").values() {
        for volume in texts(&service["volumes"]) {
            let name = volume.split(':').next().expect("a name");
            assert!(file["volumes"].get(name).is_some(), "{volume}");
        }
        for other in service["depends_on"].as_object().into_iter().flatten() {
            assert!(services.get(other.0).is_some(), "{}", other.0);
        }
    }
}

#[test]
fn program_takes_the_settings_of_every_part() {
    let file = file();
    let mut checked = Vec::new();
    for (name, service) in file["services"].as_object().expect("services") {
        if service["image"] != "agentarea:dev" {
            continue;
        }
        let variables: BTreeMap<String, String> =
            serde_json::from_value(service["environment"].clone()).expect("texts");
        let mut arguments = texts(&service["command"]);
        arguments.push("--check");
        let program = Program::new(None);
        let output = program.command(&arguments).envs(&variables).output();
        let output = output.expect("run serve --check");

        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name}: {errors}");
        assert_eq!(variables["ENVIRONMENT"], "development");
        let port = variables["AGENTAREA_LISTEN"]
            .strip_prefix("0.0.0.0:")
            .expect("a port");
        for mapping in texts(&service["ports"]) {
            assert!(mapping.ends_with(&format!(":{port}")), "{name}");
        }
        checked.push(name.as_str());
    }
    checked.sort_unstable();
    assert_eq!(
        checked,
        [
            "agentarea-api",
            "agentarea-frontend",
            "agentarea-worker",
            "mcp-manager"
        ]
    );
}
