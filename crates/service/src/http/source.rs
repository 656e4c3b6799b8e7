//! Routes that show the source: whether it can be used, and its tables.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};
use tokio::task::spawn_blocking;

use super::{App, Shared};
use crate::error::{ApiError, ErrorKind};
use crate::sync::shutting_down;

/// What is wrong with the source's setup, and which configurations there are.
pub(super) async fn diagnostics(State(app): Shared, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    app.admin(&headers)?;
    let checks = spawn_blocking({
        let app = Arc::clone(&app);
        move || checks(&app)
    });
    let checks = checks.await.map_err(|_| shutting_down())?;
    let status = app.writer.board.status();
    let description = app.source.describe();
    let config = status.config;
    let errors: Vec<&str> = status.source.error.iter().map(String::as_str).collect();
    Ok(Json(json!({
        "connections": [{
            "id": "default", "kind": description.kind, "location": description.location,
            "connected": errors.is_empty(), "errors": errors, "checks": checks,
        }],
        "active": config.active.map(|active| json!({"id": active.id, "content": &*active.yaml})),
        "deploying": config.building.map(|next| json!({
            "id": next.id, "state": next.state, "content": &*next.yaml,
            "rows_read": next.rows_read, "tables_left": next.tables_left,
        })),
        "error": config.error, "problems": status.problems,
    })))
}

fn checks(app: &App) -> Vec<Value> {
    let plan = app.hub.plan_changes().borrow().clone();
    let patterns = plan.map(|plan| plan.plan.patterns()).unwrap_or_default();
    let checks = app.source.test(&patterns).into_iter();
    checks
        .map(|check| json!({"name": check.name, "ok": check.ok, "message": check.message, "fix": check.fix}))
        .collect()
}

/// The tables of the source with their columns.
pub(super) async fn schema(State(app): Shared, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    app.admin(&headers)?;
    let source = Arc::clone(&app.source);
    let tables = spawn_blocking(move || source.schema()).await.map_err(|_| shutting_down())?;
    let tables =
        tables.map_err(|error| ApiError::new(ErrorKind::Unavailable, format!("Reading the source: {error}")))?;
    let mut schemas: BTreeMap<String, Vec<Value>> = BTreeMap::new();
    for table in tables {
        let columns = table.columns.iter().map(|column| json!({"name": column.name, "type": column.type_name}));
        let key = table.key.iter().filter_map(|at| table.columns.get(*at)).map(|column| column.name.as_str());
        let shown = json!({
            "name": table.name, "columns": columns.collect::<Vec<_>>(), "key": key.collect::<Vec<_>>(),
        });
        schemas.entry(table.schema).or_default().push(shown);
    }
    let schemas: Vec<Value> =
        schemas.into_iter().map(|(name, tables)| json!({"name": name, "tables": tables})).collect();
    Ok(Json(json!({"connections": [{"id": "default", "schemas": schemas}]})))
}
