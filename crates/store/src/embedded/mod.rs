//! A private PostgreSQL server in the data folder, for when no other is configured.
//!
//! It listens on a Unix socket only its user can open, runs as an unprivileged account when this
//! program is root, is restarted when it dies and stopped when this program ends. After a
//! `kill -9` of this program it goes on running, and the next start takes it over. Where the machine
//! has no PostgreSQL, one is fetched once and kept in the data folder.

mod account;
mod binaries;
mod cluster;
mod download;
mod fetch;
mod folder;
mod package;
mod supervisor;
mod unpack;

pub use supervisor::{Embedded, Joining};
