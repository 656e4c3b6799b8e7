//! An SQLite file as the database: with it one program reads, writes and syncs.
//!
//! Results and dead letters are in tables of the same file, `_rowtide_write_result` and `_rowtide_dead_letter`, so that
//! they are committed with the data. The file's journal mode stays as the app has it; each commit is durable.

mod apply;
mod classify;
pub(crate) mod letters;
mod operation;
pub(crate) mod results;
mod schema;
mod statement;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use crate::dead_letter::{DeadLetter, Letters};
use crate::persister::{Persister, PersisterError, Stored, Work};
use crate::rules::Rules;
use crate::schema::Schema;

/// What names of our tables begin with.
const PREFIX: &str = "_rowtide_";

/// How many statements stay prepared: one per table, operation and set of columns.
const STATEMENTS: usize = 256;

/// Options of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// How long a transaction waits for other writers.
    pub busy_timeout: Duration,
    /// The most pages that the file may have; none: as many as the disk has room for.
    pub max_pages: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self { busy_timeout: Duration::from_secs(5), max_pages: None }
    }
}

/// Applies transactions to an SQLite file.
#[derive(Debug)]
pub struct SqlitePersister {
    connection: Mutex<Connection>,
}

impl SqlitePersister {
    /// Opens a file, which must exist, and creates our tables in it.
    ///
    /// # Errors
    /// The file cannot be opened or written now.
    pub fn open(path: &Path, options: &Options) -> Result<Self, PersisterError> {
        let opened = open(path, options);
        let connection = opened.map_err(|error| failed(&format!("Opening {} for writes", path.display()), &error))?;
        Ok(Self { connection: Mutex::new(connection) })
    }

    fn connection(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn open(path: &Path, options: &Options) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.busy_timeout(options.busy_timeout)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "foreign_keys", true)?;
    // What a client was told to be applied must survive a power cut.
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.execute_batch(&format!("BEGIN IMMEDIATE; {} {} COMMIT", results::TABLE, letters::TABLE))?;
    if let Some(pages) = options.max_pages {
        connection.pragma_update(None, "max_page_count", pages)?;
    }
    Ok(connection)
}

fn failed(what: &str, error: &rusqlite::Error) -> PersisterError {
    PersisterError(format!("{what}: {}", classify::message(error)))
}

impl Persister for SqlitePersister {
    fn schema(&self) -> Result<Schema, PersisterError> {
        schema::read(&self.connection()).map_err(|error| failed("Reading the tables of the database", &error))
    }

    fn schema_version(&self) -> Result<i64, PersisterError> {
        schema::version(&self.connection()).map_err(|error| failed("Reading the version of the tables", &error))
    }

    fn refused(&self, rules: &Rules) -> Result<Vec<(String, String)>, PersisterError> {
        let connection = self.connection();
        let mut refused = Vec::new();
        for rule in rules.tables() {
            let replaces = schema::replaces(&connection, &rule.table);
            if replaces.map_err(|error| failed("Reading the tables of the database", &error))? {
                let message = "a constraint has ON CONFLICT REPLACE, so that a write could delete rows of other users";
                refused.push((rule.name.clone(), message.to_owned()));
            } else if let Err(error) = operation::prepare_all(&connection, rule) {
                refused.push((rule.name.clone(), classify::message(&error)));
            }
        }
        Ok(refused)
    }

    fn apply(&self, work: &Work<'_>) -> Stored {
        apply::apply(&self.connection(), work)
    }

    fn letters(&self, which: &Letters) -> Result<Vec<DeadLetter>, PersisterError> {
        letters::list(&self.connection(), which).map_err(|error| failed("Reading dead letters", &error))
    }

    fn letter(&self, id: i64) -> Result<Option<DeadLetter>, PersisterError> {
        letters::get(&self.connection(), id).map_err(|error| failed("Reading a dead letter", &error))
    }

    fn discard(&self, id: i64, note: Option<&str>) -> Result<bool, PersisterError> {
        letters::discard(&self.connection(), id, note).map_err(|error| failed("Discarding a dead letter", &error))
    }
}
