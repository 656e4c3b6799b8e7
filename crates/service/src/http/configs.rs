//! Routes for sync configurations: checking one, deploying it, and reading those that there are.

use axum::Json;
use axum::extract::{Request, State};
use axum::http::header::CONTENT_TYPE;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};
use sync_config::{Compiled, Severity, compile, position};

use super::body::parsed;
use super::{App, Shared};
use crate::error::{ApiError, ErrorKind};
use crate::sync::shutting_down;

/// Deploys the YAML of the body. A configuration with errors changes nothing.
pub(super) async fn deploy(State(app): Shared, request: Request) -> Result<Response, ApiError> {
    let (yaml, compiled) = compiled(&app, request).await?;
    let diagnostics = diagnostics(&yaml, &compiled);
    let Some(plan) = compiled.plan else {
        let body = json!({"deployed": false, "diagnostics": diagnostics});
        return Ok((StatusCode::UNPROCESSABLE_ENTITY, Json(body)).into_response());
    };
    let id = app.writer.deploy(yaml, plan).await?;
    tracing::info!(id = id.0, "a sync configuration was deployed");
    Ok(Json(json!({"deployed": true, "id": id.0, "diagnostics": diagnostics})).into_response())
}

/// Says what is wrong with the YAML of the body.
pub(super) async fn validate(State(app): Shared, request: Request) -> Result<Json<Value>, ApiError> {
    let (yaml, compiled) = compiled(&app, request).await?;
    Ok(Json(json!({"valid": compiled.plan.is_some(), "diagnostics": diagnostics(&yaml, &compiled)})))
}

/// The configuration that is active, and the one that is being built.
pub(super) async fn current(State(app): Shared, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    app.admin(&headers)?;
    let config = app.writer.board.status().config;
    let active = config.active.map(|active| json!({"id": active.id, "state": "active", "content": &*active.yaml}));
    let next = config.building.map(|next| json!({"id": next.id, "state": next.state, "content": &*next.yaml}));
    Ok(Json(json!({"current": active, "next": next})))
}

/// What the active configuration was compiled to.
pub(super) async fn plan(State(app): Shared, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    app.admin(&headers)?;
    let plan = app.hub.plan_changes().borrow().clone();
    let plan = plan.map(|plan| json!({"plan": plan.plan, "buckets": plan.name_prefixes}));
    Ok(Json(plan.unwrap_or_else(|| json!({"plan": null, "buckets": []}))))
}

/// The YAML of a body, and what it compiles to.
pub(super) async fn compiled(app: &App, request: Request) -> Result<(String, Compiled), ApiError> {
    let (parts, content) = request.into_parts();
    app.admin(&parts.headers)?;
    let content = app.body(content).await?;
    let yaml = yaml(&parts.headers, content.into())?;
    let options = app.compile.clone();
    let compiled = tokio::task::spawn_blocking(move || (compile(&yaml, &options), yaml)).await;
    let (compiled, yaml) = compiled.map_err(|_| shutting_down())?;
    Ok((yaml, compiled))
}

/// The text of a configuration: the body itself, or a member of it if the body is JSON.
fn yaml(headers: &HeaderMap, body: Vec<u8>) -> Result<String, ApiError> {
    let kind = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !kind.starts_with("application/json") {
        return String::from_utf8(body)
            .map_err(|_| ApiError::new(ErrorKind::Validation, "The configuration must be UTF-8."));
    }
    let body: Value = parsed(&body)?;
    let member = MEMBERS.iter().find_map(|name| body.get(name)?.as_str());
    let missing = || ApiError::validation(&[": must have the property `content`, a text: the configuration".into()]);
    member.map(str::to_owned).ok_or_else(missing)
}

/// What tools call the configuration in a JSON body.
const MEMBERS: [&str; 3] = ["content", "sync_rules", "sync_config"];

pub(super) fn diagnostics(yaml: &str, compiled: &Compiled) -> Vec<Value> {
    let shown = compiled.diagnostics.iter().map(|diagnostic| {
        let at = position(yaml, diagnostic.span.start);
        json!({
            "code": diagnostic.code.id(),
            "severity": if diagnostic.severity == Severity::Error { "error" } else { "warning" },
            "message": diagnostic.message, "hint": diagnostic.hint, "line": at.line, "column": at.column,
        })
    });
    shown.collect()
}
