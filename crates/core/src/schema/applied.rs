//! The schema that a connection has applied last, and recognising that it is applied already.

use alloc::rc::Rc;
use alloc::string::String;
use core::cell::RefCell;

use sqlite_nostd::ResultCode;

use super::Schema;
use crate::connection::Database;
use crate::connection::transaction::Remembered;
use crate::error::{Error, Result};

/// What a connection remembers of the schema applied last.
#[derive(Default)]
pub struct AppliedSchema {
    current: RefCell<Option<Rc<Applied>>>,
    /// What was remembered before the transaction of the last change, to go back to after a rollback.
    before: RefCell<Option<Rc<Applied>>>,
}

struct Applied {
    json: String,
    schema: Rc<Schema>,
    /// `PRAGMA schema_version` afterwards; None if it could not be followed.
    version: Option<i64>,
}

impl AppliedSchema {
    /// Whether the database matches the schema `json`, because this connection has applied it and no connection has
    /// changed a table, view, index or trigger since.
    ///
    /// # Errors
    /// Errors of SQLite.
    pub fn is_applied(&self, database: &Database<'_>, json: &str) -> Result<bool> {
        match self.current(database) {
            Some(applied) if applied.json == json && applied.version.is_some() => {
                Ok(schema_version(database)? == applied.version)
            }
            _ => Ok(false),
        }
    }

    /// Remembers that the database was made to match `schema`, which was read from `json`.
    ///
    /// # Errors
    /// Errors of SQLite.
    pub fn remember(&self, database: &Database<'_>, json: &str, schema: Schema) -> Result<()> {
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
        let applied = Rc::new(Applied { json: json.into(), schema: Rc::new(schema), version });
        let replaced = self.current.replace(Some(applied));
        if !transaction.has_changed(Remembered::Schema) {
            self.before.replace(replaced);
        }
        transaction.note_change(Remembered::Schema);
        Ok(())
    }

    /// The schema applied last, None if there was none yet.
    pub fn schema(&self, database: &Database<'_>) -> Option<Rc<Schema>> {
        self.current(database).map(|applied| Rc::clone(&applied.schema))
    }

    /// What is remembered, after forgetting what was rolled back.
    fn current(&self, database: &Database<'_>) -> Option<Rc<Applied>> {
        if database.state().transaction().take_lost_changes(Remembered::Schema) {
            self.current.replace(self.before.borrow().clone());
        }
        self.current.borrow().clone()
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
pub fn schema_version(database: &Database<'_>) -> Result<Option<i64>> {
    database.integer("PRAGMA main.schema_version", &[])
}
