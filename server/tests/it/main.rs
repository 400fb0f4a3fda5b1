//! Product tests through HTTP, against the program as it ships.

mod agents;
mod boundaries;
mod conversations;
mod crash;
mod database;
mod embedded;
mod models;
mod setup;
mod support;
mod tenancy;
