//! Traces: what a request or a run did and how long it took, sent to a collector.
//!
//! OTLP over HTTP in its JSON form, which needs nothing but an HTTP client. Only spans with the
//! target [`TARGET`] are traced; without a collector they are not even made.

mod export;
mod layer;
mod span;

use anyhow::Context;
use outbound::{AllowedHost, Outbound, Policy};
use tokio::sync::mpsc;
use url::Url;

use self::export::Exporter;
use self::layer::TraceLayer;

/// Target of the spans that are traced.
pub const TARGET: &str = "agentarea::trace";
/// Spans that may wait for the collector; more are dropped.
const CAPACITY: usize = 4096;

/// Makes the part that gathers spans, and starts the one that sends them to `endpoint`.
///
/// # Errors
/// If the address is no `http://` or `https://` URL.
pub fn start(endpoint: &Url) -> anyhow::Result<TraceLayer> {
    let host = endpoint.host_str().context("the collector has no host")?;
    let port = endpoint
        .port_or_known_default()
        .context("the collector is no http:// or https:// address")?;
    let collector: AllowedHost = format!("{host}:{port}").parse()?;
    let client = Outbound::new(Policy::new(Some(vec![collector]), false))
        .context("make the HTTP client of the traces")?;
    let mut address = endpoint.clone();
    let path = format!("{}/v1/traces", endpoint.path().trim_end_matches('/'));
    address.set_path(&path);
    let (sender, spans) = mpsc::channel(CAPACITY);
    tokio::spawn(Exporter::new(client, address).run(spans));
    Ok(TraceLayer::new(sender))
}
