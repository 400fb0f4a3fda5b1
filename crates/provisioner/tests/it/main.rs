//! Containers on a real engine, through the crate's front door.

#![expect(clippy::unwrap_used, reason = "tests")]

mod descriptors;
mod egress;
mod endings;
mod images;
mod isolation;
mod lifecycle;
mod packages;
mod podman;
mod speaking;
mod support;
mod tls;
