//! Containers of tool servers: started when a tool is needed, removed when nobody uses them.
//!
//! One process of the fleet runs a server's one container, by a lease in the database ([`leases`]);
//! the others reach the server through it. What carries the installation's label and is not the start
//! that counts is removed, whoever left it behind.

mod engine;
mod images;
mod leases;
mod manager;
mod place;
mod report;
mod starting;
mod turns;
mod unused;

use std::collections::{HashMap, HashSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use domain::McpServerId;
use outbound::Dialler;
use provisioner::{Base, Docker, DockerConfig, Error, PackageConfig, Provisioner};
use store::Store;
use tokio_util::task::TaskTracker;
use url::Url;
use uuid::Uuid;

pub(crate) use self::images::{Wanted, registry};
pub(crate) use self::leases::{InstanceLease, Turn};
use self::place::Place;
pub(crate) use self::starting::{ContainerGuard, Order};
use self::turns::BuildTurns;
pub use self::unused::UnusedImages;

/// What one workspace's containers may use together.
#[derive(Clone, Copy, Debug)]
pub struct Quota {
    /// Servers in containers.
    pub servers: u32,
    /// Sum of their memory limits, MiB.
    pub memory_mb: u32,
    /// Sum of their processor limits, thousandths.
    pub cpu_millis: u32,
}

/// How containers are run.
#[derive(Clone, Debug)]
pub struct ContainersConfig {
    /// Addresses of engines to try in order: `unix:///path` or `tcp://host:port`.
    pub engines: Vec<String>,
    /// The folder with `ca.pem`, `cert.pem` and `key.pem`, to speak TLS with engines at `tcp://`.
    pub certificates: Option<PathBuf>,
    /// Hosts that images of users may come from; `None` for any that is public.
    pub registries: Option<Vec<String>>,
    /// Opens the connections that allow-lists let through.
    pub dialler: Dialler,
    /// The image with Node.js, for packages of npm.
    pub node: Base,
    /// The image with Python, for packages of PyPI.
    pub python: Base,
    /// The npm registry or its mirror.
    pub npm_registry: Url,
    /// The simple interface of PyPI or its mirror.
    pub pypi_index: Url,
    /// Which images that no server uses are removed.
    pub images: UnusedImages,
}

impl ContainersConfig {
    fn docker(&self, installation: &str) -> Docker {
        Docker::new(DockerConfig {
            addresses: self.engines.clone(),
            certificates: self.certificates.clone(),
            registries: self.registries.clone(),
            installation: installation.to_owned(),
            dialler: self.dialler.clone(),
        })
    }

    fn packages(&self) -> PackageConfig {
        let host = |url: &Url| {
            let port = url.port_or_known_default().unwrap_or(443);
            format!("{}:{port}", url.host_str().unwrap_or_default())
        };
        let hosts = [
            host(&self.npm_registry),
            host(&self.pypi_index),
            // Where PyPI's index leads to.
            "files.pythonhosted.org:443".to_owned(),
        ];
        PackageConfig {
            node: self.node.clone(),
            python: self.python.clone(),
            npm_registry: self.npm_registry.to_string(),
            pypi_index: self.pypi_index.to_string(),
            egress: hosts.iter().filter_map(|host| host.parse().ok()).collect(),
        }
    }
}

/// The containers of this process. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Containers {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    /// `None` where this process runs no containers.
    config: Option<ContainersConfig>,
    provisioner: tokio::sync::OnceCell<Arc<dyn Provisioner>>,
    engine: engine::SeenEngine,
    /// This process, in the fleet.
    process: Uuid,
    /// Where the others reach it.
    address: String,
    is_known: tokio::sync::OnceCell<()>,
    leases: leases::Leases,
    /// Containers that are being removed.
    retiring: TaskTracker,
    /// Names of the containers in which packages are being installed.
    builds: Mutex<HashSet<String>>,
    build_turns: BuildTurns,
    places: Mutex<HashMap<McpServerId, Arc<Place>>>,
}

impl Containers {
    pub(crate) fn new(store: Store, config: Option<ContainersConfig>, address: String) -> Self {
        Self {
            inner: Arc::new(Inner {
                store,
                config,
                provisioner: tokio::sync::OnceCell::new(),
                engine: engine::SeenEngine::default(),
                process: crate::mint::id(),
                address,
                is_known: tokio::sync::OnceCell::new(),
                leases: leases::Leases::default(),
                retiring: TaskTracker::new(),
                builds: Mutex::default(),
                build_turns: BuildTurns::default(),
                places: Mutex::default(),
            }),
        }
    }

    /// The engine, by the installation's id.
    async fn provisioner(&self) -> Result<&Arc<dyn Provisioner>, Error> {
        let Some(config) = &self.inner.config else {
            return Err(Error::NoEngine {
                tried: "this server does not run containers".to_owned(),
            });
        };
        let made = self.inner.provisioner.get_or_try_init(|| async {
            let mut db = self.inner.store.system().await?;
            let fresh = crate::mint::id();
            let id = store::installation::find_or_create(&mut db, fresh).await?;
            let name = id.simple().to_string();
            // The end of an id is random; its beginning is a time.
            let docker = config.docker(&name[name.len() - 12..]);
            store::Result::Ok(Arc::new(docker) as Arc<dyn Provisioner>)
        });
        made.await.map_err(|error: store::Error| {
            tracing::warn!(%error, "the installation's id cannot be read");
            Error::EngineGone {
                reason: "our database does not answer".to_owned(),
            }
        })
    }

    fn place(&self, id: McpServerId) -> Arc<Place> {
        let mut places = self
            .inner
            .places
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        places.entry(id).or_default().clone()
    }

    /// The servers of which something is known.
    fn known_places(&self) -> HashSet<McpServerId> {
        let places = self.inner.places.lock();
        let places = places.unwrap_or_else(PoisonError::into_inner);
        places.keys().copied().collect()
    }

    /// Forgets what was known of servers that are gone, unless somebody is at work on them.
    fn forget_places(&self, is_there: impl Fn(&McpServerId) -> bool) {
        let mut places = self
            .inner
            .places
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        places.retain(|id, place| is_there(id) || Arc::strong_count(place) > 1);
    }

    fn find_place(&self, id: McpServerId) -> Option<Arc<Place>> {
        let places = self
            .inner
            .places
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        places.get(&id).cloned()
    }
}
