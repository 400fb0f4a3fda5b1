//! Every setting, and what it means where it is not said.

mod checking;
mod reading;
mod sections;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::{Context, bail};
use outbound::AllowedHost;
use secrecy::SecretString;
use serde::Deserialize;
use store::blobs::Place;
use store::redis::Redis;
use url::Url;

use self::sections::Server;
pub use self::sections::{Containers, Environment, Limits, Models, ToolServers};
use crate::client::TrustedProxies;
use crate::client_metadata;
use crate::roles::Roles;

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

impl Config {
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
