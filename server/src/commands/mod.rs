//! The command line.

mod admin;
mod backup;
mod extract_text;
mod healthcheck;
mod migrate;
mod serve;

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::{Parser, Subcommand};

pub use self::extract_text::{NAME as EXTRACT_TEXT, run as extract_text};
use crate::config::Config;
use crate::roles::Roles;

/// Self-hosted platform for AI agents.
#[derive(Debug, Parser)]
#[command(name = "agentarea", version, propagate_version = true)]
pub struct Arguments {
    /// Configuration file in TOML; see `agentarea serve --help` for the sources.
    #[arg(long, global = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the platform until it is told to stop (Ctrl-C, SIGTERM).
    Serve {
        /// Address of the HTTP listener, instead of the configured one.
        #[arg(long)]
        listen: Option<SocketAddr>,
        /// What to run, instead of everything: web, api, worker and mcp-manager, comma-separated.
        #[arg(long)]
        roles: Option<Roles>,
        /// Only checks the configuration.
        #[arg(long)]
        check: bool,
    },
    /// Brings the database schema up to date.
    Migrate,
    /// Manages users and keys.
    #[command(subcommand)]
    Admin(admin::Command),
    /// Makes, lists, proves and prunes backups.
    #[command(subcommand)]
    Backup(backup::Command),
    /// Puts a backup in place of everything in the database and the object store.
    ///
    /// Needs the master key that the backup is sealed with. All servers must be stopped.
    Restore(backup::Restore),
    /// Prints the OpenAPI document of the REST interface.
    Openapi,
    /// Succeeds if the local server is ready.
    Healthcheck,
}

/// Runs what the command line asks for.
///
/// # Errors
/// In words for whoever typed the command.
pub async fn run(arguments: Arguments) -> anyhow::Result<()> {
    if matches!(arguments.command, Command::Openapi) {
        println!("{:#}", crate::openapi::document());
        return Ok(());
    }
    let mut config = Config::load(arguments.config.as_deref())?;
    match arguments.command {
        Command::Serve { check: true, .. } => Ok(()),
        Command::Serve { listen, roles, .. } => {
            config.listen = listen.or(config.listen);
            config.roles = roles.unwrap_or(config.roles);
            config.check()?;
            serve::run(config).await
        }
        Command::Migrate => migrate::run(config).await,
        Command::Admin(command) => admin::run(config, command).await,
        Command::Backup(command) => backup::run(config, command).await,
        Command::Restore(restore) => backup::restore(config, restore).await,
        // Told above, before there is a configuration.
        Command::Openapi => Ok(()),
        Command::Healthcheck => healthcheck::run(&config).await,
    }
}
