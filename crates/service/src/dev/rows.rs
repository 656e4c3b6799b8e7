//! `POST /dev/rows`: inserts, updates or deletes a row of the source, as another program would. Clients follow as with any
//! other change.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::{Extension, Json};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rusqlite::types::Value as Cell;
use rusqlite::{Connection, OpenFlags, params_from_iter};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sync_engine::row::SourceTable;
use tokio::task::spawn_blocking;

use crate::error::{ApiError, ErrorKind};
use crate::http::{App, only_from_here, parsed};
use crate::sql::quoted;
use crate::sync::shutting_down;

/// How long a program that writes to the source is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// The SQLite file whose rows can be changed; none if the source is of another kind.
#[derive(Clone)]
pub(super) struct Editable(pub(super) Option<PathBuf>);

/// The body.
#[derive(Deserialize)]
struct Body {
    table: String,
    op: Op,
    /// The row that is meant: columns of the key with their values.
    #[serde(default)]
    key: Map<String, Value>,
    /// Columns with their new values. The others stay as they are, or have their defaults.
    #[serde(default)]
    values: Map<String, Value>,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Op {
    Insert,
    Update,
    Delete,
}

/// The handler.
pub(super) async fn change(
    State(app): State<Arc<App>>,
    Extension(Editable(path)): Extension<Editable>,
    request: Request,
) -> Result<Json<Value>, ApiError> {
    let (parts, content) = request.into_parts();
    only_from_here(&parts.headers)?;
    let content = app.body(content).await?;
    let body: Body = parsed(&content)?;
    let path = path.ok_or_else(|| {
        let message = "Only rows of an SQLite source can be changed here. Change those of this source where it is.";
        ApiError::new(ErrorKind::Validation, message)
    })?;
    let source = Arc::clone(&app.source);
    let changed = spawn_blocking(move || {
        let tables = source.schema().map_err(|error| ApiError::new(ErrorKind::Unavailable, error.to_string()))?;
        let table = tables.iter().find(|table| table.name == body.table);
        let table = table.ok_or_else(|| ApiError::new(ErrorKind::NotFound, "The source has no such table."))?;
        run(&path, table, &body)
    });
    changed.await.map_err(|_| shutting_down())??;
    Ok(Json(json!({"changed": true})))
}

/// All that blocks.
fn run(path: &Path, table: &SourceTable, body: &Body) -> Result<(), ApiError> {
    let (sql, values) = statement(table, body)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let write = || {
        let connection = Connection::open_with_flags(path, flags)?;
        connection.busy_timeout(BUSY)?;
        // As for what clients upload.
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.execute(&sql, params_from_iter(values))
    };
    match write() {
        Ok(0) => Err(ApiError::new(ErrorKind::Conflict, "The row is not there any more. Load the table again.")),
        Ok(_) => Ok(()),
        Err(error) => Err(refused(&error)),
    }
}

/// The statement and its values.
fn statement(table: &SourceTable, body: &Body) -> Result<(String, Vec<Cell>), ApiError> {
    let wrong = |problem: String| ApiError::validation(&[problem]);
    let (mut names, mut values) = (Vec::new(), Vec::new());
    for (name, value) in &body.values {
        if !table.columns.iter().any(|column| column.name == *name) {
            return Err(wrong(format!("/values/{name}: the table has no such column")));
        }
        names.push(quoted(name));
        values.push(cell(value).ok_or_else(|| wrong(format!("/values/{name}: is no value of SQLite")))?);
    }
    let name = quoted(&table.name);
    if let Op::Insert = body.op {
        let sql = match names.len() {
            0 => format!("INSERT INTO {name} DEFAULT VALUES"),
            count => format!("INSERT INTO {name} ({}) VALUES ({})", names.join(", "), vec!["?"; count].join(", ")),
        };
        return Ok((sql, values));
    }
    let mut conditions = Vec::new();
    let (mut keys, is_delete) = (Vec::new(), matches!(body.op, Op::Delete));
    for column in table.key.iter().filter_map(|at| table.columns.get(*at)) {
        let value = body.key.get(&column.name).and_then(cell);
        keys.push(value.ok_or_else(|| wrong(format!("/key/{}: is missing", column.name)))?);
        conditions.push(format!("{} IS ?", quoted(&column.name)));
    }
    if conditions.is_empty() {
        return Err(wrong("/table: has no key, so its rows cannot be told apart".into()));
    }
    let conditions = conditions.join(" AND ");
    if is_delete {
        return Ok((format!("DELETE FROM {name} WHERE {conditions}"), keys));
    }
    if names.is_empty() {
        return Err(wrong("/values: must have a column".into()));
    }
    let set: Vec<String> = names.iter().map(|name| format!("{name} = ?")).collect();
    values.extend(keys);
    Ok((format!("UPDATE {name} SET {} WHERE {conditions}", set.join(", ")), values))
}

/// A value as the routes for administrators show it.
fn cell(value: &Value) -> Option<Cell> {
    Some(match value {
        Value::Null => Cell::Null,
        Value::Bool(bool) => Cell::Integer((*bool).into()),
        Value::Number(number) => number.as_i64().map(Cell::Integer).or(number.as_f64().map(Cell::Real))?,
        Value::String(text) => Cell::Text(text.clone()),
        Value::Object(members) => {
            let text = |name: &str| members.get(name).and_then(Value::as_str);
            match (text("integer"), text("real"), text("base64")) {
                (Some(integer), ..) => Cell::Integer(integer.parse().ok()?),
                (_, Some(real), _) => Cell::Real(real.parse().ok()?),
                (.., Some(blob)) => Cell::Blob(STANDARD.decode(blob).ok()?),
                _ => return None,
            }
        }
        Value::Array(_) => return None,
    })
}

/// Why the database has refused the row, and in `details` the column if it is one.
fn refused(error: &rusqlite::Error) -> ApiError {
    let message = match error {
        rusqlite::Error::SqliteFailure(_, Some(message)) => message.clone(),
        other => other.to_string(),
    };
    let columns = |of: &str| {
        let columns = of.split(", ").map(|column| column.rsplit_once('.').map_or(column, |(_, name)| name));
        columns.collect::<Vec<_>>().join(" and ")
    };
    let (sentence, column) = match message.split_once(" constraint failed: ") {
        Some(("NOT NULL", column)) => (format!("{} must have a value.", columns(column)), Some(columns(column))),
        Some(("UNIQUE", of)) => (format!("Another row has this {} already.", columns(of)), Some(columns(of))),
        Some(("CHECK", check)) => (format!("The table does not permit it: CHECK ({check})."), None),
        _ if message.starts_with("FOREIGN KEY") => {
            ("A row that it refers to is missing, or other rows refer to it.".to_owned(), None)
        }
        _ => (format!("SQLite refuses it: {message}."), None),
    };
    ApiError { details: column, ..ApiError::new(ErrorKind::Conflict, sentence) }
}
