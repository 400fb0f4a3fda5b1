//! Sends spans to the collector, in batches.

use std::time::Duration;

use http::Method;
use outbound::Outbound;
use serde_json::{Value, json};
use tokio::sync::mpsc;
use url::Url;

use super::span::FinishedSpan;

/// Spans sent at once.
const BATCH: usize = 512;
/// How long spans are gathered.
const GATHER: Duration = Duration::from_secs(1);
/// Longest wait for the collector.
const PATIENCE: Duration = Duration::from_secs(5);

/// Sends spans. What the collector does not take is lost: traces are no record.
pub(super) struct Exporter {
    client: Outbound,
    address: Url,
    is_failing: bool,
}

impl Exporter {
    pub(super) fn new(client: Outbound, address: Url) -> Self {
        Self {
            client,
            address,
            is_failing: false,
        }
    }

    /// Sends what comes until nobody can send any more.
    pub(super) async fn run(mut self, mut spans: mpsc::Receiver<FinishedSpan>) {
        let mut batch = Vec::with_capacity(BATCH);
        while spans.recv_many(&mut batch, BATCH).await > 0 {
            if batch.len() < BATCH {
                tokio::time::sleep(GATHER).await;
                while batch.len() < BATCH
                    && let Ok(span) = spans.try_recv()
                {
                    batch.push(span);
                }
            }
            self.send(&batch).await;
            batch.clear();
        }
    }

    async fn send(&mut self, spans: &[FinishedSpan]) {
        let failure = self.try_send(spans).await.err();
        if let Some(failure) = &failure {
            let lost = spans.len() as u64;
            metrics::counter!("agentarea_trace_spans_dropped_total").increment(lost);
            if !self.is_failing {
                tracing::warn!(reason = %failure, "the collector takes no traces");
            }
        }
        self.is_failing = failure.is_some();
    }

    async fn try_send(&self, spans: &[FinishedSpan]) -> anyhow::Result<()> {
        let body = serde_json::to_vec(&document(spans))?;
        let request = self
            .client
            .request(Method::POST, self.address.clone())?
            .header("content-type", "application/json")
            .timeout(PATIENCE)
            .body(body);
        let answer = request.send().await.map_err(|error| error.without_url())?;
        anyhow::ensure!(
            answer.status().is_success(),
            "it answers {}",
            answer.status()
        );
        Ok(())
    }
}

fn document(spans: &[FinishedSpan]) -> Value {
    let version = env!("CARGO_PKG_VERSION");
    let spans: Vec<Value> = spans.iter().map(FinishedSpan::to_json).collect();
    let attribute = |key: &str, value: &str| json!({"key": key, "value": {"stringValue": value}});
    json!({"resourceSpans": [{
        "resource": {"attributes": [
            attribute("service.name", "agentarea"),
            attribute("service.version", version),
        ]},
        "scopeSpans": [{
            "scope": {"name": "agentarea", "version": version},
            "spans": spans,
        }],
    }]})
}
