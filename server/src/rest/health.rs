//! `/health`

use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::State;
use http::StatusCode;
use serde_json::{Value, json};
use store::redis::Health;
use store::replicas::ReplicaState;

use crate::router::AppState;

/// Longest wait for the database's sign of life.
const PATIENCE: Duration = Duration::from_secs(2);

/// Down without the database; only degraded without Redis, since everything works without it.
pub async fn health(State(state): State<AppState>) -> (StatusCode, Json<Value>) {
    let ((status, database), (_, redis)) =
        tokio::join!(check_database(&state), check_redis(&state));
    let overall = match (&database["status"], &redis["status"]) {
        (database, _) if database != "ok" => database.clone(),
        (_, redis) if redis == "down" || redis == "degraded" => "degraded".into(),
        (database, _) => database.clone(),
    };
    let version = env!("CARGO_PKG_VERSION");
    let checks = json!({"db": database, "redis": redis});
    let body = json!({"status": overall, "version": version, "checks": checks});
    (status, Json(body))
}

pub async fn database(State(state): State<AppState>) -> (StatusCode, Json<Value>) {
    let (status, body) = check_database(&state).await;
    (status, Json(body))
}

pub async fn redis(State(state): State<AppState>) -> (StatusCode, Json<Value>) {
    let (status, body) = check_redis(&state).await;
    (status, Json(body))
}

async fn check_database(state: &AppState) -> (StatusCode, Value) {
    let started = Instant::now();
    match tokio::time::timeout(PATIENCE, state.services.store().ping()).await {
        Ok(Ok(())) => {
            let mut body = ok(started.elapsed());
            let replicas = state.services.store().replica_states();
            if !replicas.is_empty() {
                body["replicas"] = replicas.into_iter().map(replica).collect();
            }
            (StatusCode::OK, body)
        }
        Ok(Err(_)) | Err(_) => down("the database does not answer"),
    }
}

async fn check_redis(state: &AppState) -> (StatusCode, Value) {
    let Some(redis) = state.services.redis() else {
        return (StatusCode::OK, json!({"status": "disabled"}));
    };
    match redis.health().await {
        Health::Ok { latency } => (StatusCode::OK, ok(latency)),
        Health::Degraded(detail) => (
            StatusCode::OK,
            json!({"status": "degraded", "detail": detail}),
        ),
        Health::Down => down("Redis does not answer; everything goes on without it"),
    }
}

/// A copy that is not asked makes nothing worse but the primary's load.
fn replica(replica: ReplicaState) -> Value {
    match replica.lag {
        Some(lag) => {
            json!({"name": replica.name, "status": "ok", "lag_ms": lag.as_millis() as u64})
        }
        None => json!({"name": replica.name, "status": "not used"}),
    }
}

fn ok(latency: Duration) -> Value {
    let latency_ms = (latency.as_secs_f64() * 100_000.0).round() / 100.0;
    json!({"status": "ok", "latency_ms": latency_ms})
}

fn down(detail: &str) -> (StatusCode, Value) {
    let body = json!({"status": "down", "detail": detail});
    (StatusCode::SERVICE_UNAVAILABLE, body)
}
