//! From settings to services: the one place where concrete adapters are chosen.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use outbound::{Dialler, Outbound, Policy};
use secrecy::ExposeSecret;
use services::{ContainersConfig, PackageBase, Quota, Services, UnusedImages};
use store::embedded::{Embedded, Joining};
use store::{Config as DatabaseConfig, Store};

use crate::commands::EXTRACT_TEXT;
use crate::config::{Config, Environment};
use crate::master_key::{self, KeyPlace};
use crate::own_address;
use crate::roles::Role;

/// The services and what they stand on.
pub struct Backend {
    /// The product's operations.
    pub services: Services,
    /// Where the master keys are.
    pub key_place: KeyPlace,
    embedded: Option<Embedded>,
}

impl Backend {
    /// Starts or joins the database, brings its schema up to date, and wires the services.
    ///
    /// # Errors
    /// If the database, the key or a setting is not usable.
    pub async fn open(config: &Config, joining: Joining) -> anyhow::Result<Self> {
        let data_dir = config.data_dir()?;
        std::fs::create_dir_all(&data_dir)
            .with_context(|| format!("make the data folder {}", data_dir.display()))?;
        let key_place = KeyPlace::new(config.master_key.as_ref(), &data_dir);
        let (store, embedded) = open_database(config, joining).await?;
        store.migrate().await?;
        let vault = match master_key::unlock(&key_place, &store).await {
            Ok(vault) => vault,
            Err(error) => {
                store.close().await;
                if let Some(embedded) = embedded {
                    embedded.close().await?;
                }
                return Err(error);
            }
        };
        let outbound = Outbound::new(policy(config)?).context("make the HTTP client")?;
        // The public internet and what is listed, but not this machine.
        let web = Outbound::new(Policy::new(config.allowed_private_hosts()?, false))
            .context("make the HTTP client of the web tool")?;
        let services_config = services::Config {
            runs_per_workspace: config.limits.runs_per_workspace,
            runs_per_worker: config.limits.runs_per_worker,
            approval_time: Duration::from_secs(config.limits.approval_seconds.max(1).into()),
            local_model: find_weights(&data_dir),
            model_deadlines: llm::Deadlines {
                first_byte: Duration::from_secs(config.models.first_token_seconds.max(1)),
                idle: Duration::from_secs(config.models.idle_seconds.max(1)),
                ..llm::Deadlines::default()
            },
            web,
            files: services::FileLimits {
                file_bytes: config.limits.file_bytes(),
                workspace_bytes: config.limits.workspace_file_bytes(),
            },
            pdf_reader: this_program().map(|program| (program, EXTRACT_TEXT)),
            redis: config.redis()?,
            is_alone: embedded.is_some(),
            public_url: config.public_url().origin().ascii_serialization(),
            client_metadata_url: config.client_metadata_url().map(Into::into),
            database_label: match &embedded {
                Some(embedded) => {
                    format!(
                        "Embedded PostgreSQL {}, in the data folder",
                        embedded.major()
                    )
                }
                None => "External PostgreSQL".to_owned(),
            },
            containers: match config.roles.has(Role::McpManager) {
                true => Some(containers(config)?),
                false => None,
            },
            address: own_address::find(config),
            inside: Outbound::new(Policy::inside()).context("make the HTTP client")?,
            health: services::HealthConfig {
                // Zero would ask without a pause.
                every: Duration::from_millis(config.tool_servers.check_every_ms.max(60)),
                timeout: Duration::from_millis(config.tool_servers.check_timeout_ms),
                idle: Duration::from_secs(config.tool_servers.idle_seconds.max(1)),
                call: mcp::Patience {
                    silence: Duration::from_secs(config.tool_servers.call_seconds.max(1)),
                    longest: Duration::from_secs(config.tool_servers.call_max_seconds.max(1)),
                },
            },
            container_quota: Quota {
                servers: config.containers.servers_per_workspace,
                memory_mb: config.containers.memory_mb_per_workspace,
                cpu_millis: config.containers.cpu_millis_per_workspace,
            },
            key_label: match config.master_key {
                Some(_) => "Master key from the configuration".to_owned(),
                None => "Key file created, readable only by this user".to_owned(),
            },
        };
        let blobs = config.object_store()?.open()?;
        Ok(Self {
            services: Services::new(store, vault, blobs, outbound, services_config),
            key_place,
            embedded,
        })
    }

    /// Closes connections and stops the embedded database.
    ///
    /// # Errors
    /// If the embedded database does not stop.
    pub async fn close(self) -> anyhow::Result<()> {
        self.services.store().close().await;
        match self.embedded {
            Some(embedded) => embedded.close().await,
            None => Ok(()),
        }
    }
}

/// Starts or joins the database; its schema is as it is.
///
/// # Errors
/// If it cannot be started or its address is wrong.
pub async fn open_database(
    config: &Config,
    joining: Joining,
) -> anyhow::Result<(Store, Option<Embedded>)> {
    let (database, embedded) = match &config.database_url {
        Some(url) => {
            let database = DatabaseConfig::from_url(url.expose_secret())?;
            let replicas = config.database_replica_urls.as_ref();
            let replicas = replicas
                .map(|urls| urls.expose_secret())
                .unwrap_or_default();
            (database.with_replicas(replicas)?, None)
        }
        None => {
            let embedded = Embedded::open(&config.data_dir()?, joining).await?;
            (DatabaseConfig::new(embedded.options()), Some(embedded))
        }
    };
    let store = Store::new(DatabaseConfig {
        max_connections: config.limits.database_connections,
        ..database
    });
    Ok((store, embedded))
}

/// This program, even if its file is replaced while it runs.
fn this_program() -> Option<PathBuf> {
    let running = PathBuf::from("/proc/self/exe");
    match running.exists() {
        true => Some(running),
        false => std::env::current_exe().ok(),
    }
}

fn policy(config: &Config) -> anyhow::Result<Policy> {
    let is_laptop =
        config.environment == Environment::Development && config.listen().ip().is_loopback();
    Ok(Policy::new(config.allowed_private_hosts()?, is_laptop))
}

fn containers(config: &Config) -> anyhow::Result<ContainersConfig> {
    let containers = &config.containers;
    let days = |days: u32| (days > 0).then(|| Duration::from_secs(u64::from(days) * 24 * 3600));
    let lives = days(containers.base_image_days);
    let mib = Some(containers.images_mib).filter(|mib| *mib > 0);
    Ok(ContainersConfig {
        engines: config.container_engines()?,
        certificates: config.container_certificates()?,
        registries: Some(names(&containers.registries)).filter(|names| !names.is_empty()),
        // What runs in a container never reaches this machine, unless an administrator says so.
        dialler: Dialler::new(Policy::new(config.allowed_private_hosts()?, false)),
        node: base(&containers.node_image, &containers.node_from, lives),
        python: base(&containers.python_image, &containers.python_from, lives),
        npm_registry: containers.npm_registry.clone(),
        pypi_index: containers.pypi_index.clone(),
        images: UnusedImages {
            after: days(containers.unused_image_days),
            above_bytes: mib.map(|mib| mib.saturating_mul(1024 * 1024)),
        },
    })
}

fn names(list: &str) -> Vec<String> {
    let names = list.split(',').map(str::trim).filter(|it| !it.is_empty());
    names.map(str::to_owned).collect()
}

/// An image for packages: the one that is named, or one that is made.
fn base(given: &str, from: &str, lives: Option<Duration>) -> PackageBase {
    match given {
        "" => PackageBase::Made {
            from: from.to_owned(),
            lives,
        },
        given => PackageBase::Given(given.to_owned()),
    }
}

/// The built-in model's file: in the data folder, or where `scripts/fetch-model.sh` puts it.
fn find_weights(data_dir: &Path) -> Option<PathBuf> {
    let cache = std::env::var_os("XDG_CACHE_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache")))
        .map(|cache| cache.join("agentarea"));
    [
        Some(data_dir.to_owned()),
        cache,
        Some("/usr/share/agentarea".into()),
    ]
    .into_iter()
    .flatten()
    .map(|folder| folder.join("models").join(llm::WEIGHTS_FILE))
    .find(|path| path.is_file())
}
