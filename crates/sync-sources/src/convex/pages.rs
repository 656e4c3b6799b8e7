//! Pages of a deployment: JSON in, rows out.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;
use sync_config::Value;

use super::value::{Malformed, clean, lossless};
use crate::json::object::Members;

/// The field that identifies a document.
pub(crate) const ID: &str = "_id";

/// A document, or its end.
#[derive(Debug)]
pub(crate) struct Row {
    /// Empty for the app itself.
    pub(crate) component: String,
    pub(crate) table: String,
    pub(crate) ts: i64,
    pub(crate) id: String,
    /// None: it was deleted.
    pub(crate) fields: Option<Vec<(String, Value)>>,
}

/// A page of `list_snapshot`.
#[derive(Debug)]
pub(crate) struct SnapshotPage {
    pub(crate) rows: Vec<Row>,
    pub(crate) snapshot: i64,
    /// Where the next page begins; none at the end.
    pub(crate) next: Option<String>,
}

/// A page of `document_deltas`.
#[derive(Debug)]
pub(crate) struct DeltasPage {
    pub(crate) rows: Vec<Row>,
    pub(crate) cursor: i64,
    pub(crate) has_more: bool,
}

/// A page of the sync API.
#[derive(Debug)]
pub(crate) struct SyncPage {
    /// Tables of the app all of whose documents are gone.
    pub(crate) truncates: Vec<String>,
    pub(crate) rows: Vec<Row>,
    pub(crate) snapshot: i64,
    pub(crate) is_snapshotting: bool,
    pub(crate) has_more: bool,
    pub(crate) cursor: String,
}

/// What the deployment says of a table's fields.
pub(crate) type Schemas = BTreeMap<String, BTreeMap<String, &'static str>>;

#[derive(Deserialize)]
struct SnapshotJson<'a> {
    #[serde(borrow)]
    values: Vec<Members<'a>>,
    #[serde(borrow)]
    snapshot: &'a RawValue,
    cursor: Option<String>,
    #[serde(rename = "hasMore")]
    has_more: bool,
}

#[derive(Deserialize)]
struct DeltasJson<'a> {
    #[serde(borrow)]
    values: Vec<Members<'a>>,
    #[serde(borrow)]
    cursor: &'a RawValue,
    #[serde(rename = "hasMore")]
    has_more: bool,
}

#[derive(Deserialize)]
struct SyncJson<'a> {
    #[serde(borrow)]
    status: StatusJson<'a>,
    #[serde(default)]
    truncates: Vec<TruncateJson>,
    #[serde(borrow)]
    values: Vec<ValueJson<'a>>,
    pagination: PaginationJson,
}

#[derive(Deserialize)]
struct StatusJson<'a> {
    #[serde(rename = "type")]
    kind: String,
    #[serde(borrow, rename = "snapshotTs")]
    snapshot: &'a RawValue,
}

#[derive(Deserialize)]
struct TruncateJson {
    component: Option<String>,
    table: String,
}

#[derive(Deserialize)]
struct ValueJson<'a> {
    component: Option<String>,
    table: String,
    #[serde(borrow)]
    ts: &'a RawValue,
    #[serde(default)]
    deleted: bool,
    #[serde(borrow)]
    value: Members<'a>,
}

#[derive(Deserialize)]
struct PaginationJson {
    #[serde(rename = "hasMore")]
    has_more: bool,
    #[serde(rename = "nextCursor")]
    next: String,
}

/// Reads a page of `list_snapshot`.
pub(crate) fn snapshot(json: &str) -> Result<SnapshotPage, Malformed> {
    let page: SnapshotJson<'_> = serde_json::from_str(json).map_err(|_| Malformed)?;
    let next = match (page.has_more, page.cursor) {
        (true, None) => return Err(Malformed),
        (has_more, cursor) => cursor.filter(|_| has_more),
    };
    let rows = page.values.into_iter().map(row).collect::<Result<_, _>>()?;
    Ok(SnapshotPage { rows, snapshot: integer(page.snapshot)?, next })
}

/// Reads a page of `document_deltas`.
pub(crate) fn deltas(json: &str) -> Result<DeltasPage, Malformed> {
    let page: DeltasJson<'_> = serde_json::from_str(json).map_err(|_| Malformed)?;
    let rows = page.values.into_iter().map(row).collect::<Result<_, _>>()?;
    Ok(DeltasPage { rows, cursor: integer(page.cursor)?, has_more: page.has_more })
}

/// Reads a page of the sync API.
pub(crate) fn sync(json: &str) -> Result<SyncPage, Malformed> {
    let page: SyncJson<'_> = serde_json::from_str(json).map_err(|_| Malformed)?;
    let is_of_app = |truncate: &TruncateJson| truncate.component.as_deref().unwrap_or_default().is_empty();
    let rows = page.values.into_iter().map(|value| {
        let ts = integer(value.ts)?;
        let mut fields = Vec::with_capacity(value.value.0.len());
        for (name, json) in value.value.0 {
            fields.push((name, lossless(json)?));
        }
        let id = id_of(&fields)?;
        let fields = (!value.deleted).then_some(fields);
        Ok(Row { component: value.component.unwrap_or_default(), table: value.table, ts, id, fields })
    });
    Ok(SyncPage {
        rows: rows.collect::<Result<_, _>>()?,
        truncates: page.truncates.into_iter().filter(is_of_app).map(|truncate| truncate.table).collect(),
        snapshot: integer(page.status.snapshot)?,
        is_snapshotting: page.status.kind == "snapshotting",
        has_more: page.pagination.has_more,
        cursor: page.pagination.next,
    })
}

/// Reads the answer of `data_sync_cursor_from_deltas`.
pub(crate) fn sync_cursor(json: &str) -> Result<String, Malformed> {
    #[derive(Deserialize)]
    struct CursorJson {
        cursor: String,
    }
    serde_json::from_str::<CursorJson>(json).map(|json| json.cursor).map_err(|_| Malformed)
}

/// Reads the answer of `json_schemas`: which tables there are, and fields that their documents are known to have. Of the
/// types only what a person may want to know is read, since values say what they are.
pub(crate) fn schemas(json: &str) -> Result<Schemas, Malformed> {
    let tables: BTreeMap<String, serde_json::Value> = serde_json::from_str(json).map_err(|_| Malformed)?;
    let fields = |schema: &serde_json::Value| {
        let mut fields = BTreeMap::new();
        add_fields(schema, &mut fields, 0);
        fields
    };
    Ok(tables.iter().map(|(table, schema)| (table.clone(), fields(schema))).collect())
}

fn add_fields(schema: &serde_json::Value, fields: &mut BTreeMap<String, &'static str>, depth: usize) {
    for (name, field) in schema.get("properties").and_then(serde_json::Value::as_object).into_iter().flatten() {
        let kind = match field.get("type").and_then(serde_json::Value::as_str) {
            Some("number") => "real",
            Some("boolean") => "boolean",
            _ => "text",
        };
        if !is_meta(name) {
            fields
                .entry(name.clone())
                .and_modify(|known| {
                    if *known != kind {
                        *known = "text"
                    }
                })
                .or_insert(kind);
        }
    }
    for alternatives in ["anyOf", "oneOf", "allOf"] {
        let all = schema.get(alternatives).and_then(serde_json::Value::as_array);
        for alternative in all.into_iter().flatten().filter(|_| depth < 8) {
            add_fields(alternative, fields, depth.saturating_add(1));
        }
    }
}

/// Whether the deployment adds the field to documents of its pages.
fn is_meta(name: &str) -> bool {
    ["_ts", "_table", "_component", "_deleted"].contains(&name)
}

fn row(members: Members<'_>) -> Result<Row, Malformed> {
    let (mut component, mut table, mut ts, mut deleted) = (String::new(), None, None, false);
    let mut fields = Vec::with_capacity(members.0.len());
    for (name, json) in members.0 {
        let text = || serde_json::from_str::<Option<String>>(json.get()).map_err(|_| Malformed);
        match name.as_str() {
            "_ts" => ts = Some(integer(json)?),
            "_table" => table = text()?,
            "_component" => component = text()?.unwrap_or_default(),
            "_deleted" => deleted = serde_json::from_str(json.get()).map_err(|_| Malformed)?,
            _ => fields.push((name, clean(json)?)),
        }
    }
    let id = id_of(&fields)?;
    let (table, ts) = table.zip(ts).ok_or(Malformed)?;
    Ok(Row { component, table, ts, id, fields: (!deleted).then_some(fields) })
}

fn id_of(fields: &[(String, Value)]) -> Result<String, Malformed> {
    match fields.iter().find(|(name, _)| name == ID) {
        Some((_, Value::Text(id))) => Ok(id.clone()),
        _ => Err(Malformed),
    }
}

/// A timestamp: a number, or its text.
fn integer(json: &RawValue) -> Result<i64, Malformed> {
    json.get().trim_matches('"').parse().map_err(|_| Malformed)
}

/// Names of tables.
pub(crate) fn names(schemas: &Schemas) -> BTreeSet<String> {
    schemas.keys().cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const DELTAS: &str = r#"{"values":[{"_component":"","_creationTime":1.5,"_deleted":false,"_id":"a","_table":"t",
        "_ts":1760000000001000003,"_other":1.0},{"_deleted":true,"_id":"b","_table":"t","_ts":"1760000000001000004"}],
        "cursor":1760000000001000004,"hasMore":true}"#;

    #[test]
    fn exactly_four_fields_are_of_the_page() {
        let page = deltas(DELTAS).unwrap();
        let first = &page.rows[0];
        let names: Vec<&str> = first.fields.iter().flatten().map(|(name, _)| name.as_str()).collect();
        assert_eq!((names, first.ts), (vec!["_creationTime", "_id", "_other"], 1_760_000_000_001_000_003));
        assert!(page.rows[1].fields.is_none() && page.rows[1].id == "b" && page.has_more);
    }

    #[test]
    fn a_page_that_says_there_is_more_needs_a_cursor() {
        let page =
            |cursor: &str, more: &str| format!(r#"{{"values":[],"snapshot":1,"cursor":{cursor},"hasMore":{more}}}"#);
        assert_eq!(snapshot(&page("\"c\"", "true")).unwrap().next.as_deref(), Some("c"));
        assert_eq!(snapshot(&page("\"c\"", "false")).unwrap().next, None);
        assert_eq!(snapshot(&page("null", "true")).unwrap_err(), Malformed);
    }

    #[test]
    fn fields_of_all_alternatives_are_known() {
        let json = r#"{"t":{"anyOf":[{"properties":{"a":{"type":"number"},"b":{"type":"string"},"_ts":{}}},
            {"properties":{"a":{"type":"string"},"c":{"type":"boolean"}}}]},"u":{}}"#;
        let schemas = schemas(json).unwrap();
        assert_eq!(schemas["t"], BTreeMap::from([("a".into(), "text"), ("b".into(), "text"), ("c".into(), "boolean")]));
        assert!(schemas["u"].is_empty());
    }

    /// Whatever comes, it is read or refused.
    #[test]
    fn changed_pages_do_no_harm() {
        let sync_page = r#"{"status":{"type":"stale","snapshotTs":5},"truncates":[{"component":"","table":"t"}],"values":
            [{"component":"","table":"t","ts":1,"deleted":false,"value":{"_id":"a","n":{"$integer":"AQAAAAAAAAA="}}}],
            "syncId":"1","pagination":{"hasMore":true,"nextCursor":"c"}}"#;
        assert_eq!(sync(sync_page).unwrap().rows.len(), 1);
        let mut rng = fastrand::Rng::with_seed(1);
        for page in [DELTAS, sync_page] {
            for _ in 0..20_000 {
                let mut bytes = page.as_bytes().to_vec();
                for _ in 0..rng.usize(1..4) {
                    let at = rng.usize(..bytes.len());
                    match rng.u8(..3) {
                        0 => bytes[at] = b"{}[]\",:019n$"[rng.usize(..12)],
                        1 => drop(bytes.remove(at)),
                        _ => bytes.insert(at, b"{}[]\",:019n$"[rng.usize(..12)]),
                    }
                }
                let text = String::from_utf8_lossy(&bytes);
                let _ = (deltas(&text), sync(&text), snapshot(&text), schemas(&text));
            }
        }
    }
}
