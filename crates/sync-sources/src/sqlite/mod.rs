//! An SQLite file as a source: for development, tests, and apps on one machine.
//!
//! Triggers log the key of each row that is written, by whichever process; the stream reads the log and the rows. The first
//! call of [`Source::tables`] for a table creates three triggers or five, `_sync_<number>_<event>`, and three tables,
//! `_sync_log`, `_sync_meta` and `_sync_table`; [`SqliteSource::remove`] takes all of them out again.
//!
//! What an app notices: each write is two inserts, `total_changes()` counts them, and a table of the app cannot have a name that
//! begins with `_sync_` or `_rowtide_`. `ALTER TABLE … DROP COLUMN` of a column right after the drop of its unique index fails if
//! the service has not seen the latter; creating the table again works always.

mod capture;
mod check;
mod conflict;
mod failure;
mod file;
mod index_sql;
mod inner;
mod log;
mod query;
mod reconcile;
mod registry;
mod rows;
mod schema;
mod stream;
mod values;

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags};
use sync_config::{TablePattern, Value};
use sync_engine::row::{Position, SourceTable};
use sync_engine::source::{
    Check, QueryAnswer, Refetched, SnapshotChunk, Source, SourceDescription, SourceError, SourceStream,
};

use crate::common::number_of;
use crate::error::retry;
use failure::Result;
use inner::Inner;
use registry::Captured;
use rows::Reader;
use schema::SCHEMA;
use stream::SqliteStream;

/// Rows that are counted for people, at most. Beyond, the largest row number has to do.
const MOST_COUNTED: i64 = 1_000_000;

/// A file.
pub struct SqliteSource {
    inner: Arc<Inner>,
}

impl SqliteSource {
    /// Opens a file that exists. Nothing is written to it yet.
    ///
    /// # Errors
    /// There is no such file, or it is not a database.
    pub fn open(path: impl AsRef<Path>) -> std::result::Result<Self, SourceError> {
        let inner = Arc::new(Inner::new(path.as_ref()));
        inner.read("opening the source", |connection| schema::version(connection).map(|_| ()))?;
        Ok(Self { inner })
    }

    /// Takes all that captures have put into the file out of it again. The source can be used again, and then has lost all
    /// positions. `sqlite_sequence`, a table of SQLite that nobody can remove, stays.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn remove(&self) -> std::result::Result<(), SourceError> {
        self.inner.remove()
    }
}

/// The capture of a table that the caller knows as it is.
fn captured(connection: &Connection, table: &SourceTable) -> Result<Captured> {
    let all = registry::all(connection)?;
    let found = all.into_iter().find(|captured| {
        captured.dropped_at.is_none() && captured.definition.table.source_table(captured.generation) == *table
    });
    let gone = || retry(format!("table {} was dropped or has changed: read the tables again", table.name));
    Ok(found.ok_or_else(gone)?)
}

fn head(connection: &Connection) -> Result<Position> {
    Ok(Position::from_number(log::head(connection)?))
}

impl Source for SqliteSource {
    fn describe(&self) -> SourceDescription {
        let location = self.inner.path.display().to_string();
        SourceDescription { kind: "sqlite", default_schema: SCHEMA.to_owned(), location }
    }

    fn schema(&self) -> std::result::Result<Vec<SourceTable>, SourceError> {
        self.inner.read("reading the schema", |connection| {
            let captured = match log::meta(connection)? {
                Some(_) => registry::all(connection)?,
                None => Vec::new(),
            };
            let generation = |name: &str| {
                let mut live = captured.iter().filter(|captured| captured.dropped_at.is_none());
                live.find(|captured| captured.definition.table.name == name).map_or(1, |captured| captured.generation)
            };
            let tables = schema::tables(connection)?;
            Ok(tables.iter().map(|table| table.source_table(generation(&table.name))).collect())
        })
    }

    fn estimate(&self, table: &SourceTable) -> std::result::Result<Option<u64>, SourceError> {
        self.inner.read("counting rows", |connection| {
            let quoted = table.name.replace('"', "\"\"");
            let number = |sql: &str| connection.query_row(sql, (), |row| row.get::<_, Option<i64>>(0));
            let count = number(&format!("SELECT count(*) FROM (SELECT 1 FROM \"{quoted}\" LIMIT {MOST_COUNTED})"))?;
            if count < Some(MOST_COUNTED) {
                return Ok(count.and_then(|count| u64::try_from(count).ok()));
            }
            // A table without such numbers is large, and nobody knows how large.
            let largest = number(&format!("SELECT max(rowid) FROM \"{quoted}\"")).unwrap_or_default();
            Ok(largest.and_then(|largest| u64::try_from(largest).ok()))
        })
    }

    fn query(&self, sql: &str, limit: usize) -> std::result::Result<QueryAnswer, SourceError> {
        query::run(&self.inner.path, sql, limit)
    }

    fn test(&self, patterns: &[TablePattern]) -> Vec<Check> {
        check::run(&self.inner, patterns)
    }

    fn tables(&self, patterns: &[TablePattern]) -> std::result::Result<Vec<SourceTable>, SourceError> {
        self.inner.reconcile(patterns)?;
        let captured = self.inner.captured(patterns)?;
        Ok(captured.iter().map(|captured| captured.definition.table.source_table(captured.generation)).collect())
    }

    fn snapshot_chunk(
        &self,
        table: &SourceTable,
        after: Option<&[Value]>,
        limit: usize,
    ) -> std::result::Result<SnapshotChunk, SourceError> {
        self.inner.read_current("reading rows", |connection| {
            let info = captured(connection, table)?.definition.table;
            let (rows, next) = Reader::new(connection, &info)?.page(&info, after, limit)?;
            Ok(SnapshotChunk { rows, next, read_at: head(connection)? })
        })
    }

    fn stream(&self, from: Option<&Position>) -> std::result::Result<Box<dyn SourceStream>, SourceError> {
        let from = from.map(number_of).transpose()?;
        let opened = file::open(&self.inner.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
        let start = self.inner.start(from)?;
        Ok(Box::new(SqliteStream::new(Arc::clone(&self.inner), opened, start)))
    }

    fn refetch(&self, table: &SourceTable, keys: &[Vec<Value>]) -> std::result::Result<Refetched, SourceError> {
        self.inner.read_current("reading rows", |connection| {
            let info = captured(connection, table)?.definition.table;
            let mut reader = Reader::new(connection, &info)?;
            let rows = keys.iter().map(|key| reader.get_by_values(key)).collect::<Result<_>>()?;
            Ok(Refetched { rows, read_at: head(connection)? })
        })
    }

    fn head(&self) -> std::result::Result<Position, SourceError> {
        self.inner.read_current("reading the position", head)
    }

    fn mark(&self) -> std::result::Result<(), SourceError> {
        Ok(())
    }

    fn acknowledge(&self, position: &Position) -> std::result::Result<(), SourceError> {
        self.inner.forget(number_of(position)?)
    }
}
