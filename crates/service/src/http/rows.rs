//! `GET /api/admin/v1/rows`: rows of a table of the source, in pages, for people.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sync_config::{Settings, Value as Cell};
use sync_engine::row::SourceTable;
use sync_engine::source::{ErrorClass, Source, SourceError};
use tokio::task::spawn_blocking;

use super::Shared;
use super::buckets::number;
use crate::error::{ApiError, ErrorKind};
use crate::sql::quoted;
use crate::sync::shutting_down;

/// Rows of one answer, if it does not say how many, and at most.
const FEW: usize = 50;
const MOST: usize = 200;

/// Rows that are looked at in a source that takes no SQL, and how many at once.
const MOST_SCANNED: usize = 20_000;
const CHUNK: usize = 1_000;

/// Characters of a text, and bytes of a blob, that are shown.
const LONGEST_TEXT: usize = 2_000;
const LONGEST_BLOB: usize = 64;

/// Integers beyond this lose digits in JavaScript.
const EXACT: u64 = 1 << 53;

/// Which rows.
struct Wanted {
    offset: usize,
    limit: usize,
    /// A part of any value, whatever its case.
    filter: Option<String>,
    /// Number of the column that they are sorted by, and whether the largest comes first.
    order: Option<(usize, bool)>,
}

struct Found {
    rows: Vec<Vec<Cell>>,
    has_more: bool,
    /// Whether only a part of the table was looked at.
    is_partial: bool,
    is_sortable: bool,
}

/// The handler.
pub(super) async fn rows(
    State(app): Shared,
    Query(query): Query<HashMap<String, String>>,
    headers: HeaderMap,
) -> Result<Json<Value>, ApiError> {
    app.admin(&headers)?;
    let source = Arc::clone(&app.source);
    let answer = spawn_blocking(move || answer(&*source, &query));
    answer.await.map_err(|_| shutting_down())?.map(Json)
}

/// All that blocks.
fn answer(source: &dyn Source, query: &HashMap<String, String>) -> Result<Value, ApiError> {
    let failed = |error: SourceError| match error.class {
        ErrorClass::Configuration => ApiError::validation(&[error.to_string()]),
        _ => ApiError::new(ErrorKind::Unavailable, format!("Reading the source: {error}")),
    };
    let name = query.get("table").ok_or_else(|| ApiError::validation(&["/table: is missing".into()]))?;
    let schema = query.get("schema");
    let mut tables = source.schema().map_err(failed)?.into_iter();
    let is_it = |table: &SourceTable| table.name == *name && schema.is_none_or(|schema| table.schema == *schema);
    let table = tables.find(is_it).ok_or_else(|| ApiError::new(ErrorKind::NotFound, "There is no such table."))?;
    let order = query.get("order").and_then(|order| table.columns.iter().position(|column| column.name == *order));
    let wanted = Wanted {
        offset: number(query, "offset")?.unwrap_or(0),
        limit: number(query, "limit")?.unwrap_or(FEW).clamp(1, MOST),
        filter: query.get("filter").filter(|filter| !filter.is_empty()).cloned(),
        order: order.map(|column| (column, query.contains_key("descending"))),
    };
    let kind = source.describe().kind;
    let found = match Dialect::of(kind) {
        Some(dialect) => select(source, &table, &wanted, dialect),
        None => scan(source, &table, &wanted),
    };
    let found = found.map_err(failed)?;
    let estimate = if found.has_more { source.estimate(&table).ok().flatten() } else { None };
    let columns = table.columns.iter().map(|column| json!({"name": column.name, "type": column.type_name}));
    let key = table.key.iter().filter_map(|at| table.columns.get(*at)).map(|column| column.name.as_str());
    let rows = found.rows.iter().map(|row| row.iter().map(shown).collect::<Vec<_>>());
    Ok(json!({
        "schema": table.schema, "table": table.name, "columns": columns.collect::<Vec<_>>(),
        "key": key.collect::<Vec<_>>(), "rows": rows.collect::<Vec<_>>(), "offset": wanted.offset,
        "has_more": found.has_more, "estimate": estimate, "partial": found.is_partial, "sortable": found.is_sortable,
    }))
}

/// How a database that takes SQL writes it.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Dialect {
    Sqlite,
    Postgres,
}

impl Dialect {
    fn of(kind: &str) -> Option<Self> {
        match kind {
            "sqlite" => Some(Self::Sqlite),
            "postgres" => Some(Self::Postgres),
            _ => None,
        }
    }

    /// A condition that a part of a column is a text, whatever the case.
    fn contains(self, column: &str, part: &str) -> String {
        let part = part.replace('\'', "''");
        match self {
            Self::Sqlite => format!("instr(lower(CAST({column} AS TEXT)), lower('{part}')) > 0"),
            Self::Postgres => {
                format!("strpos(lower(({column})::text), lower(E'{}')) > 0", part.replace('\\', "\\\\"))
            }
        }
    }
}

fn select(source: &dyn Source, table: &SourceTable, wanted: &Wanted, dialect: Dialect) -> Result<Found, SourceError> {
    let columns: Vec<String> = table.columns.iter().map(|column| quoted(&column.name)).collect();
    let part = wanted.filter.as_deref().map(|filter| filter.replace('\0', ""));
    let conditions = part.map(|part| columns.iter().map(|column| dialect.contains(column, &part)).collect::<Vec<_>>());
    let filter = conditions.map(|conditions| format!(" WHERE {}", conditions.join(" OR "))).unwrap_or_default();
    let by_key = table.key.iter().filter_map(|at| columns.get(*at).cloned());
    let sorted = wanted.order.and_then(|(at, descending)| {
        columns.get(at).map(|column| format!("{column}{}", if descending { " DESC" } else { "" }))
    });
    let order: Vec<String> = sorted.into_iter().chain(by_key).collect();
    let order = if order.is_empty() { String::new() } else { format!(" ORDER BY {}", order.join(", ")) };
    let sql = format!(
        "SELECT {} FROM {}.{}{filter}{order} LIMIT {} OFFSET {}",
        columns.join(", "),
        quoted(&table.schema),
        quoted(&table.name),
        wanted.limit.saturating_add(1),
        wanted.offset
    );
    let answer = source.query(&sql, wanted.limit)?;
    Ok(Found { rows: answer.rows, has_more: answer.has_more, is_partial: false, is_sortable: true })
}

/// Goes through the table from its beginning, in the order of its keys.
fn scan(source: &dyn Source, table: &SourceTable, wanted: &Wanted) -> Result<Found, SourceError> {
    let settings = Settings::of_edition(3);
    let part = wanted.filter.as_deref().map(str::to_lowercase);
    let contains = |row: &Vec<Cell>| {
        let is_in = |part: &str, cell: &Cell| cell.as_text().is_some_and(|text| text.to_lowercase().contains(part));
        part.as_deref().is_none_or(|part| row.iter().any(|cell| is_in(part, cell)))
    };
    let (mut found, mut after, mut scanned, mut skipped) = (Vec::new(), None, 0_usize, 0_usize);
    while scanned < MOST_SCANNED {
        let chunk = source.snapshot_chunk(table, after.as_deref(), CHUNK)?;
        scanned += chunk.rows.len();
        let value = |value: &sync_engine::row::SourceValue| value.to_value(&settings).unwrap_or(Cell::Null);
        let rows = chunk.rows.iter().map(|row| row.iter().map(value).collect::<Vec<_>>());
        for row in rows.filter(contains) {
            if skipped < wanted.offset {
                skipped += 1;
            } else if found.len() < wanted.limit {
                found.push(row);
            } else {
                return Ok(Found { rows: found, has_more: true, is_partial: false, is_sortable: false });
            }
        }
        after = chunk.next;
        if after.is_none() {
            return Ok(Found { rows: found, has_more: false, is_partial: false, is_sortable: false });
        }
    }
    Ok(Found { rows: found, has_more: false, is_partial: true, is_sortable: false })
}

/// A value as JavaScript can read it exactly; long ones are shortened.
fn shown(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Integer(integer) if integer.unsigned_abs() <= EXACT => (*integer).into(),
        Cell::Integer(integer) => json!({"integer": integer.to_string()}),
        Cell::Real(_) => json!({"real": cell.as_text()}),
        Cell::Text(text) => match text.char_indices().nth(LONGEST_TEXT) {
            Some((end, _)) => json!({"text": text.get(..end), "bytes": text.len()}),
            None => text.as_str().into(),
        },
        Cell::Blob(blob) => {
            let first = blob.get(..LONGEST_BLOB.min(blob.len())).unwrap_or_default();
            json!({"base64": STANDARD.encode(first), "bytes": blob.len()})
        }
    }
}
