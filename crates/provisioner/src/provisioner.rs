//! What every engine can do.

use async_trait::async_trait;

use crate::{Error, Exit, LogBook, Package, PackageConfig, Spec, Started};

/// An engine that runs tool servers. Everything else on the engine is out of reach of this trait:
/// whatever does not carry this installation's label is neither listed nor touched.
#[async_trait]
pub trait Provisioner: Send + Sync {
    /// Asks the engine who it is; within 5 s.
    ///
    /// # Errors
    /// `NoEngine`, with every address that was tried.
    async fn engine(&self) -> Result<Engine, Error>;

    /// What tells the engine from every other one, by whatever address it is reached.
    ///
    /// # Errors
    /// When the engine fails.
    async fn engine_id(&self) -> Result<String, Error>;

    /// Finds an image on the engine or pulls it, and pins it by its id. Idempotent.
    ///
    /// # Errors
    /// `ImageMissing` with the registry's reason.
    async fn resolve(&self, image: &str) -> Result<Image, Error>;

    /// The image as its registry has it now, if a reference can lead to another one and the registry
    /// answers; else as [`Provisioner::resolve`].
    ///
    /// # Errors
    /// As there.
    async fn resolve_newest(&self, image: &str) -> Result<Image, Error>;

    /// The image of a package, if it is there and nothing has to be done before it is used.
    ///
    /// # Errors
    /// When the engine fails.
    async fn find_package(
        &self,
        package: &Package,
        config: &PackageConfig,
    ) -> Result<Option<Image>, Error>;

    /// The image of a package, built if there is none yet; the same for every workspace. Idempotent.
    /// `id` names the container in which it is installed; what happens is written to the log.
    ///
    /// # Errors
    /// `NotBuilt` with the installer's last lines; `NoBase` or `ImageMissing` for the base image.
    async fn build(
        &self,
        id: &str,
        package: &Package,
        config: &PackageConfig,
        log: &LogBook,
    ) -> Result<Image, Error>;

    /// The images that this installation has pulled or built, in no order; what was on the engine
    /// before, or came to it in another way, is not among them.
    ///
    /// # Errors
    /// When the engine fails.
    async fn list_fetched(&self, config: &PackageConfig) -> Result<Vec<Fetched>, Error>;

    /// Removes one of those images, and tells whether it is gone: not while a container has it, and
    /// not where somebody else has given it a name. Idempotent.
    ///
    /// # Errors
    /// When the engine fails or refuses.
    async fn drop_fetched(&self, id: &str) -> Result<bool, Error>;

    /// Starts the one container of `spec.id` and attaches to it before its first byte.
    ///
    /// Whatever has run under this id before, in this process or a dead one, is removed first: a
    /// stdio conversation cannot be taken over in the middle.
    ///
    /// # Errors
    /// As told by the variants; nothing is left behind. `Outdated` if one with a higher fence is
    /// there.
    async fn start(&self, spec: &Spec) -> Result<Started, Error>;

    /// Asks a container to end, kills it after the grace period and removes it; leaves one with a
    /// higher fence alone. Idempotent.
    ///
    /// # Errors
    /// `NameTaken` if the container is not ours; else when the engine fails.
    async fn remove(&self, id: &str, fence: i64) -> Result<(), Error>;

    /// Every container of this installation, those of the network included, however it came to be.
    ///
    /// # Errors
    /// When the engine fails.
    async fn list_held(&self) -> Result<Vec<Held>, Error>;

    /// Removes exactly that container, at once. Idempotent.
    ///
    /// # Errors
    /// When the engine fails.
    async fn discard(&self, held: &Held) -> Result<(), Error>;

    /// The container of an id; `None` if there is none.
    ///
    /// # Errors
    /// When the engine fails.
    async fn inspect(&self, id: &str) -> Result<Option<Instance>, Error>;

    /// Every server of this installation, in no order.
    ///
    /// # Errors
    /// When the engine fails.
    async fn list(&self) -> Result<Vec<Instance>, Error>;

    /// What a container uses right now; `None` if it does not run.
    ///
    /// # Errors
    /// When the engine fails.
    async fn stats(&self, id: &str) -> Result<Option<Stats>, Error>;
}

/// Who runs the containers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Engine {
    /// `docker` or `podman`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Where it answered.
    pub address: String,
}

/// An image that cannot change any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// The id on the engine: `sha256:…`.
    pub id: String,
    /// The digest in its registry, if it came from one: `name@sha256:…`.
    pub digest: Option<String>,
}

/// An image that this installation has put on the engine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// The id on the engine: `sha256:…`.
    pub id: String,
    /// What it is called there; none if it was pulled by its digest, or its name has moved on.
    pub names: Vec<String>,
    /// Its digests in registries: `name@sha256:…`.
    pub digests: Vec<String>,
    /// What it takes beyond the largest of the others that it stands on.
    pub size_bytes: u64,
    /// Whether a container has it, another of these images stands on it, or new servers start with it.
    pub is_needed: bool,
}

/// A container that this installation made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// [`Spec::id`].
    pub id: String,
    /// [`Spec::fence`].
    pub fence: i64,
    /// Whether it is the server itself and not its network.
    pub is_server: bool,
    pub(crate) container: String,
}

/// A server of this installation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// [`Spec::id`].
    pub id: String,
    /// [`Spec::workspace`], as written on the label.
    pub workspace: String,
    /// [`Spec::revision`].
    pub revision: String,
    /// [`Spec::fence`].
    pub fence: i64,
    /// What it does.
    pub state: State,
}

/// What a container does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum State {
    /// Made and never started.
    Created,
    /// Running.
    Running,
    /// Ended.
    Ended(Exit),
}

/// What a container uses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Processor time since its start, in nanoseconds; two readings make a rate.
    pub cpu_nanos: u64,
    /// Memory without what can be dropped from caches.
    pub memory_bytes: u64,
    /// Its limit.
    pub memory_limit_bytes: u64,
    /// Processes and threads.
    pub pids: u64,
}
