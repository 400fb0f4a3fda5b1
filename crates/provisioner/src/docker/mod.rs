//! Docker and Podman, through the API they share.

mod attachment;
mod base;
mod body;
mod connection;
mod fault;
mod fetched;
mod image;
mod lifecycle;
mod package;
mod reading;
mod relay_image;

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use async_trait::async_trait;
use outbound::Dialler;
use tokio::sync::OwnedMutexGuard;

use crate::{
    Engine, Error, Fetched, Held, Image, Instance, LogBook, Package, PackageConfig, Provisioner,
    Spec, Started, Stats,
};

/// How to reach an engine, and who we are to it.
#[derive(Clone, Debug)]
pub struct DockerConfig {
    /// Addresses to try in order: `unix:///path` or `tcp://host:port`.
    pub addresses: Vec<String>,
    /// Speaks TLS with engines at `tcp://`: the folder with `ca.pem`, `cert.pem` and `key.pem`.
    pub certificates: Option<PathBuf>,
    /// Hosts that images of users may come from, `docker.io` for those that name none; `None` for any
    /// that is public.
    pub registries: Option<Vec<String>>,
    /// Tells this installation's containers from all others: lower-case letters and digits, at
    /// most 12.
    pub installation: String,
    /// Opens the connections that allow-lists let through.
    pub dialler: Dialler,
}

/// A Docker or Podman engine. Cloning shares the connection.
#[derive(Clone)]
pub struct Docker {
    config: Arc<DockerConfig>,
    client: Arc<Mutex<Option<Known>>>,
    /// The images that are being made, by name.
    making: Arc<Mutex<HashMap<String, Weak<Turn>>>>,
    renewals: base::Renewals,
}

/// Held while an image is made.
type Turn = tokio::sync::Mutex<()>;

/// An engine that has answered.
#[derive(Clone)]
struct Known {
    client: bollard::Docker,
    is_podman: bool,
}

impl Docker {
    /// Connects with the first use, and again when the engine was away.
    pub fn new(config: DockerConfig) -> Self {
        Self {
            config: Arc::new(config),
            client: Arc::default(),
            making: Arc::default(),
            renewals: base::Renewals::default(),
        }
    }

    /// The turn to make an image of that name: whoever wants the same one waits, and finds it then.
    async fn turn(&self, name: &str) -> OwnedMutexGuard<()> {
        let turn = {
            let mut making = self.making.lock().unwrap_or_else(PoisonError::into_inner);
            making.retain(|_, turn| turn.strong_count() > 0);
            let known = making.get(name).and_then(Weak::upgrade);
            known.unwrap_or_else(|| {
                let turn = Arc::<Turn>::default();
                making.insert(name.to_owned(), Arc::downgrade(&turn));
                turn
            })
        };
        turn.lock_owned().await
    }
}

#[async_trait]
impl Provisioner for Docker {
    async fn engine(&self) -> Result<Engine, Error> {
        self.connect().await.map(|(engine, _)| engine)
    }

    async fn engine_id(&self) -> Result<String, Error> {
        self.read_id().await
    }

    async fn resolve(&self, image: &str) -> Result<Image, Error> {
        let found = self.find_or_pull(image).await?;
        Ok(image::pinned(image, &found))
    }

    async fn resolve_newest(&self, image: &str) -> Result<Image, Error> {
        let found = self.find_newest(image).await?;
        Ok(image::pinned(image, &found))
    }

    async fn find_package(
        &self,
        package: &Package,
        config: &PackageConfig,
    ) -> Result<Option<Image>, Error> {
        self.package_at_hand(package, config).await
    }

    async fn build(
        &self,
        id: &str,
        package: &Package,
        config: &PackageConfig,
        log: &LogBook,
    ) -> Result<Image, Error> {
        self.package_image(id, package, config, log).await
    }

    async fn list_fetched(&self, config: &PackageConfig) -> Result<Vec<Fetched>, Error> {
        self.list_fetched_images(config).await
    }

    async fn drop_fetched(&self, id: &str) -> Result<bool, Error> {
        self.drop_fetched_image(id).await
    }

    async fn start(&self, spec: &Spec) -> Result<Started, Error> {
        self.start_container(spec).await
    }

    async fn remove(&self, id: &str, fence: i64) -> Result<(), Error> {
        self.remove_containers(id, fence).await
    }

    async fn list_held(&self) -> Result<Vec<Held>, Error> {
        self.list_own().await
    }

    async fn discard(&self, held: &Held) -> Result<(), Error> {
        self.erase_held(held).await
    }

    async fn inspect(&self, id: &str) -> Result<Option<Instance>, Error> {
        self.read_instance(id).await
    }

    async fn list(&self) -> Result<Vec<Instance>, Error> {
        self.list_instances().await
    }

    async fn stats(&self, id: &str) -> Result<Option<Stats>, Error> {
        self.read_stats(id).await
    }
}
