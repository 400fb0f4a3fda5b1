//! `agentarea`: the whole platform in one program.

mod assets;
mod authentication;
mod client;
mod commands;
mod config;
mod crowds;
mod gateway;
mod guard;
mod key_rotation;
mod listener;
mod master_key;
mod pages;
mod problem;
mod rate_limit;
mod renewal;
mod request;
mod rest;
mod router;
mod security_headers;
mod stall;
mod telemetry;
mod wiring;

use std::process::ExitCode;

use clap::Parser;

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = commands::Arguments::parse();
    match commands::run(arguments).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("agentarea: {error:#}");
            ExitCode::FAILURE
        }
    }
}
