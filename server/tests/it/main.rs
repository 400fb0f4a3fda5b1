//! Product tests through HTTP, against the program as it ships.

mod access;
mod agents;
mod approvals;
mod authorization;
mod boundaries;
mod canaries;
mod conversations;
mod crash;
mod database;
mod edge;
mod embedded;
mod faults;
mod limits;
mod models;
mod people;
mod renewal;
mod setup;
mod slow_clients;
mod support;
mod tenancy;
mod throttling;
mod tokens;
mod tools;
mod usage;
mod vault;
