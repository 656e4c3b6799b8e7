//! Routes that have rows compared with the source.

use axum::Json;
use axum::extract::{Request, State};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Shared;
use super::body::parsed;
use crate::error::ApiError;
use crate::writer::Tables;

/// The body; without one, or without tables, all tables are compared.
#[derive(Default, Deserialize)]
struct Body {
    tables: Option<Vec<String>>,
}

/// Compares rows of tables with what is stored. Clients get the differences.
pub(super) async fn reprocess(State(app): Shared, request: Request) -> Result<Json<Value>, ApiError> {
    let (parts, content) = request.into_parts();
    app.admin(&parts.headers)?;
    let content = app.body(content).await?;
    let body = if content.trim_ascii().is_empty() { Body::default() } else { parsed(&content)? };
    let tables = match &body.tables {
        Some(names) => Tables::Named(names.clone()),
        None => Tables::All,
    };
    let compared = app.writer.reprocess(tables).await?;
    let is_named = |name: &String| {
        compared.iter().any(|table| *name == table.name || *name == format!("{}.{}", table.schema, table.name))
    };
    if let Some(unknown) = body.tables.iter().flatten().find(|name| !is_named(name)) {
        return Err(ApiError::validation(&[format!("/tables: no table that is synced has the name {unknown}")]));
    }
    tracing::info!(tables = compared.len(), "tables are compared with the source");
    let tables = compared.iter().map(|table| json!({"schema": table.schema, "name": table.name}));
    Ok(Json(json!({"reprocessing": true, "tables": tables.collect::<Vec<_>>()})))
}
