//! Routes that only the development service has: a page of links, tokens for anybody, the schema of clients, and going
//! back to the seed.

use std::collections::HashMap;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Json, Router};
use serde_json::json;
use sync_engine::client_schema::{ClientSchema, client_schema, typed_tables};
use web_pages::has_playground;

use super::rows::{Editable, change};
use super::{Shared, faults};
use crate::error::{ApiError, ErrorKind};
use crate::http::{App, only_from_here, page};
use crate::sync::shutting_down;

/// The routes.
pub(super) fn router(shared: Arc<Shared>) -> Router<Arc<App>> {
    Router::new()
        .route("/", get(links))
        .route("/dev/token", get(token))
        .route("/dev/about", get(about))
        .with_state(Arc::clone(&shared))
        .merge(faults::router(Arc::clone(&shared.faults)))
        .merge(Router::new().route("/dev/schema", get(schema)))
        .merge(Router::new().route("/dev/reset", post(reset)).layer(Extension(Arc::clone(&shared))))
        .merge(Router::new().route("/dev/rows", post(change)).layer(Extension(Editable(shared.editable.clone()))))
}

/// What there is.
async fn links(State(dev): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let url = dev.url.get().map_or("", String::as_str);
    if wants_json(&headers) {
        let links = json!({
            "url": url, "stream": format!("{url}/sync/stream"), "token": format!("{url}/dev/token?user=NAME"),
            "schema": format!("{url}/dev/schema"), "reset": format!("{url}/dev/reset"), "faults": format!("{url}/dev/faults"), "readiness": format!("{url}/probes/readiness"), "users": dev.users,
        });
        return Json(links).into_response();
    }
    if wants(&headers, "text/html") {
        let name = if has_playground() { "playground/index.html" } else { "playground/without.html" };
        return page(name, &headers).into_response();
    }
    format!(
        "This is rowtide dev, a sync service for development.\n\n\
         POST {url}/sync/stream             what clients sync with\n\
         GET  {url}/dev/token?user=NAME     a token for a user\n\
         GET  {url}/dev/schema              the schema of clients\n\
         POST {url}/dev/reset               the source goes back to its seed\n\
         POST {url}/dev/faults              what goes wrong from now on\n\
         GET  {url}/probes/readiness        whether clients can sync\n"
    )
    .into_response()
}

/// A token, as plain text, or as JSON if that is asked for.
async fn token(
    State(dev): State<Arc<Shared>>,
    Query(mut query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    only_from_here(&headers)?;
    let Some(user) = query.remove("user").filter(|user| !user.is_empty()) else {
        return Err(ApiError::new(ErrorKind::Validation, "Name the user: GET /dev/token?user=NAME"));
    };
    let token = dev.token(&user).map_err(|message| ApiError::new(ErrorKind::Internal, message))?;
    if wants_json(&headers) {
        let endpoint = dev.url.get().map_or("", String::as_str);
        return Ok(Json(json!({"endpoint": endpoint, "token": token, "user": user})).into_response());
    }
    Ok(token.into_response())
}

/// What a page can do with the service, and the files that it uses.
async fn about(State(dev): State<Arc<Shared>>, headers: HeaderMap) -> Result<Json<serde_json::Value>, ApiError> {
    only_from_here(&headers)?;
    Ok(Json(json!({
        "users": dev.users, "edits_rows": dev.editable.is_some(), "resets": dev.seed.is_some() && dev.source.is_some(),
        "source": dev.editable, "config": dev.config, "writes": dev.writes,
    })))
}

/// The source goes back to its seed. The answer comes when clients get that.
async fn reset(
    State(app): State<Arc<App>>,
    Extension(dev): Extension<Arc<Shared>>,
    headers: HeaderMap,
) -> Result<Json<serde_json::Value>, ApiError> {
    only_from_here(&headers)?;
    dev.reset().await.map_err(|message| ApiError::new(ErrorKind::Validation, message))?;
    // If that takes too long, the source is reset all the same.
    let _ = tokio::time::timeout(app.limits.checkpoint_wait, app.writer.reach("")).await;
    Ok(Json(json!({"reset": true})))
}

/// The schema of clients, as `powersync_replace_schema` takes it.
async fn schema(State(app): State<Arc<App>>, headers: HeaderMap) -> Result<Json<ClientSchema>, ApiError> {
    only_from_here(&headers)?;
    let plan = app.hub.plan_changes().borrow().clone();
    let plan = plan.ok_or_else(|| ApiError::new(ErrorKind::NoConfig, "No sync configuration is active yet."))?;
    let source = Arc::clone(&app.source);
    let read = tokio::task::spawn_blocking(move || {
        typed_tables(&*source).map(|tables| client_schema(&plan.plan, Some(&tables)).0)
    });
    let schema = read.await.map_err(|_| shutting_down())?;
    schema.map(Json).map_err(|error| ApiError::new(ErrorKind::Unavailable, format!("Reading the source: {error}")))
}

fn wants_json(headers: &HeaderMap) -> bool {
    wants(headers, "application/json")
}

fn wants(headers: &HeaderMap, kind: &str) -> bool {
    headers.get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|accept| accept.contains(kind))
}
