//! Routes for those who run the service: its status, its clients, its checkpoint.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::{App, Shared};
use crate::error::ApiError;
use crate::sync::get;

/// Configurations, checkpoint, source, clients, counters, and problems with rows.
pub(super) async fn status(State(app): Shared, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    app.admin(&headers)?;
    let status = app.writer.board.status();
    let sent = &app.hub.counters;
    Ok(Json(json!({
        "config": status.config,
        "checkpoint": status.checkpoint,
        "source": status.source,
        "storage": {"error": status.storage_error, "bytes": size(&app)},
        "clients": connected(&app),
        "problems": status.problems,
        "counters": {
            "operations_written": status.operations.values().sum::<u64>(),
            "operations_by_definition": status.operations,
            "connections_opened": get(&sent.connections_opened),
            "operations_sent": get(&sent.operations_sent),
            "bytes_sent": get(&sent.bytes_sent),
        },
    })))
}

/// Who is connected.
pub(super) async fn clients(State(app): Shared, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    app.admin(&headers)?;
    Ok(Json(json!({"clients": connected(&app)})))
}

/// The checkpoint that new clients get.
pub(super) async fn checkpoints(State(app): Shared, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    app.admin(&headers)?;
    Ok(Json(json!({"newest": app.writer.board.status().checkpoint})))
}

/// How many bytes the storage takes.
pub(super) fn size(app: &App) -> Option<u64> {
    app.hub.readers().and_then(|readers| readers.size())
}

fn connected(app: &App) -> Vec<Value> {
    let clients = app.hub.clients();
    let shown = clients.iter().map(|client| {
        json!({"user": &*client.user, "client_id": client.client_id, "user_agent": &*client.user_agent,
            "connected_since": client.since})
    });
    shown.collect()
}
