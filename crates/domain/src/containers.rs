//! Tool servers that run in containers of ours.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{FieldErrors, Secret, Timestamp, expose};

/// Variables, and secrets, of one container.
pub const MAX_VARIABLES: usize = 50;
/// Hosts of one allow-list.
pub const MAX_EGRESS: usize = 50;
/// Words of a command.
pub const MAX_COMMAND: usize = 50;

/// An image that runs in a container.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContainerSource {
    /// Reference of the image, as given.
    pub image: String,
    /// How it runs.
    #[serde(flatten)]
    pub settings: ContainerSettings,
}

/// A package of npm or PyPI that is turned into an image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct PackageSource {
    /// Where it is from.
    pub registry: PackageRegistry,
    /// Its name there.
    pub name: String,
    /// Its exact version.
    pub version: String,
    /// Key of the catalog entry that it was made from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub catalog: Option<String>,
    /// How it runs.
    #[serde(flatten)]
    pub settings: ContainerSettings,
}

/// Where packages are from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum PackageRegistry {
    /// The npm registry: programs for Node.js.
    Npm,
    /// PyPI: programs for Python.
    PyPi,
}

/// How a container runs. Its secrets are write-only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContainerSettings {
    /// Arguments, or the whole command if the image has no entry point; empty keeps the image's.
    #[serde(default)]
    pub command: Vec<String>,
    /// Settings in its environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Names of the secrets in its environment.
    #[serde(default)]
    pub secret_names: Vec<String>,
    /// What it may use.
    #[serde(default)]
    pub resources: Resources,
    /// Hosts that it may reach: `api.example.com:443`; without a port it is 443.
    #[serde(default)]
    pub egress: Vec<String>,
    /// Id of the image that runs, once it was resolved; a change or restart of the server looks
    /// again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned_image: Option<String>,
}

/// What a container may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields, default)]
pub struct Resources {
    /// Memory in MiB, 16 to 16,384; there is no swap.
    pub memory_mb: u32,
    /// Thousandths of a processor, 50 to 16,000.
    pub cpu_millis: u32,
    /// Processes and threads, 8 to 4,096.
    pub pids: u32,
}

impl Default for Resources {
    fn default() -> Self {
        Self {
            memory_mb: 512,
            cpu_millis: 1000,
            pids: 128,
        }
    }
}

/// Input for an image that runs in a container.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ContainerSourceInput {
    /// Reference of the image: `ghcr.io/acme/tools:1.2` or, better, with its digest.
    pub image: String,
    /// Arguments; empty keeps the image's.
    #[serde(default)]
    pub command: Vec<String>,
    /// Settings in its environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Secrets in its environment. In a change, those that are not named stay as they are and
    /// `null` removes one.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub secrets: BTreeMap<String, Option<Secret>>,
    /// What it may use.
    #[serde(default)]
    pub resources: Resources,
    /// Hosts that it may reach; nobody if empty.
    #[serde(default)]
    pub egress: Vec<String>,
}

/// Input for a package that runs in a container.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PackageSourceInput {
    /// Where it is from.
    pub registry: PackageRegistry,
    /// Its name there.
    pub name: String,
    /// Its exact version.
    pub version: String,
    /// Arguments of its program.
    #[serde(default)]
    pub command: Vec<String>,
    /// Settings in its environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Secrets in its environment, as for an image.
    #[serde(default)]
    #[cfg_attr(feature = "openapi", schema(value_type = Object))]
    pub secrets: BTreeMap<String, Option<Secret>>,
    /// What it may use.
    #[serde(default)]
    pub resources: Resources,
    /// Hosts that it may reach; nobody if empty.
    #[serde(default)]
    pub egress: Vec<String>,
}

/// Input for a server of the catalog.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct CatalogSourceInput {
    /// The entry's key.
    pub key: String,
    /// Values of its settings, secret or not.
    #[serde(default)]
    pub values: BTreeMap<String, Secret>,
}

/// How a server's container is right now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContainerReport {
    /// Whether it runs.
    pub is_running: bool,
    /// Since when it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Processor time since then, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u64>,
    /// Memory in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Processes and threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pids: Option<u64>,
    /// Connections that were refused to it, newest first, at most 200.
    pub refusals: Vec<EgressRefusal>,
}

/// A connection that was refused to a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EgressRefusal {
    /// When it last happened.
    pub time: Timestamp,
    /// Whom it wanted to reach: `host:port`.
    pub target: String,
    /// Why not.
    pub reason: String,
    /// How often.
    pub count: u64,
}

/// One line of a container's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServerLogLine {
    /// 1, 2, … since the container was started.
    pub number: u64,
    /// When it was written.
    pub time: Timestamp,
    /// What it says.
    pub text: String,
}

impl ContainerSourceInput {
    /// Checks every field that needs no look-up; names begin with `source.`.
    pub(crate) fn check(&self, errors: &mut FieldErrors) {
        errors.line("source.image", &self.image, 500);
        let is_reference = self
            .image
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-._/:@".contains(&byte));
        if !self.image.is_empty() && (!is_reference || self.image.starts_with(['-', '/', '.'])) {
            let message = "must be the reference of an image such as ghcr.io/acme/tools:1.2";
            errors.push("source.image", message);
        }
        check_settings(
            errors,
            &self.command,
            &self.env,
            &self.secrets,
            &self.egress,
        );
        self.resources.check(errors);
    }
}

impl PackageSourceInput {
    /// Checks every field that needs no look-up; names begin with `source.`.
    pub(crate) fn check(&self, errors: &mut FieldErrors) {
        errors.line("source.name", &self.name, 200);
        errors.line("source.version", &self.version, 100);
        check_settings(
            errors,
            &self.command,
            &self.env,
            &self.secrets,
            &self.egress,
        );
        self.resources.check(errors);
    }
}

impl CatalogSourceInput {
    /// Checks every field that needs no look-up; names begin with `source.`.
    pub(crate) fn check(&self, errors: &mut FieldErrors) {
        errors.line("source.key", &self.key, 100);
        if self.values.len() > MAX_VARIABLES {
            errors.push("source.values", "must have at most 50 entries");
        }
    }
}

fn check_settings(
    errors: &mut FieldErrors,
    command: &[String],
    env: &BTreeMap<String, String>,
    secrets: &BTreeMap<String, Option<Secret>>,
    egress: &[String],
) {
    let is_argument = |word: &String| word.len() <= 4_000 && !word.contains('\0');
    if command.len() > MAX_COMMAND || !command.iter().all(is_argument) {
        let message = "must have at most 50 words of at most 4,000 bytes";
        errors.push("source.command", message);
    }
    check_names(errors, "source.env", env.keys());
    check_names(errors, "source.secrets", secrets.keys());
    let is_value = |value: &str| value.len() <= 8_000 && !value.contains('\0');
    if !env.values().all(|value| is_value(value)) {
        errors.push("source.env", "values must have at most 8,000 bytes");
    }
    if !secrets
        .values()
        .flatten()
        .all(|value| is_value(expose(value)))
    {
        errors.push("source.secrets", "values must have at most 8,000 bytes");
    }
    if let Some(name) = env.keys().find(|name| secrets.contains_key(*name)) {
        errors.push("source.secrets", format!("{name} is in env, too"));
    }
    if egress.len() > MAX_EGRESS {
        errors.push("source.egress", "must have at most 50 entries");
    }
}

impl Resources {
    fn check(&self, errors: &mut FieldErrors) {
        for (name, value, least, most) in [
            ("memory_mb", self.memory_mb, 16, 16_384),
            ("cpu_millis", self.cpu_millis, 50, 16_000),
            ("pids", self.pids, 8, 4_096),
        ] {
            if !(least..=most).contains(&value) {
                let field = format!("source.resources.{name}");
                errors.push(&field, format!("must be from {least} to {most}"));
            }
        }
    }
}

fn check_names<'a>(
    errors: &mut FieldErrors,
    field: &str,
    names: impl ExactSizeIterator<Item = &'a String>,
) {
    if names.len() > MAX_VARIABLES {
        errors.push(field, "must have at most 50 entries");
    }
    for name in names {
        let is_name = name.len() <= 100
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        if !is_name {
            let shown: String = name.chars().take(40).collect();
            errors.push(field, format!("{shown:?} is not a name such as API_TOKEN"));
            return;
        }
        let upper = name.to_ascii_uppercase();
        if matches!(
            upper.as_str(),
            "HTTP_PROXY" | "HTTPS_PROXY" | "NO_PROXY" | "ALL_PROXY"
        ) {
            let message = format!("{name} is set by the platform; use the allow-list");
            errors.push(field, message);
        }
    }
}

/// A server that can be added in one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CatalogEntry {
    /// Names it in `{type: catalog, key}`.
    pub key: String,
    /// Its name, for people.
    pub title: String,
    /// What it does.
    pub description: String,
    /// Name of one of our icons.
    pub icon: String,
    /// What it is for: `search`, `data`, `developers` …
    pub category: String,
    /// Where to read about it.
    pub homepage: String,
    /// Its licence.
    pub licence: String,
    /// Its version.
    pub version: String,
    /// What runs: `npm`, `pypi`, `image` or `remote`.
    pub kind: String,
    /// What has to be filled in.
    pub settings: Vec<CatalogSetting>,
    /// Hosts that it is allowed to reach; `{NAME}` stands for a setting.
    pub egress: Vec<String>,
}

/// A setting of a catalog entry.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct CatalogSetting {
    /// Its name.
    pub name: String,
    /// What to fill in.
    pub description: String,
    /// `string`, `number`, `boolean` or `url`.
    pub kind: String,
    /// Whether it must be given.
    pub is_required: bool,
    /// Whether it is kept secret.
    pub is_secret: bool,
    /// What it is unless given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<String>,
}
