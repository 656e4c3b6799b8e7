//! `POST /api/admin/v1/dry-run`: what deploying a configuration would do.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Request, State};
use serde_json::{Value, json};
use sync_config::{Comparison, Limits, TablePattern};
use sync_engine::preview::Preview;
use tokio::task::spawn_blocking;

use super::configs::{compiled, diagnostics};
use super::{App, Shared};
use crate::error::{ApiError, ErrorKind};
use crate::sync::{Seat, shutting_down};

/// Says what deploying the YAML of the body would do, and changes nothing.
pub(super) async fn dry_run(State(app): Shared, request: Request) -> Result<Json<Value>, ApiError> {
    let (yaml, compiled) = compiled(&app, request).await?;
    let diagnostics = diagnostics(&yaml, &compiled);
    let Some(plan) = compiled.plan else { return Ok(Json(json!({"valid": false, "diagnostics": diagnostics}))) };
    let preview = app.writer.preview(plan).await?;
    let _permit = Seat::may_read(&app.hub).await;
    let answer = spawn_blocking({
        let app = Arc::clone(&app);
        move || answer(&app, &preview)
    });
    let mut answer = answer.await.map_err(|_| shutting_down())??;
    if let Value::Object(members) = &mut answer {
        members.insert("valid".into(), true.into());
        members.insert("diagnostics".into(), diagnostics.into());
    }
    Ok(Json(answer))
}

/// All that blocks.
fn answer(app: &App, preview: &Preview) -> Result<Value, ApiError> {
    let active = app.hub.plan_changes().borrow().clone();
    let old = active.as_ref().map(|plan| &plan.plan);
    let Preview { plan: new, stored: definitions, indexes, .. } = preview;
    let comparison = Comparison { old, new, definitions, indexes };
    let streams = comparison.streams().into_iter().map(|change| {
        let counts = change.definitions;
        json!({
            "name": change.name, "state": change.state.name(),
            "definitions": {"kept": counts.kept, "building": counts.building, "new": counts.new, "dropped": counts.dropped},
        })
    });
    let patterns = comparison.tables();
    let snapshots: Vec<String> = patterns.iter().map(|table| format!("{}.{}", table.schema, table.table)).collect();
    Ok(json!({
        "streams": streams.collect::<Vec<_>>(), "snapshots": snapshots, "tables": tables(app, &patterns),
        "clients": clients(app, preview)?, "reconnects": false,
    }))
}

/// The tables that would be read, and about how many rows they have; null if the source does not say.
fn tables(app: &App, patterns: &BTreeSet<TablePattern>) -> Value {
    if patterns.is_empty() {
        return json!([]);
    }
    let Ok(tables) = app.source.schema() else { return Value::Null };
    let is_read = |table: &sync_engine::row::SourceTable| {
        patterns.iter().any(|pattern| pattern.suffix(None, &table.schema, &table.name).is_some())
    };
    let tables = tables.into_iter().filter(is_read).map(|table| {
        let rows = app.source.estimate(&table).ok().flatten();
        json!({"schema": table.schema, "name": table.name, "rows": rows})
    });
    tables.collect()
}

/// How many buckets all connected clients together would keep, drop and download.
fn clients(app: &App, preview: &Preview) -> Result<Value, ApiError> {
    let store = |error: sync_engine::store::StoreError| {
        tracing::error!(%error, "reading the storage for a dry run");
        ApiError::new(ErrorKind::Unavailable, "The service cannot read its storage. Its log says why.")
    };
    let asks = app.hub.asks();
    let (mut kept, mut dropped, mut downloaded, mut unknown) = (0, 0, 0, 0);
    let active = app.hub.plan_changes().borrow().clone();
    let reader = app.hub.readers().map(|readers| readers.latest()).transpose().map_err(store)?.flatten();
    if let Some((active, reader)) = active.zip(reader) {
        let limits = Limits { buckets: app.limits.max_buckets, rows: app.limits.max_parameter_results };
        for ask in &asks {
            let change = preview.client(&active, ask, &*reader, &limits).map_err(store)?;
            kept += change.kept;
            dropped += change.dropped;
            downloaded += change.downloaded;
            unknown += usize::from(change.is_partial);
        }
    }
    Ok(json!({
        "connected": asks.len(), "kept": kept, "dropped": dropped, "downloaded": downloaded, "unknown": unknown,
    }))
}
