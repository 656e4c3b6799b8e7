//! A folder of JSON files as a source: for first steps without any database, and for data that people edit.
//!
//! `lists.json` is a table `lists`: an array of objects with a key `id`, or `_id`. `any.ndjson` holds transactions, one on
//! each line: `{"put": {"lists": [{"id": "1", "name": "a"}]}, "delete": {"lists": ["2"]}, "truncate": ["items"],
//! "drop": ["old"]}`; lines that are appended are transactions of the source. Any other change of a file is one
//! transaction, of what is different. The tables of a file that was removed are dropped a second later. A malformed file
//! keeps its last good content, and [`Source::test`] shows where it is wrong.
//!
//! Integers of 64 bits are INTEGER and other numbers REAL; booleans are 1 and 0; arrays and objects are JSON text.
//!
//! The history is in memory: after a restart, positions are lost and all rows are compared.

mod file;
mod folder;
pub(crate) mod object;
pub(crate) mod problem;
mod table;
pub(crate) mod transactions;

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use sync_config::{TablePattern, Value};
use sync_engine::row::{Position, SourceTable};
use sync_engine::source::{Check, Refetched, SnapshotChunk, Source, SourceDescription, SourceError, SourceStream};

use crate::common::{is_matched, now, number_of};
use crate::memory::Shared;
use crate::memory::database::Database;
use crate::memory::stream::MemoryStream;
use folder::Folder;

/// A folder of JSON files.
pub struct JsonSource {
    watched: Arc<Watched>,
    location: String,
}

struct Watched {
    folder: Mutex<Folder>,
    shared: Arc<Shared>,
}

/// How often a stream that waits looks at the files.
const STEP: Duration = Duration::from_millis(100);

/// The schema of all tables.
const SCHEMA: &str = "main";

impl JsonSource {
    /// Reads a folder.
    ///
    /// # Errors
    /// It is not a folder, or cannot be read. Malformed files are no error: see [`Source::test`].
    pub fn open(path: impl AsRef<Path>) -> Result<Self, SourceError> {
        let path = path.as_ref();
        let folder = Mutex::new(Folder::open(path)?);
        // The tables are there from the beginning; nobody can continue from before that.
        let watched = Arc::new(Watched { folder, shared: Shared::new(Database::new(SCHEMA, now())) });
        watched.look()?;
        let mut state = watched.shared.lock();
        let head = state.database.head;
        state.database.forget(head);
        drop(state);
        Ok(Self { watched, location: path.display().to_string() })
    }
}

impl Watched {
    fn look(&self) -> Result<(), SourceError> {
        let mut folder = self.folder.lock().unwrap_or_else(PoisonError::into_inner);
        let mut state = self.shared.lock();
        let before = state.database.head;
        let result = folder.look(&mut state.database, Instant::now());
        let is_new = state.database.head != before;
        drop(state);
        if is_new {
            self.shared.notify();
        }
        result
    }
}

impl Source for JsonSource {
    fn describe(&self) -> SourceDescription {
        SourceDescription { kind: "json", default_schema: SCHEMA.to_owned(), location: self.location.clone() }
    }

    fn schema(&self) -> Result<Vec<SourceTable>, SourceError> {
        self.watched.look()?;
        Ok(self.watched.shared.lock().all())
    }

    fn estimate(&self, table: &SourceTable) -> Result<Option<u64>, SourceError> {
        self.watched.look()?;
        Ok(self.watched.shared.lock().count(table))
    }

    fn test(&self, patterns: &[TablePattern]) -> Vec<Check> {
        let mut checks = Vec::new();
        if let Err(error) = self.watched.look() {
            let fix = "Create the folder, or make it readable.".to_owned();
            return vec![Check { name: "folder", ok: false, message: error.message, fix }];
        }
        let folder = self.watched.folder.lock().unwrap_or_else(PoisonError::into_inner);
        let state = self.watched.shared.lock();
        for (name, file) in &folder.files {
            let rows = file.tables.iter().filter_map(|table| state.database.tables.get(table));
            let rows: usize = rows.map(|table| table.rows.len()).sum();
            let (message, fix) = match &file.problem {
                None => (format!("{name}: {rows} rows"), String::new()),
                Some(problem) => {
                    let message = format!("{name}: {problem}. Its last good content is synced: {rows} rows");
                    (message, format!("Correct line {} of {name}.", problem.line))
                }
            };
            checks.push(Check { name: "file", ok: file.problem.is_none(), message, fix });
        }
        for pattern in patterns.iter().filter(|pattern| !pattern.is_wildcard()) {
            let is_found =
                state.database.tables.keys().any(|name| is_matched(std::slice::from_ref(pattern), SCHEMA, name));
            if !is_found {
                let table = &pattern.table;
                let message = format!("there is no table {table}");
                checks.push(Check { name: "tables", ok: false, message, fix: format!("Add a file {table}.json.") });
            }
        }
        checks
    }

    fn tables(&self, patterns: &[TablePattern]) -> Result<Vec<SourceTable>, SourceError> {
        self.watched.look()?;
        Ok(self.watched.shared.lock().matching(patterns))
    }

    fn snapshot_chunk(
        &self,
        table: &SourceTable,
        after: Option<&[Value]>,
        limit: usize,
    ) -> Result<SnapshotChunk, SourceError> {
        self.watched.shared.lock().chunk(table, after, limit)
    }

    fn stream(&self, from: Option<&Position>) -> Result<Box<dyn SourceStream>, SourceError> {
        self.watched.look()?;
        let start = self.watched.shared.lock().start(from)?;
        let watched = Arc::clone(&self.watched);
        let look = (Box::new(move || watched.look()) as Box<dyn Fn() -> Result<(), SourceError> + Send>, STEP);
        Ok(Box::new(MemoryStream::new(Arc::clone(&self.watched.shared), start, Some(look))))
    }

    fn refetch(&self, table: &SourceTable, keys: &[Vec<Value>]) -> Result<Refetched, SourceError> {
        self.watched.shared.lock().refetch(table, keys)
    }

    fn head(&self) -> Result<Position, SourceError> {
        self.watched.look()?;
        Ok(Position::from_number(self.watched.shared.lock().database.head))
    }

    fn mark(&self) -> Result<(), SourceError> {
        Ok(())
    }

    fn acknowledge(&self, position: &Position) -> Result<(), SourceError> {
        let position = number_of(position)?;
        self.watched.shared.lock().database.forget(position);
        Ok(())
    }
}
