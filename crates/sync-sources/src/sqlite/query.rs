//! Queries that people ask through the service. They only read, and end after some seconds.

use std::path::Path;
use std::time::{Duration, Instant};

use rusqlite::OpenFlags;
use rusqlite::types::ValueRef;
use sync_config::Value;
use sync_engine::source::{QueryAnswer, SourceError};

use super::file;
use crate::error::configuration;

/// How long a query may take.
const LONGEST: Duration = Duration::from_secs(10);

/// Steps of SQLite between two looks at the time.
const STEPS: i32 = 10_000;

/// Runs a query on a connection that cannot write.
///
/// # Errors
/// It is wrong, writes, or takes too long.
pub(super) fn run(path: &Path, sql: &str, limit: usize) -> Result<QueryAnswer, SourceError> {
    let opened = file::open(path, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
    let mut connection = opened.connection;
    let until = Instant::now() + LONGEST;
    let failed = |error: rusqlite::Error| configuration(format!("running the query: {error}"));
    connection.progress_handler(STEPS, Some(move || Instant::now() > until)).map_err(failed)?;
    let mut statement = connection.prepare(sql).map_err(failed)?;
    if !statement.readonly() {
        return Err(configuration("running the query: only queries that read are permitted".to_owned()));
    }
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut answer = QueryAnswer { columns, ..QueryAnswer::default() };
    let mut rows = statement.query(()).map_err(failed)?;
    while let Some(row) = rows.next().map_err(failed)? {
        if answer.rows.len() >= limit {
            answer.has_more = true;
            break;
        }
        let values = (0..answer.columns.len()).map(|at| row.get_ref(at).map(value));
        answer.rows.push(values.collect::<Result<_, _>>().map_err(failed)?);
    }
    Ok(answer)
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Real(real) => Value::Real(real),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(blob) => Value::Blob(blob.to_vec()),
    }
}
