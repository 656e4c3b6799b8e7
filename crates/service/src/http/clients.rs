//! `GET /api/admin/v1/clients`: who is connected, what for, and how far they are.

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};
use sync_engine::connection::Ask;
use sync_engine::live::LivePlan;

use super::{App, Shared};
use crate::error::ApiError;
use crate::sync::Client;

/// The handler.
pub(super) async fn clients(State(app): Shared, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    app.admin(&headers)?;
    let newest = app.writer.board.status().checkpoint;
    Ok(Json(json!({"clients": connected(&app), "newest": newest})))
}

/// Each client of this process.
pub(super) fn connected(app: &App) -> Vec<Value> {
    let plan = app.hub.plan_changes().borrow().clone();
    app.hub.clients().iter().map(|client| shown(client, plan.as_deref())).collect()
}

fn shown(Client { info, ask }: &Client, plan: Option<&LivePlan>) -> Value {
    let sent = info.progress.sent();
    json!({
        "user": &*info.user, "client_id": info.client_id, "user_agent": &*info.user_agent,
        "connected_since": info.since, "streams": ask.as_deref().map(|ask| streams(ask, plan)),
        "checkpoint": sent.checkpoint.map(|op_id| op_id.to_string()), "complete_at": sent.complete_at,
        "behind_since": sent.behind_since, "buckets": sent.buckets,
        "lines_sent": sent.lines, "operations_sent": sent.operations, "bytes_sent": sent.bytes,
    })
}

/// The streams that a client gets without asking, and those that it has asked for.
fn streams(ask: &Ask, plan: Option<&LivePlan>) -> Vec<Value> {
    let wanted = ask.streams();
    let defaults = plan.into_iter().flat_map(|plan| &plan.plan.streams);
    let defaults = defaults.filter(|stream| wanted.include_defaults && stream.auto_subscribe);
    let defaults = defaults.map(|stream| json!({"stream": stream.name, "default": true, "parameters": null}));
    let asked = wanted.subscriptions.iter().map(|subscription| {
        let parameters: Option<Value> =
            subscription.parameters.as_deref().and_then(|json| serde_json::from_str(json).ok());
        json!({"stream": subscription.stream, "default": false, "parameters": parameters})
    });
    defaults.chain(asked).collect()
}
