//! Product tests through HTTP, against the program as it ships.

mod access;
mod agents;
mod authorization;
mod boundaries;
mod conversations;
mod crash;
mod database;
mod embedded;
mod models;
mod people;
mod setup;
mod support;
mod tenancy;
mod throttling;
