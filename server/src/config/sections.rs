//! The sections of the settings; `default.toml` explains them.

use serde::Deserialize;
use url::Url;

const MIB: u64 = 1024 * 1024;

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
pub(super) struct Server {
    /// Proxies whose X-Forwarded-For is believed.
    pub(super) trusted_proxies: String,
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
    /// Days after which an image that no server uses any more is removed; 0 for never.
    pub unused_image_days: u32,
    /// MiB above which images that no server uses are removed before that; 0 for no bound.
    pub images_mib: u64,
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
