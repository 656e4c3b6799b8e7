//! Routes that only the development service has: a page of links, tokens for anybody, and going back to the seed.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;

use axum::extract::{Query, State};
use axum::http::header::{ACCEPT, HOST, ORIGIN};
use axum::http::{HeaderMap, Uri};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::json;

use super::Shared;
use crate::error::{ApiError, ErrorKind};
use crate::http::App;

/// The routes.
pub(super) fn router(shared: Arc<Shared>) -> Router<Arc<App>> {
    Router::new()
        .route("/", get(links))
        .route("/dev/token", get(token))
        .route("/dev/reset", post(reset))
        .with_state(shared)
}

/// What there is.
async fn links(State(dev): State<Arc<Shared>>, headers: HeaderMap) -> Response {
    let url = dev.url.get().map_or("", String::as_str);
    if wants_json(&headers) {
        let links = json!({
            "url": url, "stream": format!("{url}/sync/stream"), "token": format!("{url}/dev/token?user=NAME"),
            "reset": format!("{url}/dev/reset"), "readiness": format!("{url}/probes/readiness"), "users": dev.users,
        });
        return Json(links).into_response();
    }
    format!(
        "This is rowtide dev, a sync service for development.\n\n\
         POST {url}/sync/stream             what clients sync with\n\
         GET  {url}/dev/token?user=NAME     a token for a user\n\
         POST {url}/dev/reset               the source goes back to its seed\n\
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

/// The source goes back to its seed.
async fn reset(State(dev): State<Arc<Shared>>, headers: HeaderMap) -> Result<Json<serde_json::Value>, ApiError> {
    only_from_here(&headers)?;
    dev.reset().await.map_err(|message| ApiError::new(ErrorKind::Validation, message))?;
    Ok(Json(json!({"reset": true})))
}

fn wants_json(headers: &HeaderMap) -> bool {
    headers.get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|accept| accept.contains("application/json"))
}

/// The service listens on the loopback address alone, but any web page that a browser on this machine shows can send
/// requests there. Pages of other hosts, also those whose name leads to this machine, get no tokens.
fn only_from_here(headers: &HeaderMap) -> Result<(), ApiError> {
    let text = |value: &axum::http::HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let host = headers.get(HOST).map(text).unwrap_or_default();
    // Emulators of phones reach this machine by other addresses; a page cannot make a browser name one.
    let is_host =
        host_of(&format!("http://{host}")).is_some_and(|host| is_local_name(&host) || address(&host).is_some());
    let is_origin = headers.get(ORIGIN).map(text).is_none_or(|origin| {
        host_of(&origin).is_some_and(|host| is_local_name(&host) || address(&host).is_some_and(|ip| ip.is_loopback()))
    });
    if is_host && is_origin {
        return Ok(());
    }
    let message =
        "Only programs and pages of this machine may use /dev: call it as localhost, from a page of localhost.";
    Err(ApiError::new(ErrorKind::Token, message))
}

fn host_of(url: &str) -> Option<String> {
    Some(url.parse::<Uri>().ok()?.host()?.to_owned())
}

fn is_local_name(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}
