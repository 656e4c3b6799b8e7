//! What a mutation that throws cannot keep: results of refused transactions and dead letters, in an SQLite file of the
//! service.

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use rusqlite::Connection;

use crate::dead_letter::{DeadLetter, Letters};
use crate::persister::{PersisterError, Work};
use crate::result::{Failure, TransactionResult};
use crate::sqlite::{letters, results};

/// The file.
pub(super) struct Ledger {
    connection: Mutex<Connection>,
    /// Tells its letters from those of another file.
    id: String,
}

/// What is known of a transaction.
pub(super) enum Known {
    Nothing,
    Same(TransactionResult),
    Other,
}

impl Ledger {
    pub(super) fn open(path: &Path) -> Result<Self, PersisterError> {
        let failed = |why: String| PersisterError(format!("Opening {} for refused writes: {why}", path.display()));
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).map_err(|error| failed(error.to_string()))?;
        }
        let opened = open(path).map_err(|error| failed(error.to_string()))?;
        let (connection, id) = opened;
        Ok(Self { connection: Mutex::new(connection), id })
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    fn lock(&self) -> MutexGuard<'_, Connection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks up the key of a transaction.
    pub(super) fn find(&self, work: &Work<'_>) -> rusqlite::Result<Known> {
        let Some(key) = &work.key else { return Ok(Known::Nothing) };
        Ok(match results::find(&self.lock(), key, &work.hash)? {
            None => Known::Nothing,
            Some(results::Found::Same(result)) => Known::Same(result),
            Some(results::Found::Other) => Known::Other,
        })
    }

    /// Keeps that a transaction was refused.
    pub(super) fn refuse(&self, work: &Work<'_>, failure: &Failure, is_under_key: bool) -> rusqlite::Result<()> {
        let mut connection = self.lock();
        let transaction = connection.transaction()?;
        if !failure.requires_client_handling || work.replayed.is_some() {
            letters::keep(&transaction, work, failure)?;
        }
        if let Some(key) = work.key.as_ref().filter(|_| is_under_key) {
            results::store(&transaction, key, work, &TransactionResult::FatalError(failure.clone()))?;
        }
        transaction.commit()
    }

    /// Marks a letter as applied.
    pub(super) fn replayed(&self, letter: i64) -> rusqlite::Result<()> {
        letters::replayed(&self.lock(), letter).map(|_| ())
    }

    pub(super) fn letters(&self, which: &Letters) -> Result<Vec<DeadLetter>, PersisterError> {
        letters::list(&self.lock(), which).map_err(|error| failed("Reading dead letters", &error))
    }

    pub(super) fn letter(&self, id: i64) -> Result<Option<DeadLetter>, PersisterError> {
        letters::get(&self.lock(), id).map_err(|error| failed("Reading a dead letter", &error))
    }

    pub(super) fn discard(&self, id: i64, note: Option<&str>) -> Result<bool, PersisterError> {
        letters::discard(&self.lock(), id, note).map_err(|error| failed("Discarding a dead letter", &error))
    }
}

fn open(path: &Path) -> rusqlite::Result<(Connection, String)> {
    let connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(5))?;
    // What a client was told to be refused must survive a power cut.
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    let own = "CREATE TABLE IF NOT EXISTS _rowtide_ledger(id TEXT NOT NULL);
        INSERT INTO _rowtide_ledger SELECT lower(hex(randomblob(8))) WHERE NOT EXISTS (SELECT 1 FROM _rowtide_ledger);";
    connection.execute_batch(&format!("BEGIN IMMEDIATE; {} {} {own} COMMIT", results::TABLE, letters::TABLE))?;
    let id = connection.query_row("SELECT id FROM _rowtide_ledger", [], |row| row.get(0))?;
    Ok((connection, id))
}

fn failed(what: &str, error: &rusqlite::Error) -> PersisterError {
    PersisterError(format!("{what}: {error}"))
}
