//! The built-in files, and documents as the official registry has them.

use domain::containers::{LOGOS, PackageSourceInput};
use domain::mcp_servers::RemoteSourceInput;
use serde_json::json;

mod settings;
mod ways;

use super::*;

#[test]
fn every_file_is_complete_and_can_be_added() {
    let files: BTreeMap<String, Value> = serde_json::from_str(FILES).expect("JSON");
    assert!(files.len() >= 25, "{} servers", files.len());

    for (key, file) in &files {
        let listed = Listed::read(key, file).unwrap_or_else(|error| panic!("{key}: {error}"));
        let entry = &listed.entry;
        for text in [
            &entry.title,
            &entry.description,
            &entry.icon,
            &entry.category,
            &entry.licence,
            &entry.version,
        ] {
            assert!(!text.trim().is_empty(), "{key} lacks something: {entry:?}");
        }
        assert!(Url::parse(&entry.homepage).is_ok(), "{key}");
        let logos = include_str!("../../../../../public/servers.svg");
        assert!(logos.contains(&format!("id=\"{}\"", entry.icon)), "{key}");
        assert!(LOGOS.split(' ').any(|it| it == entry.icon), "{key}");
        let sample = |setting: &CatalogSetting| match setting.kind.as_str() {
            "url" => "https://service.example.com:8443/x",
            "number" => "8443",
            "boolean" => "true",
            _ => "host.example.com",
        };
        let values = entry
            .settings
            .iter()
            .map(|setting| (setting.name.clone(), Secret::new(sample(setting))))
            .collect();
        match listed
            .expand(&values)
            .unwrap_or_else(|error| panic!("{key}: {error}"))
        {
            McpServerSourceInput::Package(package) => {
                for line in &package.egress {
                    line.parse::<provisioner::Rule>()
                        .unwrap_or_else(|error| panic!("{key}: {error}"));
                }
                let package = provisioner::Package {
                    registry: crate::containers::registry(package.registry),
                    name: package.name,
                    version: package.version,
                };
                assert!(package.is_well_formed(), "{key}: {package:?}");
            }
            McpServerSourceInput::Remote(remote) => {
                assert!(remote.url.starts_with("https://"), "{key}");
            }
            other => panic!("{key} becomes {other:?}"),
        }
    }
}

#[test]
fn missing_settings_are_named() {
    let input = CatalogSourceInput {
        key: "notion".to_owned(),
        values: BTreeMap::from([("COLOUR".to_owned(), Secret::new("red"))]),
    };

    let error = expand(input, None).expect_err("incomplete");

    assert_eq!(
        error.field("source.values.NOTION_TOKEN"),
        Some("is required")
    );
    assert!(error.field("source.values.COLOUR").is_some());
}

fn read(file: Value) -> Result<Listed, String> {
    Listed::read("under-test", &file)
}

fn names(listed: &Listed) -> Vec<&str> {
    let settings = listed.entry.settings.iter();
    settings.map(|setting| setting.name.as_str()).collect()
}

fn given<const N: usize>(values: [(&str, &str); N]) -> BTreeMap<String, Secret> {
    let pairs = values.into_iter();
    pairs
        .map(|(name, value)| (name.to_owned(), Secret::new(value)))
        .collect()
}

fn package(listed: &Listed, values: BTreeMap<String, Secret>) -> PackageSourceInput {
    match listed.expand(&values).expect("valid values") {
        McpServerSourceInput::Package(package) => package,
        other => panic!("it becomes {other:?}"),
    }
}

fn remote(listed: &Listed, values: BTreeMap<String, Secret>) -> RemoteSourceInput {
    match listed.expand(&values).expect("valid values") {
        McpServerSourceInput::Remote(remote) => remote,
        other => panic!("it becomes {other:?}"),
    }
}

fn secrets(secrets: &BTreeMap<String, Option<Secret>>) -> Vec<(&str, &str)> {
    secrets
        .iter()
        .map(|(name, secret)| (name.as_str(), secret.as_ref().map_or("", expose)))
        .collect()
}

/// A file with everything that one of a database has in the registry.
fn database(package_arguments: Value, environment: Value) -> Value {
    json!({
        "$schema": "https://static.modelcontextprotocol.io/schemas/2025-12-11/server.schema.json",
        "name": "io.github.example/database-manager",
        "description": "MCP server for database operations with several kinds of database",
        "repository": {"url": "https://github.com/example/database-manager-mcp", "source": "github"},
        "version": "3.1.0",
        "packages": [{
            "registryType": "pypi",
            "registryBaseUrl": "https://pypi.org",
            "identifier": "database-manager-mcp",
            "version": "3.1.0",
            "runtimeHint": "uvx",
            "transport": {"type": "stdio"},
            "packageArguments": package_arguments,
            "environmentVariables": environment,
        }],
    })
}
