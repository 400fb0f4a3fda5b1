//! `/health`

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};

use crate::router::AppState;

/// Longest wait for the database's sign of life.
const PATIENCE: Duration = Duration::from_secs(2);

pub async fn health(State(state): State<AppState>) -> (StatusCode, Json<Value>) {
    let (status, database) = check(&state).await;
    let overall = database["status"].clone();
    let version = env!("CARGO_PKG_VERSION");
    let body = json!({"status": overall, "version": version, "checks": {"db": database}});
    (status, Json(body))
}

pub async fn database(State(state): State<AppState>) -> (StatusCode, Json<Value>) {
    let (status, body) = check(&state).await;
    (status, Json(body))
}

async fn check(state: &AppState) -> (StatusCode, Value) {
    let started = Instant::now();
    match tokio::time::timeout(PATIENCE, state.services.store().ping()).await {
        Ok(Ok(())) => {
            let latency_ms = started.elapsed().as_secs_f64() * 1000.0;
            let latency_ms = (latency_ms * 100.0).round() / 100.0;
            (
                StatusCode::OK,
                json!({"status": "ok", "latency_ms": latency_ms}),
            )
        }
        Ok(Err(_)) | Err(_) => {
            let detail = "the database does not answer";
            (
                StatusCode::SERVICE_UNAVAILABLE,
                json!({"status": "down", "detail": detail}),
            )
        }
    }
}
