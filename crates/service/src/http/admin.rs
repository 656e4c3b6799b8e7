//! Routes for those who run the service: its status, its clients, its checkpoint.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};
use sync_engine::live::LivePlan;
use sync_engine::store::DefinitionSize;

use super::{App, Shared};
use crate::error::{ApiError, ErrorKind};
use crate::sync::{get, shutting_down};

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
        "process": process(&app).await,
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

/// How many buckets there are of each definition, and how large they are.
pub(super) async fn buckets(State(app): Shared, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    app.admin(&headers)?;
    let unavailable = || ApiError::new(ErrorKind::Unavailable, "The service cannot read its storage at the moment.");
    let readers = app.hub.readers().ok_or_else(unavailable)?;
    let sizes = tokio::task::spawn_blocking(move || readers.definition_sizes()).await.map_err(|_| shutting_down())?;
    let sizes = sizes.map_err(|error| {
        tracing::error!(%error, "counting buckets");
        unavailable()
    })?;
    let plan = app.hub.plan_changes().borrow().clone();
    let definitions = sizes.map(|sizes| sizes.iter().map(|size| definition(size, plan.as_deref())).collect::<Vec<_>>());
    Ok(Json(json!({"definitions": definitions})))
}

/// One that no stream uses is kept for a while, so that going back to an earlier configuration is instant.
fn definition(size: &DefinitionSize, plan: Option<&LivePlan>) -> Value {
    let number = plan.and_then(|plan| plan.definitions.iter().position(|id| *id == size.definition));
    let of_plan = plan.zip(number);
    let prefix = of_plan.and_then(|(plan, number)| plan.name_prefixes.get(number));
    let streams = of_plan.map(|(plan, number)| {
        let uses = |stream: &&sync_config::Stream| stream.queriers.iter().any(|querier| querier.definition == number);
        plan.plan.streams.iter().filter(uses).map(|stream| stream.name.as_str()).collect::<Vec<_>>()
    });
    json!({
        "id": size.definition.0, "prefix": prefix, "streams": streams.unwrap_or_default(), "buckets": size.buckets,
        "operations": size.operations, "bytes": size.bytes,
    })
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
