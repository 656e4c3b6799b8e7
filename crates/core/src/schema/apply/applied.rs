//! The schema that a connection has applied last, and recognising that it is applied already.

use alloc::rc::Rc;
use alloc::string::String;
use core::cell::{OnceCell, RefCell};

use rowtide_json::writer::write_raw;
use sqlite_nostd::ResultCode;

use crate::cell;
use crate::connection::Database;
use crate::connection::transaction::TrackedState;
use crate::error::{Error, Result};
use crate::schema::Schema;
use crate::schema::apply::fingerprint::Fingerprint;

/// What a connection remembers of the schema applied last.
#[derive(Default)]
pub(crate) struct AppliedSchema {
    current: RefCell<Option<Rc<Applied>>>,
    /// What was remembered before the transaction of the last change, to go back to after a rollback.
    before: RefCell<Option<Rc<Applied>>>,
}

struct Applied {
    json: String,
    /// Read from `json` when it is needed.
    schema: OnceCell<Rc<Schema>>,
    /// `PRAGMA schema_version` afterwards; None if it could not be followed.
    version: Option<i64>,
}

impl Applied {
    fn new(json: &str, version: Option<i64>) -> Result<Self> {
        let mut copy = String::new();
        write_raw(&mut copy, json)?;
        Ok(Self { json: copy, schema: OnceCell::new(), version })
    }

    fn schema(&self) -> Result<Rc<Schema>> {
        if let Some(schema) = self.schema.get() {
            return Ok(Rc::clone(schema));
        }
        let schema = Rc::new(Schema::parse(&self.json)?);
        Ok(Rc::clone(self.schema.get_or_init(|| schema)))
    }
}

impl AppliedSchema {
    /// Whether the database matches the schema `json`, because this connection has applied it and no connection has
    /// changed a table, view, index or trigger since.
    ///
    /// # Errors
    /// Errors of SQLite.
    pub(crate) fn is_applied(&self, database: &Database<'_>, json: &str) -> Result<bool> {
        match self.current(database) {
            Some(applied) if applied.json == json && applied.version.is_some() => {
                Ok(schema_version(database)? == applied.version)
            }
            _ => Ok(false),
        }
    }

    /// The same if another connection has applied it, with this build of the library. It is then known here too.
    ///
    /// # Errors
    /// Errors of SQLite.
    pub(crate) fn is_applied_by_others(&self, database: &Database<'_>, json: &str) -> Result<bool> {
        // Forgets what was rolled back.
        drop(self.current(database));
        let Some(version) = schema_version(database)? else { return Ok(false) };
        let is_stored = Fingerprint::of(database, json).is_stored(database, version)?;
        if is_stored {
            // A rollback need not undo this: it leads back to a database of which this holds just as well, unless it
            // undoes what this connection has stored, which is remembered as a change.
            cell::replace(&self.current, Some(Rc::new(Applied::new(json, Some(version))?)));
        }
        Ok(is_stored)
    }

    /// Remembers that the database was made to match `schema`, which was read from `json`.
    ///
    /// # Errors
    /// Errors of SQLite.
    pub(crate) fn remember(&self, database: &Database<'_>, json: &str, schema: Schema) -> Result<()> {
        // What a rollback undid must not be taken for what was there before this call.
        drop(self.current(database));
        let transaction = database.state().transaction();
        let version = match transaction.join(database) {
            Ok(()) => schema_version(database)?,
            // Without the write lock nothing was changed that a rollback could undo, but later changes in the same
            // transaction would go unnoticed.
            Err(error) if is_without_write_lock(&error) => None,
            Err(error) => return Err(error),
        };
        if let Some(version) = version {
            Fingerprint::of(database, json).store(database, version)?;
        }
        let applied = Applied::new(json, version)?;
        // It is new, so that there is none yet.
        let _ = applied.schema.set(Rc::new(schema));
        let replaced = cell::replace(&self.current, Some(Rc::new(applied)));
        if !transaction.has_changed(TrackedState::Schema) {
            cell::replace(&self.before, replaced);
        }
        transaction.track_change(TrackedState::Schema);
        Ok(())
    }

    /// The schema applied last, None if there was none yet.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn schema(&self, database: &Database<'_>) -> Result<Option<Rc<Schema>>> {
        self.current(database).map(|applied| applied.schema()).transpose()
    }

    /// What is remembered, after forgetting what was rolled back.
    fn current(&self, database: &Database<'_>) -> Option<Rc<Applied>> {
        if database.state().transaction().take_undone(TrackedState::Schema) {
            cell::replace(&self.current, cell::read(&self.before).clone());
        }
        cell::read(&self.current).clone()
    }
}

/// Whether the connection may only read, or only read now.
fn is_without_write_lock(error: &Error) -> bool {
    matches!(error.code().primary(), ResultCode::READONLY | ResultCode::BUSY | ResultCode::LOCKED)
}

/// Changes with every change of a table, view, index or trigger by any connection.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn schema_version(database: &Database<'_>) -> Result<Option<i64>> {
    database.integer("PRAGMA main.schema_version", &[])
}
