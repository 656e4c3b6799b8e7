//! Routes for those who run the service: its status, its checkpoint.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::clients::connected;
use super::{App, Shared};
use crate::clock;
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
            "commits": get(&sent.commits),
            "connections_opened": get(&sent.connections_opened),
            "operations_sent": get(&sent.operations_sent),
            "bytes_sent": get(&sent.bytes_sent),
        },
        "process": process(&app).await,
        "development": app.is_development(),
        "takes_writes": app.writes.is_some(),
        "version": env!("CARGO_PKG_VERSION"),
        "time": clock::now(),
    })))
}

/// Which of several processes this is, and what the one that writes says; null for the only one.
async fn process(app: &App) -> Value {
    let Some(member) = &app.member else { return Value::Null };
    let desk = member.desk.clone();
    let writer = match tokio::task::spawn_blocking(move || desk.writer()).await {
        Ok(Ok((is_alive, status))) => {
            let status: Option<Value> = status.and_then(|status| serde_json::from_slice(&status).ok());
            json!({"is_alive": is_alive, "status": status})
        }
        // The status of the storage says why.
        _ => Value::Null,
    };
    json!({"role": member.role.name(), "state": member.state(), "writer": writer})
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
