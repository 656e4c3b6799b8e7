//! `POST /api/admin/v1/evaluate`: which buckets and rows a client would get.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sync_config::{EvaluatedBucket, Limits, Reason, RequestResult, Subscription};
use sync_engine::evaluate::evaluate as evaluated;
use sync_engine::live::LivePlan;
use sync_engine::store::{OpKind, PageLimit, Reader, StoreError};

use super::Shared;
use super::body::parsed;
use super::buckets::{read, shortened};
use super::explain::{Stream, claims};
use crate::error::{ApiError, ErrorKind};

/// Buckets, rows of a bucket, and rows of all buckets that are shown.
const BUCKETS: usize = 500;
const ROWS_OF_BUCKET: usize = 200;
const ROWS: usize = 2_000;

/// How much of a bucket is read for its rows.
const PAGE: PageLimit = PageLimit { operations: 2_000, bytes: 4 * 1024 * 1024 };

/// The body.
#[derive(Deserialize)]
struct Body {
    user: Option<String>,
    claims: Option<Map<String, Value>>,
    parameters: Option<Map<String, Value>>,
    subscriptions: Option<Vec<Stream>>,
    include_defaults: Option<bool>,
}

/// Says which buckets and rows a client with these claims and subscriptions would get at the newest checkpoint.
pub(super) async fn evaluate(State(app): Shared, request: Request) -> Result<Json<Value>, ApiError> {
    let (parts, content) = request.into_parts();
    app.admin(&parts.headers)?;
    let body = app.body(content).await?;
    let body: Body = parsed(&body)?;
    let claims = claims(body.user.as_deref(), body.claims.as_ref())?;
    let plan = app.hub.plan_changes().borrow().clone();
    let plan = plan.ok_or_else(|| ApiError::new(ErrorKind::NoConfig, "No sync configuration is active yet."))?;
    let limits = Limits { buckets: app.limits.max_buckets, rows: app.limits.max_parameter_results };
    let answer = read(&app, move |readers| {
        let Some(reader) = readers.latest()? else { return Ok(None) };
        run(&plan, &*reader, &limits, &claims, &body).map(Some)
    });
    let missing = || ApiError::new(ErrorKind::Unavailable, "The service has no checkpoint yet. Try again later.");
    Ok(Json(answer.await?.ok_or_else(missing)?))
}

/// All that blocks.
fn run(plan: &LivePlan, reader: &dyn Reader, limits: &Limits, claims: &str, body: &Body) -> Result<Value, StoreError> {
    let parameters = Value::Object(body.parameters.clone().unwrap_or_default()).to_string();
    let streams = body.subscriptions.as_deref().unwrap_or_default();
    let texts: Vec<Option<String>> = streams.iter().map(Stream::parameters).collect();
    let subscriptions: Vec<Subscription<'_>> =
        streams.iter().zip(&texts).map(|(one, text)| one.subscription(text.as_deref())).collect();
    let request = sync_config::Request {
        claims,
        parameters: &parameters,
        include_defaults: body.include_defaults.unwrap_or(true),
        subscriptions: &subscriptions,
    };
    let result = evaluated(plan, reader, &request, limits)?;
    let mut rows_left = ROWS;
    let mut buckets = Vec::new();
    for found in result.buckets.iter().take(BUCKETS) {
        buckets.push(bucket(plan, reader, &result, found, &mut rows_left)?);
    }
    let is_known = |stream: &&Stream| plan.plan.streams.iter().any(|known| known.name == stream.stream);
    let unknown = streams.iter().filter(|stream| !is_known(stream)).map(|stream| stream.stream.as_str());
    Ok(json!({
        "checkpoint": {"op_id": reader.checkpoint().op_id.to_string(), "time": reader.checkpoint().time},
        "streams": stream_list(plan, &result), "unknown_streams": unknown.collect::<Vec<_>>(),
        "buckets": buckets, "bucket_count": result.buckets.len(),
    }))
}

/// The streams that the request reaches, with what went wrong.
fn stream_list(plan: &LivePlan, result: &RequestResult) -> Vec<Value> {
    let streams = result.streams.iter().enumerate().filter_map(|(at, number)| {
        let stream = plan.plan.streams.get(*number)?;
        let errors = result.errors.iter().filter(|error| error.stream == at);
        let errors = errors.map(|error| json!({"subscription": subscription(error.reason), "message": error.message}));
        Some(json!({"name": stream.name, "default": stream.auto_subscribe, "errors": errors.collect::<Vec<_>>()}))
    });
    streams.collect()
}

/// The number of the subscription; none if the stream is a default one.
fn subscription(reason: Reason) -> Option<usize> {
    match reason {
        Reason::Default(_) => None,
        Reason::Subscription(number) => Some(number),
    }
}

fn bucket(
    plan: &LivePlan,
    reader: &dyn Reader,
    result: &RequestResult,
    found: &EvaluatedBucket,
    rows_left: &mut usize,
) -> Result<Value, StoreError> {
    let number = found.bucket.definition;
    let name = plan.bucket_name(number, &found.bucket.key);
    let Some(definition) = plan.definitions.get(number).copied() else {
        return Ok(json!({"name": name, "rows": [], "operations": 0, "has_more": false}));
    };
    let key: Arc<str> = found.bucket.key.as_str().into();
    let state = reader.buckets(&[(definition, key)])?.first().copied().unwrap_or_default();
    let (rows, has_more) = match state.id {
        Some(id) => {
            let page = reader.operations(id, 0, PAGE)?;
            let mut rows: Vec<Value> = page.operations.iter().filter_map(|operation| row(&operation.kind)).collect();
            let fits = ROWS_OF_BUCKET.min(*rows_left);
            let has_more = page.has_more || rows.len() > fits;
            rows.truncate(fits);
            (rows, has_more)
        }
        None => (Vec::new(), false),
    };
    *rows_left = rows_left.saturating_sub(rows.len());
    let by = found.reasons.iter().map(|reason| {
        let stream = match reason {
            Reason::Default(at) => {
                result.streams.get(*at).and_then(|number| plan.plan.streams.get(*number)).map(|stream| &*stream.name)
            }
            Reason::Subscription(_) => None,
        };
        json!({"stream": stream, "subscription": subscription(*reason)})
    });
    Ok(json!({
        "name": name, "definition": definition.0, "key": found.bucket.key, "priority": found.priority,
        "by": by.collect::<Vec<_>>(), "operations": state.count, "rows": rows, "has_more": has_more,
    }))
}

/// A row that is in the bucket.
fn row(kind: &OpKind) -> Option<Value> {
    let OpKind::Put { row, data } = kind else { return None };
    Some(json!({
        "type": &*row.object_type, "id": &*row.object_id, "data": shortened(data), "data_bytes": data.len(),
    }))
}
