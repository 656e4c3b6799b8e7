//! Probes for whoever supervises the service.

use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};

use super::Shared;

/// Whether the service has started.
pub(super) async fn startup() -> (StatusCode, Json<Value>) {
    answer(true)
}

/// Whether it is alive.
pub(super) async fn liveness() -> (StatusCode, Json<Value>) {
    answer(true)
}

/// Whether clients can sync.
pub(super) async fn readiness(State(app): Shared) -> (StatusCode, Json<Value>) {
    answer(app.hub.is_ready())
}

fn answer(is_ready: bool) -> (StatusCode, Json<Value>) {
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, Json(json!({"ready": is_ready, "started": true})))
}
