//! `/metrics`

use anyhow::Context;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};

use crate::router::AppState;

/// Seconds, from a cached read to a slow page.
const BUCKETS: [f64; 12] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0,
];

/// Makes this process record metrics.
///
/// # Errors
/// If it does already.
pub fn install() -> anyhow::Result<PrometheusHandle> {
    let handle = PrometheusBuilder::new()
        .set_buckets_for_metric(Matcher::Suffix("_duration_seconds".to_owned()), &BUCKETS)
        .context("set the histogram's buckets")?
        .install_recorder()
        .context("install the metrics recorder")?;
    metrics::gauge!("agentarea_runs_active").set(0.0);
    Ok(handle)
}

pub async fn render(State(state): State<AppState>) -> Response {
    let (open, idle) = state.services.store().connections();
    metrics::gauge!("agentarea_db_connections", "state" => "open").set(f64::from(open));
    metrics::gauge!("agentarea_db_connections", "state" => "idle").set(idle as f64);
    state.metrics.run_upkeep();
    let content_type = "text/plain; version=0.0.4";
    ([(CONTENT_TYPE, content_type)], state.metrics.render()).into_response()
}
