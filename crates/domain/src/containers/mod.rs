//! Tool servers that run in containers of ours.

mod catalog;
mod report;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub use self::catalog::{CatalogEntry, CatalogSetting, CatalogSourceInput, LOGOS};
pub use self::report::{ContainerReport, ContainerSample, EgressRefusal, ServerLogLine};
use crate::{FieldErrors, Secret, expose};

/// Variables, and secrets, of one container.
pub const MAX_VARIABLES: usize = 50;
/// Hosts of one allow-list.
pub const MAX_EGRESS: usize = 50;
/// Where a container's own requests are taken.
const RELAY_PORT: u16 = 3128;
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
    /// Where it speaks HTTP in its container; it speaks on its standard input and output otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http: Option<ContainerHttp>,
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
    /// The same image in its registry, `name@sha256:…`, if it is from one: an engine that does not
    /// have it gets exactly that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pinned_digest: Option<String>,
}

/// Where a server in a container speaks Streamable HTTP. Nobody but the platform reaches it there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ContainerHttp {
    /// The port, on every address of the container or on 127.0.0.1.
    pub port: u16,
    /// The path of the endpoint.
    #[serde(default = "ContainerHttp::usual_path")]
    pub path: String,
}

impl ContainerHttp {
    fn usual_path() -> String {
        "/mcp".to_owned()
    }

    fn check(&self, errors: &mut FieldErrors) {
        let is_path = self.path.starts_with('/')
            && self.path.len() <= 200
            && self
                .path
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || b"/-._~".contains(&byte));
        // The relay listens for the container's own requests there.
        if self.port == 0 || self.port == RELAY_PORT || !is_path {
            let message = "must be a port from 1 to 65535, but not 3128, and a path such as /mcp";
            errors.push("source.http", message);
        }
    }
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
    /// Where it speaks Streamable HTTP in its container; without it, it speaks on its standard input
    /// and output.
    #[serde(default)]
    pub http: Option<ContainerHttp>,
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
    /// Where it speaks Streamable HTTP in its container; without it, it speaks on its standard input
    /// and output.
    #[serde(default)]
    pub http: Option<ContainerHttp>,
    /// What it may use.
    #[serde(default)]
    pub resources: Resources,
    /// Hosts that it may reach; nobody if empty.
    #[serde(default)]
    pub egress: Vec<String>,
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
        if is_reserved(&self.image) {
            let message = "names an image that the platform makes for itself";
            errors.push("source.image", message);
        }
        check_settings(
            errors,
            &self.command,
            &self.env,
            &self.secrets,
            &self.egress,
        );
        if let Some(http) = &self.http {
            http.check(errors);
        }
        self.resources.check(errors);
    }
}

/// Images that are made here: what they are is nobody else's to use.
fn is_reserved(image: &str) -> bool {
    let image = image.to_ascii_lowercase();
    let hosts = ["localhost/", "docker.io/", "index.docker.io/"];
    let path = hosts.iter().find_map(|host| image.strip_prefix(host));
    let path = path.unwrap_or(&image);
    let name = path.split([':', '@']).next().unwrap_or(path);
    matches!(
        name,
        "agentarea/relay" | "agentarea/package" | "agentarea/base"
    )
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
        if let Some(http) = &self.http {
            http.check(errors);
        }
        self.resources.check(errors);
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
