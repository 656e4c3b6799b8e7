//! `POST /sync/stream`: a request in, lines until the client goes, the token expires or the service stops. `GET` of the same
//! path is for WebSockets.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::{Request, State};
use axum::http::HeaderName;
use axum::http::header::{ACCEPT, CONTENT_TYPE};
use axum::response::{IntoResponse, Response};
use serde_json::value::{RawValue, to_raw_value};
use sync_config::Limits;
use sync_engine::connection::{Connection, ConnectionOptions, User};
use sync_engine::lines::Encoding;
use sync_engine::request::StreamRequest;

use super::body::{Parameters, parameters};
use super::{App, Shared, negotiate, not_found, user_agent};
use crate::auth;
use crate::clock;
use crate::error::ApiError;
use crate::rsocket;
use crate::sync::{Chunks, ClientInfo, Opening, Seat, open};

/// What a client calls itself is remembered up to this length.
const MAX_NAME: usize = 200;

/// The handler.
pub(super) async fn stream(State(app): Shared, query: Parameters, request: Request) -> Result<Response, ApiError> {
    let (parts, content) = request.into_parts();
    let user = app.user(&parts.headers).await?;
    let query = parameters(query)?;
    let content = app.body(content).await?;
    let request =
        if query.is_empty() { StreamRequest::parse(&content) } else { StreamRequest::parse(&merged(&content, &query)) };
    let request = request.map_err(|error| ApiError::validation(&[error.to_string()]))?;
    let accept = parts.headers.get(ACCEPT).and_then(|value| value.to_str().ok());
    let (encoding, content_type) = negotiate::encoding(accept, request.raw_data);
    let keep_alive = Some(app.limits.keep_alive);
    let chunks = begin(&app, user, request, user_agent(&parts.headers), encoding, keep_alive).await?;
    let headers = [(CONTENT_TYPE, content_type), (HeaderName::from_static("x-accel-buffering"), "no")];
    Ok((headers, Body::from_stream(chunks)).into_response())
}

/// `GET` of the same path: the sync stream over a WebSocket.
pub(super) async fn socket(
    State(app): Shared,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: Request,
) -> Result<Response, ApiError> {
    match rsocket::upgrade(app, upgrade, &request) {
        Some(response) => Ok(response),
        None => Err(not_found(request).await),
    }
}

/// Opens a stream, and gives its lines. Without a time for keep-alive lines there are none.
///
/// # Errors
/// Why there is no stream.
pub(crate) async fn begin(
    app: &App,
    user: auth::User,
    request: StreamRequest,
    user_agent: &str,
    encoding: Encoding,
    keep_alive: Option<Duration>,
) -> Result<Chunks, ApiError> {
    let client = client(&user.id, &request, user_agent);
    let seat = app.hub.open(client.clone())?;
    let opening = Opening {
        connection: connection(app, request, user, &seat, keep_alive, client.since),
        seat,
        client,
        encoding,
        stall_timeout: app.limits.stall_timeout,
        activation_spread: app.limits.activation_spread,
    };
    let chunks = open(opening).await?.start();
    match &app.faults {
        Some(faults) => faults.through(chunks, encoding, keep_alive.is_none()),
        None => Ok(chunks),
    }
}

fn connection(
    app: &App,
    request: StreamRequest,
    user: auth::User,
    seat: &Seat,
    keep_alive: Option<Duration>,
    now: i64,
) -> Connection {
    let limits = &app.limits;
    let options = ConnectionOptions {
        limits: Limits { buckets: limits.max_buckets, rows: limits.max_parameter_results },
        keep_alive: keep_alive.map(|time| i64::try_from(time.as_micros()).unwrap_or(i64::MAX)),
        seed: seat.opened,
        ..ConnectionOptions::default()
    };
    let user =
        User { id: user.id.into(), claims: user.claims.into(), expires_at: user.expires_at.saturating_mul(1_000_000) };
    Connection::new(request, user, Arc::clone(&seat.plan), options, now)
}

fn client(user: &str, request: &StreamRequest, user_agent: &str) -> ClientInfo {
    let end = user_agent.floor_char_boundary(MAX_NAME);
    ClientInfo {
        user: user.into(),
        client_id: request.client_id.clone(),
        user_agent: user_agent.get(..end).unwrap_or_default().into(),
        since: clock::now(),
        progress: Arc::default(),
    }
}

/// The body with the parameters of the query as further members. Other members keep their text.
fn merged(body: &[u8], query: &HashMap<String, String>) -> Vec<u8> {
    let parsed: Result<BTreeMap<String, Box<RawValue>>, _> =
        if body.is_empty() { Ok(BTreeMap::new()) } else { serde_json::from_slice(body) };
    let Ok(mut members) = parsed else { return body.to_vec() };
    for (name, value) in query {
        if let Ok(value) = to_raw_value(value) {
            members.entry(name.clone()).or_insert(value);
        }
    }
    serde_json::to_vec(&members).unwrap_or_else(|_| body.to_vec())
}
