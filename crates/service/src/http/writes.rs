//! `POST /api/data`: what clients upload, and what was uploaded last.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use write_path::{WritePath, WriteUser};

use super::buckets::number;
use super::{Shared, not_found};
use crate::clock;
use crate::error::{ApiError, ErrorKind};
use crate::sync::get;

/// Applies an upload. A service without a write path has no such route.
pub(super) async fn upload(State(app): Shared, request: Request) -> Result<Response, ApiError> {
    let Some(writes) = app.writes.clone() else { return Err(not_found(request).await) };
    let (parts, content) = request.into_parts();
    let user = app.user(&parts.headers).await?;
    let content = app.body_up_to(app.limits.max_upload, content).await?;
    let user = WriteUser { id: user.id, claims: user.claims };
    let applied = blocking(&writes, move |writes| writes.apply(&user, &content, clock::now())).await?;
    Ok(match applied {
        Ok(answer) => Json(answer).into_response(),
        Err(error) => (StatusCode::BAD_REQUEST, Json(json!({"message": error.message}))).into_response(),
    })
}

/// Transactions of one answer at most.
const MOST_ATTEMPTS: usize = 500;

/// The last transactions, the newest first, and how many there were since the start.
pub(super) async fn log(
    State(app): Shared,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    let writes = super::dead_letters::writes(&app, &headers)?;
    let limit = number(&query, "limit")?.unwrap_or(100).min(MOST_ATTEMPTS);
    let counters = writes.counters();
    Ok(Json(json!({
        "transactions": writes.attempts(limit),
        "counters": {
            "applied": get(&counters.applied), "repeated": get(&counters.repeated), "fatal": get(&counters.fatal),
            "retryable": get(&counters.retryable),
        },
    })))
}

/// How many uploads wait for the database at once. The others wait without a thread: reading needs threads, too.
static SEATS: Semaphore = Semaphore::const_new(32);

/// Runs what waits for the database on a thread that may block. It ends there, also if the client has gone meanwhile.
pub(super) async fn blocking<T: Send + 'static>(
    writes: &Arc<WritePath>,
    work: impl FnOnce(&WritePath) -> T + Send + 'static,
) -> Result<T, ApiError> {
    let stopping = || ApiError::new(ErrorKind::Unavailable, "The service is shutting down.");
    let seat = SEATS.acquire().await.map_err(|_| stopping())?;
    let writes = Arc::clone(writes);
    let work = move || {
        let _seat = seat;
        work(&writes)
    };
    spawn_blocking(work).await.map_err(|_| stopping())
}
