//! Routes for refused transactions: `/api/admin/v1/dead-letters`.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, Request, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use write_path::{Letters, ReplayError, WritePath};

use super::writes::blocking;
use super::{App, Shared};
use crate::clock;
use crate::error::{ApiError, ErrorKind};

/// The most letters of a list.
const MAX_LETTERS: usize = 1_000;

/// Letters without their transactions, the newest first; `state`, `before` and `limit` choose among them.
pub(super) async fn list(
    State(app): Shared,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let writes = writes(&app, &headers)?;
    let which = which(&query).map_err(|problem| ApiError::validation(&[problem]))?;
    let letters = blocking(&writes, move |writes| writes.letters(&which)).await?;
    let letters = letters.map_err(|error| ApiError::new(ErrorKind::Unavailable, error.to_string()))?;
    Ok(Json(json!({ "dead_letters": letters })))
}

/// One letter with its transaction.
pub(super) async fn show(
    State(app): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let writes = writes(&app, &headers)?;
    let id = number(&id)?;
    answer(&writes, id).await
}

/// Applies a letter once more, and gives the result with the letter as it is then.
pub(super) async fn replay(
    State(app): Shared,
    Path(id): Path<String>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let writes = writes(&app, &headers)?;
    let id = number(&id)?;
    let result = blocking(&writes, move |writes| writes.replay(id, clock::now())).await?.map_err(refused)?;
    let Json(mut answer) = answer(&writes, id).await?;
    if let Value::Object(members) = &mut answer {
        members.insert("result".into(), serde_json::to_value(result).unwrap_or_default());
    }
    Ok(Json(answer))
}

/// Decides against a letter; the body can have a `note`.
pub(super) async fn discard(
    State(app): Shared,
    Path(id): Path<String>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let (parts, content) = request.into_parts();
    let writes = writes(&app, &parts.headers)?;
    let id = number(&id)?;
    let note = note(&app.body(content).await?).map_err(|problem| ApiError::validation(&[problem]))?;
    blocking(&writes, move |writes| writes.discard(id, note.as_deref())).await?.map_err(refused)?;
    answer(&writes, id).await
}

/// The write path, for those who may administer the service.
pub(super) fn writes(app: &App, headers: &HeaderMap) -> Result<Arc<WritePath>, ApiError> {
    app.admin(headers)?;
    app.writes.clone().ok_or_else(|| {
        ApiError::new(ErrorKind::NotFound, "This service takes no writes: start it with --writes and a file of rules.")
    })
}

async fn answer(writes: &Arc<WritePath>, id: i64) -> Result<Json<Value>, ApiError> {
    let letter = blocking(writes, move |writes| writes.letter(id)).await?;
    let letter = letter.map_err(|error| ApiError::new(ErrorKind::Unavailable, error.to_string()))?;
    let letter = letter.ok_or_else(|| refused(ReplayError::NotFound))?;
    Ok(Json(json!({ "dead_letter": letter })))
}

fn refused(error: ReplayError) -> ApiError {
    let kind = match &error {
        ReplayError::NotFound => ErrorKind::NotFound,
        ReplayError::NotOpen(_) => ErrorKind::Conflict,
        ReplayError::Persister(_) => ErrorKind::Unavailable,
    };
    ApiError::new(kind, error.to_string())
}

fn number(id: &str) -> Result<i64, ApiError> {
    id.parse().map_err(|_| refused(ReplayError::NotFound))
}

fn which(query: &HashMap<String, String>) -> Result<Letters, String> {
    let mut which = Letters::default();
    if let Some(state) = query.get("state") {
        let known = write_path::State::from_name(state);
        which.state = Some(known.ok_or("/state: must be open, replayed or discarded")?);
    }
    if let Some(before) = query.get("before") {
        which.before = Some(before.parse().map_err(|_| "/before: type must be integer")?);
    }
    if let Some(limit) = query.get("limit") {
        let limit: usize = limit.parse().map_err(|_| "/limit: type must be integer")?;
        which.limit = limit.min(MAX_LETTERS);
    }
    Ok(which)
}

fn note(body: &[u8]) -> Result<Option<String>, String> {
    if body.is_empty() {
        return Ok(None);
    }
    let body: Value = serde_json::from_slice(body).map_err(|error| format!(": must be JSON ({error})"))?;
    match body.get("note") {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(note)) => Ok(Some(note.clone())),
        Some(_) => Err("/note: type must be string".into()),
    }
}
