//! Logs.

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::Environment;

/// Logs to standard error: text in development, JSON in production; `RUST_LOG` picks what.
///
/// # Errors
/// If `RUST_LOG` cannot be understood.
pub fn start(environment: Environment) -> anyhow::Result<()> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(directives) => EnvFilter::try_new(directives).context("read the variable RUST_LOG")?,
        Err(_) => EnvFilter::new("info,memory_serve=warn,rmcp=off"),
    };
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr);
    match environment {
        Environment::Development => builder.with_target(false).init(),
        Environment::Production => builder.json().init(),
    }
    Ok(())
}

/// Warnings only, for commands whose output is read by programs.
pub fn start_quiet() {
    tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("warn"))
        .with_writer(std::io::stderr)
        .init();
}
