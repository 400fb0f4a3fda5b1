//! Runs tool servers in containers of Docker or Podman, isolated as if they were hostile.
//!
//! A container has a network namespace with nothing but a loopback interface. What it may reach
//! goes through a relay in that namespace to the gate in this process, which asks the server's
//! allow-list. The crate knows engines, images and bytes; not what the servers say, nor who may
//! use them.

mod docker;
mod door;
mod dress;
mod egress;
mod error;
mod logs;
mod package;
mod provisioner;
mod relay;
mod running;
mod spec;
mod veil;

pub use docker::{Docker, DockerConfig};
pub use door::{Door, remove_dead_doors};
pub use egress::{Refusal, Refusals, Rule, RuleError};
pub use error::Error;
pub use logs::{LogBook, LogLine};
pub use package::{Base, Package, PackageConfig, Registry};
pub use provisioner::{Engine, Fetched, Held, Image, Instance, Provisioner, State, Stats};
pub use running::{Exit, Reader, Running, Started, Writer};
pub use spec::{Limits, Spec};
pub use veil::Veil;
