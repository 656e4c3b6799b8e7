//! The pages of streaming export: what the tables are, a snapshot of one, and the changes after a timestamp.

use std::collections::BTreeMap;

use serde_json::{Map, Value as Json, json};

use crate::database::{Database, State};
use crate::server::Refusal;
use crate::value::{Value, clean};

/// Sizes of pages.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    pub(crate) snapshot_rows: usize,
    pub(crate) delta_rows: usize,
    pub(crate) sync_rows: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { snapshot_rows: 1_024, delta_rows: 128, sync_rows: 16_384 }
    }
}

pub(crate) fn refused(code: &'static str, message: &str) -> Refusal {
    Refusal { status: 400, code, message: message.to_owned() }
}

/// A JSON schema for each table, from the documents that it has.
pub(crate) fn json_schemas(database: &Database) -> Json {
    let schema = |table: String| {
        let tablet = database.active(&table, database.now);
        let mut properties = Map::new();
        for (_, _, document) in tablet.iter().flat_map(|tablet| database.at(*tablet, database.now)) {
            for (name, value) in document.iter() {
                properties.entry(name.clone()).or_insert_with(|| json!({"type": type_name(value)}));
            }
        }
        let schema = json!({
            "$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": properties,
            "additionalProperties": false
        });
        (table, schema)
    };
    database.tables().into_iter().map(schema).collect::<Map<_, _>>().into()
}

fn type_name(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Boolean(_) => "boolean",
        Value::Float64(_) => "number",
        Value::Int64(_) | Value::String(_) | Value::Bytes(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// `list_snapshot`: the documents of one table, or of all, at one timestamp.
pub(crate) fn list_snapshot(
    database: &Database,
    limits: Limits,
    query: &BTreeMap<String, String>,
) -> Result<Json, Refusal> {
    let snapshot = match query.get("snapshot") {
        Some(text) => text.parse().map_err(|_| refused("BadSnapshot", "the snapshot is not a number"))?,
        None => database.now,
    };
    if snapshot < database.first_snapshot {
        return Err(refused("SnapshotTooOld", "The snapshot is older than what is kept."));
    }
    if snapshot > database.now {
        return Err(refused("SnapshotTooNew", "The snapshot is in the future."));
    }
    let invalid = || refused("InvalidListSnapshotCursor", "The cursor is not one of this snapshot.");
    let after = query.get("cursor").map(|text| cursor(text).ok_or_else(invalid)).transpose()?;
    if after.as_ref().is_some_and(|(tablet, _)| !database.tablets.contains_key(tablet)) {
        return Err(invalid());
    }
    let table = query.get("table_name").or_else(|| query.get("tableName"));
    let tablets = database
        .tablets
        .iter()
        .filter(|(_, tablet)| tablet.is_active(snapshot) && table.is_none_or(|name| *name == tablet.table));
    let documents = tablets.flat_map(|(id, tablet)| {
        database.at(*id, snapshot).map(move |(key, ts, document)| (*id, tablet, key, ts, document))
    });
    let is_after = |tablet: u32, id: &String| after.as_ref().is_none_or(|after| (tablet, id) > (after.0, &after.1));
    let mut rest = documents.filter(|(tablet, _, id, ..)| is_after(*tablet, id)).peekable();
    let mut values = Vec::new();
    let mut last = after.clone();
    while values.len() < limits.snapshot_rows
        && let Some((id, tablet, key, ts, document)) = rest.next()
    {
        values.push(with_meta(clean(document), ts, &tablet.table, None));
        last = Some((id, key.clone()));
    }
    let cursor = last.map(|(tablet, id)| json!({"tablet": tablet, "id": id}).to_string());
    Ok(json!({"values": values, "snapshot": snapshot, "cursor": cursor, "hasMore": rest.peek().is_some()}))
}

fn cursor(text: &str) -> Option<(u32, String)> {
    let cursor: Json = serde_json::from_str(text).ok()?;
    Some((u32::try_from(cursor["tablet"].as_u64()?).ok()?, cursor["id"].as_str()?.to_owned()))
}

/// `document_deltas`: what was committed after a timestamp. A page ends with a timestamp, never within one.
pub(crate) fn document_deltas(
    database: &Database,
    limits: Limits,
    query: &BTreeMap<String, String>,
) -> Result<Json, Refusal> {
    let Some(after) = query.get("cursor") else {
        return Err(refused("DocumentDeltasCursorRequired", "A cursor is needed: that of list_snapshot."));
    };
    let after: i64 = after.parse().map_err(|_| refused("BadCursor", "the cursor is not a number"))?;
    if after < database.first_delta {
        let message = format!("Timestamp {after} is too old");
        return Err(refused("InvalidWindowToReadDocuments", &message));
    }
    if after > database.now {
        return Err(refused("InvalidWindowToReadDocuments", "The timestamp is in the future."));
    }
    let table = query.get("table_name").or_else(|| query.get("tableName"));
    let start = database.log.partition_point(|entry| entry.ts <= after);
    let rest = &database.log[start..];
    let mut end = rest.len().min(limits.delta_rows);
    while end > 0 && end < rest.len() && rest[end].ts == rest[end - 1].ts {
        end += 1;
    }
    let has_more = end < rest.len();
    let values: Vec<Json> = rest[..end]
        .iter()
        .filter_map(|entry| {
            let tablet = &database.tablets[&entry.tablet];
            // Documents of a table that is gone by now cannot be named any more.
            let is_named = tablet.state(database.now) != Some(State::Deleted);
            (is_named && table.is_none_or(|name| *name == tablet.table)).then(|| {
                let document = match &entry.document {
                    Some(document) => clean(document),
                    None => json!({"_id": entry.id}),
                };
                with_meta(document, entry.ts, &tablet.table, Some(entry.document.is_none()))
            })
        })
        .collect();
    let cursor = if has_more { rest[end - 1].ts } else { database.now };
    Ok(json!({"values": values, "cursor": cursor, "hasMore": has_more}))
}

fn with_meta(mut document: Json, ts: i64, table: &str, is_deleted: Option<bool>) -> Json {
    let members = document.as_object_mut().unwrap();
    members.insert("_ts".into(), json!(ts));
    members.insert("_table".into(), json!(table));
    members.insert("_component".into(), json!(""));
    if let Some(is_deleted) = is_deleted {
        members.insert("_deleted".into(), json!(is_deleted));
    }
    document
}
