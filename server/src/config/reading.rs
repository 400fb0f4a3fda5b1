//! Where settings come from: built-in defaults, a file, the environment, flags.

use std::path::Path;

use anyhow::{Context, bail};
use toml::{Table, Value};

use super::Config;

const DEFAULTS: &str = include_str!("../../default.toml");

/// Keys without a default.
const OPTIONAL: [&str; 16] = [
    "allow_private_hosts",
    "backup_store",
    "client_metadata_url",
    "container_certificates",
    "container_engine",
    "container_tls_verify",
    "data_dir",
    "database_replica_urls",
    "database_url",
    "internal_url",
    "listen",
    "master_key",
    "object_store",
    "otlp_endpoint",
    "public_url",
    "redis_url",
];
/// Variables with the prefix that are not settings of the server.
const NOT_SETTINGS: [&str; 1] = ["AGENTAREA_PASSWORD"];

impl Config {
    /// Reads every source and checks the result.
    ///
    /// # Errors
    /// Names the key or variable that is unknown or wrong.
    pub fn load(file: Option<&Path>) -> anyhow::Result<Self> {
        let mut settings: Table = DEFAULTS.parse().context("read the built-in defaults")?;
        if let Some(path) = file {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("read the configuration file {}", path.display()))?;
            let overrides: Table = text
                .parse()
                .with_context(|| format!("read the configuration file {}", path.display()))?;
            merge(&mut settings, overrides);
        }
        for (name, value) in std::env::vars() {
            if let Some(path) = key_path(&name) {
                let value = value.trim().to_owned();
                set(&mut settings, &path, value)
                    .with_context(|| format!("read the variable {name}"))?;
            }
        }
        let config: Self = settings.try_into().map_err(|error: toml::de::Error| {
            anyhow::anyhow!("the configuration is wrong: {}", error.to_string().trim())
        })?;
        config.check()?;
        Ok(config)
    }
}

/// The keys that a variable sets; `None` if it is none of ours.
fn key_path(name: &str) -> Option<Vec<String>> {
    match name {
        "DATABASE_URL" => Some(vec!["database_url".to_owned()]),
        "DATABASE_REPLICA_URLS" => Some(vec!["database_replica_urls".to_owned()]),
        "DOCKER_CERT_PATH" => Some(vec!["container_certificates".to_owned()]),
        "DOCKER_HOST" => Some(vec!["container_engine".to_owned()]),
        "DOCKER_TLS_VERIFY" => Some(vec!["container_tls_verify".to_owned()]),
        "REDIS_URL" => Some(vec!["redis_url".to_owned()]),
        "OTEL_EXPORTER_OTLP_ENDPOINT" => Some(vec!["otlp_endpoint".to_owned()]),
        "ENVIRONMENT" => Some(vec!["environment".to_owned()]),
        name if NOT_SETTINGS.contains(&name) => None,
        name => {
            let keys = name.strip_prefix("AGENTAREA_")?.to_lowercase();
            Some(keys.split("__").map(str::to_owned).collect())
        }
    }
}

/// Sets one key to a text, which takes the type of the key's default.
fn set(settings: &mut Table, path: &[String], text: String) -> anyhow::Result<()> {
    let (last, sections) = path.split_last().context("a variable must name a key")?;
    let mut table = settings;
    for section in sections {
        table = match table.get_mut(section) {
            Some(Value::Table(table)) => table,
            _ => bail!("there is no section {section}"),
        };
    }
    let value = match table.get(last) {
        Some(Value::Integer(_)) => Value::Integer(
            text.parse()
                .with_context(|| format!("{last} must be a number, not {text:?}"))?,
        ),
        Some(_) => Value::String(text),
        None if sections.is_empty() && OPTIONAL.contains(&last.as_str()) => Value::String(text),
        None => bail!("there is no key {}", path.join(".")),
    };
    table.insert(last.clone(), value);
    Ok(())
}

fn merge(into: &mut Table, from: Table) {
    for (key, value) in from {
        match (into.get_mut(&key), value) {
            (Some(Value::Table(into)), Value::Table(from)) => merge(into, from),
            (_, value) => {
                into.insert(key, value);
            }
        }
    }
}
