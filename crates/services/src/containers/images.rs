//! The images that servers run.

use std::collections::HashSet;
use std::sync::{MutexGuard, PoisonError};

use domain::containers::{PackageRegistry, PackageSource};
use domain::{McpServerId, WorkspaceId};
use mcp::ConnectError;
use provisioner::{Error, Image, LogBook, Package, Registry};
use uuid::Uuid;

use super::Containers;
use super::starting::told;
use crate::mint;

/// What an image is to be found for.
pub(crate) enum Wanted {
    /// The reference of an image, as it is on the engine if it is there.
    Image(String),
    /// The same, as its registry has it now.
    NewestImage(String),
    /// A package.
    Package(Package),
}

impl Wanted {
    pub(crate) fn of_package(source: &PackageSource) -> Self {
        Self::Package(Package {
            registry: registry(source.registry),
            name: source.name.clone(),
            version: source.version.clone(),
        })
    }
}

impl Containers {
    /// Asks the engine whether it is there.
    ///
    /// # Errors
    /// If it does not answer.
    pub(crate) async fn reach_engine(&self) -> Result<(), ConnectError> {
        let provisioner = self.provisioner().await.map_err(told)?;
        provisioner.engine().await.map(drop).map_err(told)
    }

    /// Whether the engine still has an image of that id.
    ///
    /// # Errors
    /// If the engine does not answer.
    pub(crate) async fn has_image(&self, id: &str) -> Result<bool, ConnectError> {
        let provisioner = self.provisioner().await.map_err(told)?;
        match provisioner.resolve(id).await {
            Ok(_) => Ok(true),
            Err(Error::ImageMissing { .. }) => Ok(false),
            Err(error) => Err(told(error)),
        }
    }

    /// An image that is on the engine: pulled, or built if it is not. The server's log is that of the
    /// build until it starts.
    ///
    /// # Errors
    /// Says what a person can do.
    pub(crate) async fn find_image(
        &self,
        (workspace_id, id): (WorkspaceId, McpServerId),
        wanted: Wanted,
    ) -> Result<Image, ConnectError> {
        let found = async {
            let provisioner = self.provisioner().await?;
            match wanted {
                Wanted::Image(image) => provisioner.resolve(&image).await,
                Wanted::NewestImage(image) => provisioner.resolve_newest(&image).await,
                Wanted::Package(package) => self.find_package((workspace_id, id), package).await,
            }
        };
        let found = found.await.map_err(told)?;
        self.note_found(&found.id).await;
        Ok(found)
    }

    async fn find_package(
        &self,
        (workspace_id, id): (WorkspaceId, McpServerId),
        package: Package,
    ) -> Result<Image, Error> {
        let Some(config) = &self.inner.config else {
            return Err(Error::NoEngine {
                tried: "this server does not run containers".to_owned(),
            });
        };
        let (provisioner, config) = (self.provisioner().await?.clone(), config.packages());
        if let Some(found) = provisioner.find_package(&package, &config).await? {
            return Ok(found);
        }
        let (this, log) = (self.clone(), LogBook::default());
        self.place(id).state().log = Some(log.clone());
        // It goes on without whoever began it: the next one who asks finds the image.
        let building = tokio::spawn(async move {
            let _turn = this.inner.build_turns.take(workspace_id).await;
            let build = Build::begin(&this);
            let built = provisioner.build(&build.name, &package, &config, &log);
            built.await
        });
        building.await.unwrap_or_else(|_| {
            Err(Error::EngineGone {
                reason: "the build broke off".to_owned(),
            })
        })
    }
}

/// A package that is being installed.
struct Build {
    containers: Containers,
    /// Of its container.
    name: String,
}

impl Build {
    fn begin(containers: &Containers) -> Self {
        let id = mint::id::<Uuid>().simple();
        let name = format!("build-{id}-{}", containers.process().simple());
        containers.builds().insert(name.clone());
        Self {
            containers: containers.clone(),
            name,
        }
    }
}

impl Drop for Build {
    fn drop(&mut self) {
        self.containers.builds().remove(&self.name);
    }
}

impl Containers {
    /// Whether a package is being installed here in the container of that name.
    pub(super) fn is_building(&self, name: &str) -> bool {
        self.builds().contains(name)
    }

    fn builds(&self) -> MutexGuard<'_, HashSet<String>> {
        self.inner
            .builds
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
    }
}

pub(crate) fn registry(registry: PackageRegistry) -> Registry {
    match registry {
        PackageRegistry::Npm => Registry::Npm,
        PackageRegistry::PyPi => Registry::PyPi,
    }
}
