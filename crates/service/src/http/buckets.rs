//! Routes that show what is stored: definitions, their buckets, and the operations of a bucket.

use std::collections::HashMap;
use std::str::FromStr;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State};
use axum::http::HeaderMap;
use serde_json::{Value, json};
use sync_engine::live::{DefinitionId, LivePlan};
use sync_engine::store::{BucketId, DefinitionSize, OpId, OpKind, Operation, PageLimit, Reader, Readers, StoreError};
use tokio::task::spawn_blocking;

use super::{App, Shared};
use crate::error::{ApiError, ErrorKind};
use crate::sync::{Seat, shutting_down};

/// Entries of one answer, if it does not say how many, and at most.
const FEW: usize = 50;
const MOST: usize = 500;

/// Bytes of the data of operations that are read for one answer.
const MOST_BYTES: usize = 4 * 1024 * 1024;

/// Bytes of the data that is shown of one operation.
pub(super) const LONGEST: usize = 16 * 1024;

type Parameters = Query<HashMap<String, String>>;

/// How many buckets there are of each definition, and how large they are.
pub(super) async fn definitions(State(app): Shared, headers: HeaderMap) -> Result<Json<Value>, ApiError> {
    app.admin(&headers)?;
    let plan = app.hub.plan_changes().borrow().clone();
    let sizes = read(&app, |readers| readers.definition_sizes()).await?;
    let shown = sizes.map(|sizes| sizes.iter().map(|size| definition(size, plan.as_deref())).collect::<Vec<_>>());
    Ok(Json(json!({ "definitions": shown })))
}

/// Buckets of a definition, the largest first.
pub(super) async fn of_definition(
    State(app): Shared,
    Path(id): Path<String>,
    Query(query): Parameters,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    app.admin(&headers)?;
    let id = id.parse().map(DefinitionId).map_err(|_| ApiError::validation(&["the id must be a number".into()]))?;
    let limit = number(&query, "limit")?.unwrap_or(FEW).min(MOST);
    let offset = number(&query, "offset")?.unwrap_or(0);
    let sizes = read(&app, move |readers| readers.bucket_sizes(id, offset, limit.saturating_add(1))).await?;
    let sizes = sizes.unwrap_or_default();
    let shown = sizes.iter().take(limit).map(|size| {
        json!({
            "key": &*size.key, "last_op": size.last_op.to_string(), "operations": size.operations, "bytes": size.bytes,
            "rows": size.rows,
        })
    });
    Ok(Json(json!({"buckets": shown.collect::<Vec<_>>(), "has_more": sizes.len() > limit})))
}

/// Operations of a bucket: the newest ones, or those before or after one of them. They are in order.
pub(super) async fn operations(
    State(app): Shared,
    Query(query): Parameters,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    app.admin(&headers)?;
    let missing = |name: &str| ApiError::validation(&[format!("/{name}: is missing")]);
    let definition = number(&query, "definition")?.map(DefinitionId).ok_or_else(|| missing("definition"))?;
    let key: Arc<str> = query.get("key").map(|key| key.as_str().into()).ok_or_else(|| missing("key"))?;
    let limit = number(&query, "limit")?.unwrap_or(FEW).clamp(1, MOST);
    let from = match (number(&query, "after")?, number(&query, "before")?) {
        (Some(after), _) => From::After(after),
        (None, before) => From::Before(before.unwrap_or(OpId::MAX)),
    };
    read(&app, move |readers| {
        let Some(reader) = readers.latest()? else { return Ok(None) };
        let state = reader.buckets(&[(definition, Arc::clone(&key))])?.first().copied().unwrap_or_default();
        let Some(bucket) = state.id else { return Ok(None) };
        let (operations, has_earlier, has_later) = match from {
            From::After(after) => {
                let page = reader.operations(bucket, after, page_limit(limit))?;
                (page.operations, after > 0, page.has_more)
            }
            From::Before(before) => {
                let (operations, has_earlier) = before_one(&*reader, bucket, before, limit)?;
                (operations, has_earlier, before <= state.last_op)
            }
        };
        let shown: Vec<Value> = operations.iter().map(operation).collect();
        Ok(Some(json!({
            "operations": shown, "has_earlier": has_earlier, "has_later": has_later,
            "bucket": {"operations": state.count, "last_op": state.last_op.to_string(), "checksum": state.checksum},
        })))
    })
    .await?
    .map(Json)
    .ok_or_else(|| ApiError::new(ErrorKind::NotFound, "There is no such bucket at the newest checkpoint."))
}

enum From {
    After(OpId),
    Before(OpId),
}

/// The last operations before one, in order, and whether there are others before them. Stores read forwards, so where
/// they begin is searched: the first place behind which not more than `limit` are left.
fn before_one(
    reader: &dyn Reader,
    bucket: BucketId,
    before: OpId,
    limit: usize,
) -> Result<(Vec<Operation>, bool), StoreError> {
    let behind = |after: OpId| {
        let page = reader.operations(bucket, after, page_limit(limit.saturating_add(1)))?;
        let is_all = !page.has_more || page.operations.last().is_some_and(|last| last.op_id >= before);
        let mut operations = page.operations;
        operations.retain(|operation| operation.op_id < before);
        let fits = is_all && operations.len() <= limit;
        Ok::<_, StoreError>(fits.then_some(operations))
    };
    if let Some(all) = behind(0)? {
        return Ok((all, false));
    }
    let (mut too_far, mut found) = (0, Vec::new());
    let mut fits = before.min(reader.checkpoint().op_id.saturating_add(1));
    while fits.saturating_sub(too_far) > 1 {
        let middle = too_far + (fits - too_far) / 2;
        match behind(middle)? {
            Some(operations) => (fits, found) = (middle, operations),
            None => too_far = middle,
        }
    }
    Ok((found, true))
}

fn page_limit(operations: usize) -> PageLimit {
    PageLimit { operations, bytes: MOST_BYTES }
}

/// An operation, with its data as text.
fn operation(operation: &Operation) -> Value {
    let (kind, row, data) = match &operation.kind {
        OpKind::Put { row, data } => ("PUT", Some(row), Some(data)),
        OpKind::Remove { row } => ("REMOVE", Some(row), None),
        OpKind::Move => ("MOVE", None, None),
        OpKind::Clear => ("CLEAR", None, None),
    };
    json!({
        "op_id": operation.op_id.to_string(), "op": kind, "checksum": operation.checksum,
        "type": row.map(|row| &*row.object_type), "id": row.map(|row| &*row.object_id),
        "subkey": row.map(|row| &*row.subkey), "data": data.map(|data| shortened(data)),
        "data_bytes": data.map(|data| data.len()),
    })
}

/// The beginning of a text.
pub(super) fn shortened(text: &str) -> &str {
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default()
}

/// One that no stream uses is kept for a while, so that going back to an earlier configuration is instant.
fn definition(size: &DefinitionSize, plan: Option<&LivePlan>) -> Value {
    let number = plan.and_then(|plan| plan.definitions.iter().position(|id| *id == size.definition));
    let of_plan = plan.zip(number);
    let prefix = of_plan.and_then(|(plan, number)| plan.name_prefixes.get(number));
    let streams = of_plan.map(|(plan, number)| {
        let uses = |stream: &&sync_config::Stream| stream.queriers.iter().any(|querier| querier.definition == number);
        plan.plan.streams.iter().filter(uses).map(|stream| stream.name.as_str()).collect::<Vec<_>>()
    });
    json!({
        "id": size.definition.0, "prefix": prefix, "streams": streams.unwrap_or_default(), "buckets": size.buckets,
        "operations": size.operations, "bytes": size.bytes, "rows": size.rows,
    })
}

/// A number of the query.
pub(super) fn number<T: FromStr>(query: &HashMap<String, String>, name: &str) -> Result<Option<T>, ApiError> {
    let number = query.get(name).map(|text| text.parse());
    number.transpose().map_err(|_| ApiError::validation(&[format!("/{name}: must be a number")]))
}

/// What is read from the storage, by a thread that may block.
pub(super) async fn read<T: Send + 'static>(
    app: &App,
    read: impl FnOnce(&dyn Readers) -> Result<T, StoreError> + Send + 'static,
) -> Result<T, ApiError> {
    let unavailable = || ApiError::new(ErrorKind::Unavailable, "The service cannot read its storage at the moment.");
    let readers = app.hub.readers().ok_or_else(unavailable)?;
    let _permit = Seat::may_read(&app.hub).await;
    let read = spawn_blocking(move || read(&*readers)).await.map_err(|_| shutting_down())?;
    read.map_err(|error| {
        tracing::error!(%error, "reading the storage for an administrator");
        unavailable()
    })
}
