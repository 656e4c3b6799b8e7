//! What a source of rows does, and the events that it gives.
//!
//! All calls block; the service makes them on threads of their own. A source that talks to a server asynchronously hides
//! that.

use std::time::Duration;

use sync_config::{TablePattern, Value};

use crate::row::{Position, SourceTable, SourceValue};

/// A database whose rows are synced.
pub trait Source: Send + Sync {
    /// What kind of source this is, and what it can do.
    fn describe(&self) -> SourceDescription;

    /// All tables that could be synced, for validation and for people.
    ///
    /// # Errors
    /// The source cannot be read.
    fn schema(&self) -> Result<Vec<SourceTable>, SourceError>;

    /// About how many rows a table has, for people; none if that would take long to find out.
    ///
    /// # Errors
    /// The source cannot be read.
    fn estimate(&self, table: &SourceTable) -> Result<Option<u64>, SourceError> {
        let _ = table;
        Ok(None)
    }

    /// Runs a query that only reads, for people; at most so many rows.
    ///
    /// # Errors
    /// The source takes no SQL ([`ErrorClass::Configuration`]), or the query is wrong.
    fn query(&self, sql: &str, limit: usize) -> Result<QueryAnswer, SourceError> {
        let _ = (sql, limit);
        let message = format!("A source of kind {} takes no SQL here.", self.describe().kind);
        Err(SourceError { class: ErrorClass::Configuration, message })
    }

    /// What is wrong with the source's own setup, as a list to be shown.
    fn test(&self, patterns: &[TablePattern]) -> Vec<Check>;

    /// The tables that a plan reads, as they are now. From this call on their changes must reach [`Source::stream`], so a
    /// snapshot is read after it.
    ///
    /// # Errors
    /// The source cannot be read or prepared.
    fn tables(&self, patterns: &[TablePattern]) -> Result<Vec<SourceTable>, SourceError>;

    /// The next rows of a table, in the order of their keys.
    ///
    /// # Errors
    /// The source cannot be read, or the table is gone.
    fn snapshot_chunk(
        &self,
        table: &SourceTable,
        after: Option<&[Value]>,
        limit: usize,
    ) -> Result<SnapshotChunk, SourceError>;

    /// Changes after a position; from now on without one.
    ///
    /// # Errors
    /// The source cannot be read, or has forgotten what came after the position ([`ErrorClass::PositionLost`]).
    fn stream(&self, from: Option<&Position>) -> Result<Box<dyn SourceStream>, SourceError>;

    /// Rows by their keys, as they are now.
    ///
    /// # Errors
    /// The source cannot be read.
    fn refetch(&self, table: &SourceTable, keys: &[Vec<Value>]) -> Result<Refetched, SourceError>;

    /// A position that [`Source::stream`] will reach, and at which all that was committed before this call is seen.
    ///
    /// # Errors
    /// The source cannot be read.
    fn head(&self) -> Result<Position, SourceError>;

    /// Makes the position advance beyond the head, in sources whose position rests while nothing is written.
    ///
    /// # Errors
    /// The source cannot be written.
    fn mark(&self) -> Result<(), SourceError>;

    /// The source may forget changes up to here.
    ///
    /// # Errors
    /// The source cannot be written. It may be called again with a later position.
    fn acknowledge(&self, position: &Position) -> Result<(), SourceError>;
}

/// Changes as they come.
pub trait SourceStream: Send {
    /// The next events, in order; empty if none came within `wait`. Between [`SourceEvent::Begin`] and
    /// [`SourceEvent::Commit`] is one transaction; it may reach over several calls.
    ///
    /// # Errors
    /// The stream has ended. The next one begins at the last position committed.
    fn next(&mut self, wait: Duration) -> Result<Vec<SourceEvent>, SourceError>;
}

/// What happens in a source.
#[derive(Clone, Debug)]
pub enum SourceEvent {
    /// A table that later events name by `number`, or that has changed. Valid until the stream ends.
    Relation {
        /// Its number in this stream.
        number: u32,
        /// What it is now.
        table: SourceTable,
    },
    /// A transaction begins.
    Begin,
    /// A row was written.
    Row(RowChange),
    /// All rows of these tables are gone.
    Truncate(Vec<u32>),
    /// The table does not exist any more.
    Dropped(u32),
    /// The transaction is complete.
    Commit {
        /// After it.
        position: Position,
        /// When it was committed, in µs since 1970, if known.
        time: Option<i64>,
    },
    /// Nothing happened up to this position.
    Idle {
        /// Reached now.
        position: Position,
    },
}

/// One row that was written.
#[derive(Clone, Debug)]
pub struct RowChange {
    /// Number of the table in this stream.
    pub table: u32,
    /// The key before, if it was another one, or if the row was deleted.
    pub old_key: Option<Vec<Value>>,
    /// The row as it is now: a value for each column. None if it was deleted.
    pub row: Option<Vec<SourceValue>>,
}

/// Some rows of a table, read at one moment.
#[derive(Clone, Debug)]
pub struct SnapshotChunk {
    /// A value for each column.
    pub rows: Vec<Vec<SourceValue>>,
    /// Where the next chunk begins: the key of the last row. None at the end of the table.
    pub next: Option<Vec<Value>>,
    /// The rows are not newer than this.
    pub read_at: Position,
}

/// Rows that were read by key.
#[derive(Clone, Debug)]
pub struct Refetched {
    /// One for each key, in their order; none if there is no such row.
    pub rows: Vec<Option<Vec<SourceValue>>>,
    /// The rows are not newer than this.
    pub read_at: Position,
}

/// What a query gives.
#[derive(Clone, Debug, Default)]
pub struct QueryAnswer {
    /// Names of columns.
    pub columns: Vec<String>,
    /// A value for each column.
    pub rows: Vec<Vec<Value>>,
    /// Whether there are more rows.
    pub has_more: bool,
}

/// A source and its abilities.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceDescription {
    /// `memory`, `json`, `sqlite`, `postgres`, `convex`.
    pub kind: &'static str,
    /// The schema of tables that a configuration names without one.
    pub default_schema: String,
    /// Where it is, without secrets.
    pub location: String,
}

/// A line of a source's setup test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Check {
    /// What was checked.
    pub name: &'static str,
    /// Whether it is as it must be.
    pub ok: bool,
    /// What was found.
    pub message: String,
    /// What to do, for instance SQL to run; empty if it is fine.
    pub fix: String,
}

/// Why a call to a source failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SourceError {
    /// What to do about it.
    pub class: ErrorClass,
    /// What was being done and why it failed, without row data and secrets.
    pub message: String,
}

/// What the service does about an error of a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ErrorClass {
    /// Try again, with growing pauses.
    Retry,
    /// Try again after this time.
    RetryAfter(Duration),
    /// The source has forgotten the position: compare all rows (a diff rebuild).
    PositionLost,
    /// A person has to change the setup.
    Configuration,
}

impl std::fmt::Display for SourceError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for SourceError {}
