//! Logs, and traces if there is a collector.

use anyhow::Context;
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, fmt, registry};
use url::Url;

use crate::config::Environment;
use crate::traces;

/// They write whole messages into their logs, with the secrets in them, when anything below a warning
/// is asked for: the environment of a container, what tools are called with, tokens.
const TALKATIVE: [&str; 2] = ["bollard", "rmcp"];

/// Logs to standard error: text in development, JSON in production; `RUST_LOG` picks what, within limits.
/// Traces go to `collector`. Must be called within a runtime.
///
/// # Errors
/// If `RUST_LOG` cannot be understood, or the collector's address is no URL of HTTP.
pub fn start(environment: Environment, collector: Option<&Url>) -> anyhow::Result<()> {
    let filter = match std::env::var("RUST_LOG") {
        Ok(directives) => EnvFilter::try_new(directives).context("read the variable RUST_LOG")?,
        Err(_) => EnvFilter::new("info,memory_serve=warn,rmcp=off,sqlx::postgres::notice=warn"),
    };
    // Spans of traces are none of the log's business.
    let not_traces = format!("{}=off", traces::TARGET).parse();
    let filter = filter.add_directive(not_traces.expect("a directive"));
    let filter = filter.and(filter_fn(|metadata| {
        let name = metadata.target().split("::").next().unwrap_or_default();
        *metadata.level() <= tracing::Level::WARN || !TALKATIVE.contains(&name)
    }));
    let log = match environment {
        Environment::Development => fmt::layer()
            .with_target(false)
            .with_writer(std::io::stderr)
            .with_filter(filter)
            .boxed(),
        Environment::Production => fmt::layer()
            .json()
            .with_writer(std::io::stderr)
            .with_filter(filter)
            .boxed(),
    };
    let subscriber = registry().with(log);
    // A layer that is `None` would have no filter, and spans would be made that nobody looks at.
    match collector {
        Some(collector) => {
            let is_traced = filter_fn(|metadata| metadata.target() == traces::TARGET);
            let traces = traces::start(collector)?.with_filter(is_traced);
            subscriber.with(traces).init();
        }
        None => subscriber.init(),
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
