//! What to run.

use std::collections::BTreeMap;
use std::time::Duration;

use domain::{Secret, WorkspaceId};

use crate::Rule;

/// One tool server in a container.
#[derive(Clone, Debug)]
pub struct Spec {
    /// Its name within the installation: lower-case letters, digits and hyphens, at most 80.
    ///
    /// There is never more than one container of a name.
    pub id: String,
    /// The tenant it belongs to; told to the engine as a label.
    pub workspace: WorkspaceId,
    /// Changes whenever anything else here does; told to the engine as a label.
    pub revision: String,
    /// Grows with each start under this id, whoever starts it; told to the engine as a label. An
    /// older start neither replaces nor removes what a newer one made.
    pub fence: i64,
    /// A reference or, better, the id of a resolved image.
    pub image: String,
    /// Arguments, or the whole command if the image has no entry point. Empty keeps the image's.
    pub command: Vec<String>,
    /// Plain settings.
    pub env: BTreeMap<String, String>,
    /// Settings that nobody may read; they win over `env`.
    pub secrets: BTreeMap<String, Secret>,
    /// What it may use.
    pub limits: Limits,
    /// Whom it may reach; nobody if empty.
    pub egress: Vec<Rule>,
    /// The port of its own loopback on which it speaks HTTP; `None` = it speaks on stdio.
    pub port: Option<u16>,
}

/// Hard limits of one container.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Memory including `/tmp`; there is no swap.
    pub memory_bytes: u64,
    /// Thousandths of a processor.
    pub cpu_millis: u32,
    /// Processes and threads.
    pub pids: u32,
    /// Size of `/tmp`, the only place that can be written to.
    pub scratch_bytes: u64,
    /// Time to end by itself when asked to.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 512 << 20,
            cpu_millis: 1000,
            pids: 128,
            scratch_bytes: 64 << 20,
            grace: Duration::from_secs(5),
        }
    }
}

impl Spec {
    /// Whether the server needs the relay: somebody to reach, or a port to be reached on.
    pub(crate) fn has_network(&self) -> bool {
        !self.egress.is_empty() || self.port.is_some()
    }
}
