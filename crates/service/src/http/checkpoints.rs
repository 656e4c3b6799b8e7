//! Write checkpoints: `GET /write-checkpoint2.json`, `POST /sync/checkpoint-request`, and the old
//! `GET /write-checkpoint.json`.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::Shared;
use super::body::{Parameters, parameters};
use crate::error::{ApiError, ErrorKind};

/// Gives the next id of the client, which is acknowledged when everything that was written before is synced.
pub(super) async fn next(State(app): Shared, query: Parameters, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    let _place = app.checkpoints.enter().await?;
    let user = app.user(&headers).await?;
    let query = parameters(query)?;
    let client = query.get("client_id").map_or("", String::as_str);
    let id = app.writer.acknowledge(&user.id, client, None).await?;
    Ok(Json(json!({"data": {"write_checkpoint": id.to_string()}})))
}

/// Waits until everything that was written before is in a checkpoint, and gives its operation id.
pub(super) async fn reached(State(app): Shared, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    let _place = app.checkpoints.enter().await?;
    let user = app.user(&headers).await?;
    let reached = tokio::time::timeout(app.limits.checkpoint_wait, app.writer.reach(&user.id)).await;
    let late = || {
        let message = "The source's changes up to now are not synced yet. Ask again later.";
        ApiError::new(ErrorKind::Unavailable, message)
    };
    let id = reached.map_err(|_| late())??;
    Ok(Json(json!({"data": {"checkpoint": id.to_string()}})))
}

/// Has an id of the client's choice acknowledged.
pub(super) async fn request(State(app): Shared, request: Request) -> Result<Json<Value>, ApiError> {
    let _place = app.checkpoints.enter().await?;
    let (parts, content) = request.into_parts();
    let user = app.user(&parts.headers).await?;
    let content = app.body(content).await?;
    let (client, id) = parse(&content).map_err(|problems| ApiError::validation(&problems))?;
    let id = app.writer.acknowledge(&user.id, &client, Some(id)).await?;
    Ok(Json(json!({"data": {"checkpoint_request_id": id.to_string()}})))
}

fn parse(body: &[u8]) -> Result<(String, i64), Vec<String>> {
    let body: Value = serde_json::from_slice(body).map_err(|error| vec![format!(": must be JSON ({error})")])?;
    let Value::Object(members) = &body else { return Err(vec![": type must be object".into()]) };
    let client = match members.get("client_id") {
        Some(Value::String(client)) => client.clone(),
        Some(_) => return Err(vec!["/client_id: type must be string".into()]),
        None => return Err(vec![" must have required property 'client_id'".into()]),
    };
    let digits = match members.get("checkpoint_request_id") {
        Some(Value::String(digits)) if is_decimal(digits) => digits.clone(),
        Some(Value::Number(number)) if number.is_i64() || number.is_u64() => number.to_string(),
        Some(_) => {
            return Err(vec![
                "/checkpoint_request_id: pattern must match pattern \"^-?[0-9]+$\"".into(),
                "/checkpoint_request_id: type must be integer".into(),
                "/checkpoint_request_id: oneOf must match exactly one schema in oneOf".into(),
            ]);
        }
        None => return Err(vec![" must have required property 'checkpoint_request_id'".into()]),
    };
    match digits.parse::<i64>() {
        Ok(id) if id >= 1 => Ok((client, id)),
        _ => Err(vec!["Expected checkpoint_request_id between 1 and 9223372036854775807".into()]),
    }
}

fn is_decimal(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}
