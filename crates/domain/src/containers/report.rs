//! How a container is doing.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// How a server's container is right now.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContainerReport {
    /// Whether it runs.
    pub is_running: bool,
    /// Since when it runs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started_at: Option<Timestamp>,
    /// Processor time since then, milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ms: Option<u64>,
    /// Memory in use.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Processes and threads.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pids: Option<u64>,
    /// What it used lately, oldest first, at most 120 looks of every 5 s.
    #[serde(default)]
    pub samples: Vec<ContainerSample>,
    /// Connections that were refused to it, newest first, at most 200.
    pub refusals: Vec<EgressRefusal>,
}

/// What a container used at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ContainerSample {
    /// When.
    pub time: Timestamp,
    /// Thousandths of a processor since the look before.
    pub cpu_millis: u32,
    /// Memory in use.
    pub memory_bytes: u64,
}

/// A connection that was refused to a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct EgressRefusal {
    /// When it last happened.
    pub time: Timestamp,
    /// Whom it wanted to reach: `host:port`.
    pub target: String,
    /// Why not.
    pub reason: String,
    /// How often.
    pub count: u64,
}

/// One line of a container's log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ServerLogLine {
    /// 1, 2, … since the container was started.
    pub number: u64,
    /// When it was written.
    pub time: Timestamp,
    /// What it says.
    pub text: String,
}
