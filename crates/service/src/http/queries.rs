//! `POST /api/admin/v1/execute-sql`: a query that only reads the source.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use sync_config::Value as Cell;
use sync_engine::source::ErrorClass;
use tokio::task::spawn_blocking;

use super::Shared;
use super::body::parsed;
use crate::error::{ApiError, ErrorKind};
use crate::sync::shutting_down;

/// Rows of an answer.
const MOST_ROWS: usize = 1_000;

/// The body. Tools send the query as a text, or in an object.
#[derive(Deserialize)]
struct Body {
    sql: Sql,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Sql {
    Text(String),
    Query { query: String },
}

/// Runs a query, if the source takes SQL.
pub(super) async fn execute(State(app): Shared, request: Request) -> Result<Json<Value>, ApiError> {
    let (parts, content) = request.into_parts();
    app.admin(&parts.headers)?;
    let content = app.body(content).await?;
    let body: Body = parsed(&content)?;
    let (Sql::Text(sql) | Sql::Query { query: sql }) = body.sql;
    let source = Arc::clone(&app.source);
    let answer = spawn_blocking(move || source.query(&sql, MOST_ROWS)).await.map_err(|_| shutting_down())?;
    let answer = answer.map_err(|error| match error.class {
        ErrorClass::Configuration => ApiError::validation(&[format!("/sql: {error}")]),
        _ => ApiError::new(ErrorKind::Unavailable, format!("Reading the source: {error}")),
    })?;
    let rows: Vec<Vec<Value>> = answer.rows.iter().map(|row| row.iter().map(shown).collect()).collect();
    Ok(Json(json!({"success": true, "columns": answer.columns, "rows": rows, "has_more": answer.has_more})))
}

/// A value; blobs in base64.
fn shown(value: &Cell) -> Value {
    match value {
        Cell::Null => Value::Null,
        Cell::Integer(integer) => (*integer).into(),
        Cell::Real(real) => (*real).into(),
        Cell::Text(text) => text.as_str().into(),
        Cell::Blob(blob) => json!({"base64": STANDARD.encode(blob)}),
    }
}
