//! Where settings come from: built-in defaults, a file, the environment, flags.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use outbound::AllowedHost;
use secrecy::SecretString;
use serde::Deserialize;
use store::blobs::Place;
use store::redis::Redis;
use toml::{Table, Value};
use url::Url;

use crate::client::TrustedProxies;
use crate::client_metadata;
use crate::roles::Roles;

const DEFAULTS: &str = include_str!("../default.toml");

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
const MIB: u64 = 1024 * 1024;
/// Variables with the prefix that are not settings of the server.
const NOT_SETTINGS: [&str; 1] = ["AGENTAREA_PASSWORD"];

/// Every setting; `default.toml` explains them.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Address of the HTTP listener.
    pub listen: Option<SocketAddr>,
    /// What this server runs.
    pub roles: Roles,
    /// Origin that users see.
    public_url: Option<Url>,
    /// Where authorization servers read who this platform is.
    client_metadata_url: Option<Url>,
    /// Where the other processes of the fleet reach this one.
    pub internal_url: Option<Url>,
    /// Folder of everything embedded.
    data_dir: Option<PathBuf>,
    /// An external PostgreSQL.
    pub database_url: Option<SecretString>,
    /// Copies of it that lists and reports may be read from, separated by commas.
    pub database_replica_urls: Option<SecretString>,
    /// Shared by the processes of one installation.
    pub redis_url: Option<SecretString>,
    /// Collector of traces.
    pub otlp_endpoint: Option<Url>,
    /// Seals all secrets.
    pub master_key: Option<SecretString>,
    /// Where backups are kept.
    backup_store: Option<String>,
    /// Where files are kept.
    object_store: Option<String>,
    /// Private hosts that may be called.
    allow_private_hosts: Option<String>,
    /// What kind of installation this is.
    pub environment: Environment,
    /// What stands in front of it.
    server: Server,
    /// How much of everything.
    pub limits: Limits,
    /// How long to wait for models.
    pub models: Models,
    /// Folder of the certificates to speak TLS with it.
    container_certificates: Option<PathBuf>,
    /// Whether to speak TLS with it: anything but nothing.
    container_tls_verify: Option<String>,
    /// Address of the container engine.
    container_engine: Option<String>,
    /// How tool servers are looked after.
    pub tool_servers: ToolServers,
    /// Tool servers in containers.
    pub containers: Containers,
}

/// What kind of installation this is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Environment {
    /// A laptop, or a trial.
    Development,
    /// Demands what a real installation needs.
    Production,
}

/// What stands in front of the listener.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Server {
    /// Proxies whose X-Forwarded-For is believed.
    trusted_proxies: String,
}

/// How tool servers are looked after.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ToolServers {
    /// A connected server that was not used for so long is asked whether it is there, milliseconds.
    pub check_every_ms: u64,
    /// How long it may take to answer, milliseconds.
    pub check_timeout_ms: u64,
    /// A connection that nobody used for so long is closed, and its container ended, seconds.
    pub idle_seconds: u64,
    /// Longest silence of a call of a tool, seconds; each step told of begins it anew.
    pub call_seconds: u64,
    /// Longest time for one call of a tool, connecting included, seconds.
    pub call_max_seconds: u64,
}

/// Tool servers in containers.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Containers {
    /// Servers of one workspace.
    pub servers_per_workspace: u32,
    /// Sum of their memory limits.
    pub memory_mb_per_workspace: u32,
    /// Sum of their processor limits, thousandths.
    pub cpu_millis_per_workspace: u32,
    /// The image with Node.js; empty if it is made.
    pub node_image: String,
    /// The image with Python; empty if it is made.
    pub python_image: String,
    /// What that with Node.js is made from.
    pub node_from: String,
    /// What that with Python is made from.
    pub python_from: String,
    /// Days after which the images that are made are made anew; 0 for never.
    pub base_image_days: u32,
    /// Hosts that images may come from, separated by commas; empty for any that is public.
    pub registries: String,
    /// The npm registry or its mirror.
    pub npm_registry: Url,
    /// The simple interface of PyPI or its mirror.
    pub pypi_index: Url,
}

/// How much of everything.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Runs of one workspace that run at once.
    pub runs_per_workspace: u32,
    /// Runs that one process runs at once.
    pub runs_per_worker: usize,
    /// API requests a minute, per user.
    pub requests_per_minute: u32,
    /// MiB of one uploaded file.
    pub file_mib: u32,
    /// MiB of all files of a workspace.
    pub workspace_files_mib: u32,
    /// Connections to the database.
    pub database_connections: u32,
    /// Connections at once from one network address; 0 for the usual limit.
    pub connections_per_address: usize,
    /// Seconds for an answer that is no stream.
    pub answer_seconds: u64,
    /// Seconds that a question about a tool call waits for a person.
    pub approval_seconds: u32,
}

/// How long to wait for models.
#[derive(Clone, Copy, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Models {
    /// Until the first text of an answer, and between two signs of life before it.
    pub first_token_seconds: u64,
    /// Between two pieces of an answer after that.
    pub idle_seconds: u64,
}

impl Limits {
    /// Bytes of one uploaded file.
    pub fn file_bytes(&self) -> u64 {
        u64::from(self.file_mib) * MIB
    }

    /// Bytes of all files of a workspace.
    pub fn workspace_file_bytes(&self) -> u64 {
        u64::from(self.workspace_files_mib) * MIB
    }
}

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

    /// Address of the HTTP listener: on this machine only, at the port of the roles, if not told.
    pub fn listen(&self) -> SocketAddr {
        let default = || SocketAddr::from((Ipv4Addr::LOCALHOST, self.roles.port()));
        self.listen.unwrap_or_else(default)
    }

    /// Origin that users see, without a path.
    pub fn public_url(&self) -> Url {
        match &self.public_url {
            Some(url) => url.clone(),
            None => Url::parse(&format!("http://{}", self.listen())).expect("an address is a URL"),
        }
    }

    /// Where authorization servers read who this platform is; nowhere if they cannot reach it.
    pub fn client_metadata_url(&self) -> Option<Url> {
        if let Some(url) = &self.client_metadata_url {
            return Some(url.clone());
        }
        let public = self.public_url();
        let is_public = public.scheme() == "https" && !is_loopback(&public);
        is_public.then(|| public.join(client_metadata::PATH).expect("a path"))
    }

    /// Folder of everything embedded; not made yet.
    pub fn data_dir(&self) -> anyhow::Result<PathBuf> {
        if let Some(folder) = &self.data_dir {
            return std::path::absolute(folder).context("find the data folder");
        }
        if rustix::process::geteuid().is_root() {
            return Ok("/var/lib/agentarea".into());
        }
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let home = home.context("no HOME; set AGENTAREA_DATA_DIR")?;
        if cfg!(target_os = "macos") {
            return Ok(home.join("Library/Application Support/agentarea"));
        }
        let data = std::env::var_os("XDG_DATA_HOME").map(PathBuf::from);
        Ok(data
            .unwrap_or_else(|| home.join(".local/share"))
            .join("agentarea"))
    }

    /// Where files are kept: in the data folder if nothing else is said.
    ///
    /// # Errors
    /// If it is neither a folder nor a bucket.
    pub fn object_store(&self) -> anyhow::Result<Place> {
        match &self.object_store {
            Some(text) => text
                .parse()
                .context("read object_store (AGENTAREA_OBJECT_STORE)"),
            None => Ok(Place::Folder(self.data_dir()?.join("objects"))),
        }
    }

    /// Where backups are kept: beside the files if nothing else is said.
    ///
    /// # Errors
    /// If it is neither a folder nor a bucket.
    pub fn backup_store(&self) -> anyhow::Result<Place> {
        match &self.backup_store {
            Some(text) => text
                .parse()
                .context("read backup_store (AGENTAREA_BACKUP_STORE)"),
            None => self.object_store(),
        }
    }

    /// Private hosts that may be called; `None` if nothing is said.
    ///
    /// # Errors
    /// If an entry is no `host:port`.
    pub fn allowed_private_hosts(&self) -> anyhow::Result<Option<Vec<AllowedHost>>> {
        let Some(text) = &self.allow_private_hosts else {
            return Ok(None);
        };
        let entries = text.split(',').map(str::trim);
        let hosts = entries
            .filter(|entry| !entry.is_empty())
            .map(str::parse)
            .collect::<Result<_, _>>()
            .context("read allow_private_hosts (AGENTAREA_ALLOW_PRIVATE_HOSTS)")?;
        Ok(Some(hosts))
    }

    /// Where a container engine may be, in the order to try.
    ///
    /// # Errors
    /// If the address that is set is neither `unix://` nor `tcp://`.
    pub fn container_engines(&self) -> anyhow::Result<Vec<String>> {
        match self.container_engine.as_deref() {
            Some(address)
                if ["unix://", "tcp://"]
                    .iter()
                    .any(|it| address.starts_with(it)) =>
            {
                Ok(vec![address.to_owned()])
            }
            Some("") | None => Ok(usual_sockets()),
            Some(address) => bail!(
                "container_engine (DOCKER_HOST) must begin with unix:// or tcp://, not {address:?}"
            ),
        }
    }

    /// The certificates to speak TLS with a container engine; `None` to speak without.
    ///
    /// # Errors
    /// If one of them is missing.
    pub fn container_certificates(&self) -> anyhow::Result<Option<PathBuf>> {
        // As Docker's own programs understand them.
        if self
            .container_tls_verify
            .as_deref()
            .unwrap_or("")
            .is_empty()
        {
            return Ok(None);
        }
        let folder = match &self.container_certificates {
            Some(folder) if folder.as_os_str() != "" => folder.clone(),
            _ => PathBuf::from(std::env::var_os("HOME").unwrap_or_default()).join(".docker"),
        };
        for name in ["ca.pem", "cert.pem", "key.pem"] {
            let file = folder.join(name);
            std::fs::File::open(&file).with_context(|| {
                format!(
                    "read {} for container_tls_verify (DOCKER_TLS_VERIFY); container_certificates \
                     (DOCKER_CERT_PATH) names the folder",
                    file.display()
                )
            })?;
        }
        Ok(Some(folder))
    }

    /// Proxies whose X-Forwarded-For is believed.
    ///
    /// # Errors
    /// If an entry is neither an address nor a network.
    pub fn trusted_proxies(&self) -> anyhow::Result<TrustedProxies> {
        TrustedProxies::parse(&self.server.trusted_proxies)
            .context("read server.trusted_proxies (AGENTAREA_SERVER__TRUSTED_PROXIES)")
    }

    /// Redis, if it is used; not connected yet.
    ///
    /// # Errors
    /// If its URL is malformed.
    pub fn redis(&self) -> anyhow::Result<Option<Redis>> {
        self.redis_url.as_ref().map(Redis::new).transpose()
    }

    fn check(&self) -> anyhow::Result<()> {
        self.redis()?;
        if self.database_replica_urls.is_some() && self.database_url.is_none() {
            bail!("DATABASE_REPLICA_URLS needs DATABASE_URL: the embedded database has no copies");
        }
        self.allowed_private_hosts()?;
        self.object_store()?;
        self.backup_store()?;
        self.trusted_proxies()?;
        self.container_engines()?;
        if let Some(url) = &self.otlp_endpoint
            && (!matches!(url.scheme(), "http" | "https") || url.host().is_none())
        {
            bail!("OTEL_EXPORTER_OTLP_ENDPOINT must be an http:// or https:// address");
        }
        let url = self.public_url();
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            bail!("public_url must be an http:// or https:// origin, not {url}");
        }
        if url.path() != "/" || url.query().is_some() {
            bail!("public_url must be an origin without a path, not {url}");
        }
        if self.environment == Environment::Production {
            if self.master_key.is_none() {
                bail!(
                    "in production master_key must be set: AGENTAREA_MASTER_KEY, 32 bytes as base64"
                );
            }
            if url.scheme() == "http" && !is_loopback(&url) {
                bail!("in production public_url must begin with https://, not {url}");
            }
        }
        Ok(())
    }
}

/// Whether a URL names this machine.
pub fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

/// Sockets of Docker and Podman that exist.
fn usual_sockets() -> Vec<String> {
    let user = rustix::process::geteuid().as_raw();
    let runtime = std::env::var_os("XDG_RUNTIME_DIR")
        .map_or_else(|| format!("/run/user/{user}").into(), PathBuf::from);
    let home = std::env::var_os("HOME")
        .map(PathBuf::from)
        .unwrap_or_default();
    [
        "/var/run/docker.sock".into(),
        runtime.join("docker.sock"),
        home.join(".docker/run/docker.sock"),
        runtime.join("podman/podman.sock"),
        "/run/podman/podman.sock".into(),
    ]
    .into_iter()
    .filter(|socket: &PathBuf| socket.exists())
    .map(|socket| format!("unix://{}", socket.display()))
    .collect()
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
