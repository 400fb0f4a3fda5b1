//! The images that servers run.

use std::collections::HashSet;
use std::sync::{MutexGuard, PoisonError};

use domain::containers::{PackageRegistry, PackageSource};
use mcp::ConnectError;
use provisioner::{Error, Package, Registry};
use uuid::Uuid;

use super::Containers;
use super::starting::told;
use crate::mint;

/// What an image is to be found for.
pub(crate) enum Wanted {
    /// The reference of an image.
    Image(String),
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
    /// The id of an image that is on the engine: pulled or built if it is not.
    ///
    /// # Errors
    /// Says what a person can do.
    pub(crate) async fn find_image(&self, wanted: Wanted) -> Result<String, ConnectError> {
        let provisioner = self.provisioner().await.map_err(told)?;
        let found = match (wanted, &self.inner.config) {
            (Wanted::Image(image), _) => provisioner.resolve(&image).await,
            (Wanted::Package(package), Some(config)) => {
                let build = mint::id::<Uuid>().simple();
                let name = format!("build-{build}-{}", self.process().simple());
                self.builds().insert(name.clone());
                let built = provisioner.build(&name, &package, &config.packages()).await;
                self.builds().remove(&name);
                built
            }
            (Wanted::Package(_), None) => Err(Error::NoEngine {
                tried: "this server does not run containers".to_owned(),
            }),
        };
        found.map(|image| image.id).map_err(told)
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
