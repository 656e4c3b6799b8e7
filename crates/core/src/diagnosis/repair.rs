//! Doing what a problem's remedy says, as far as the library can (docs/reference/functions.md#powersync_repair).

use alloc::format;
use alloc::string::String;

use sqlite_nostd::{Parameter, ResultCode};

use super::problems::{List, Problem};
use crate::bucket_storage::{
    StoreMemory, delete_orphans, drop_bucket, end_for_repair, forget_request_id, republish, resync_for_schema,
};
use crate::connection::Database;
use crate::error::{Error, ErrorKind, Result};
use crate::migrations::note_way_down;
use crate::schema::{KnownSchemas, Schema, StoredRows, apply};

/// All codes that `powersync_repair` takes.
const CODES: &str = "all checksum-mismatch format-newer format-older gate-not-acknowledged \
    gate-unknown-request-id last-attempt-failed never-connected operations-invalid orphaned-entries queue-entry-invalid \
    raw-table-unknown repeated-checksum-failures row-differs schema-differs stored-data-invalid subscription-error \
    unpublishable-operation untyped-rows uploads-waiting";

/// How a problem is repaired.
#[derive(Clone, Copy)]
pub(super) enum Fix<'p> {
    /// Not by the library.
    Nothing,
    /// The request id that is its subject is forgotten.
    RequestId,
    /// The bucket that is its subject is downloaded again.
    Bucket,
    /// The row of this type and id is published again.
    Row(&'p str, &'p str),
    /// The rows of an internal table that meet a condition, with its parameter, are deleted.
    Entries { table: &'p str, condition: &'p str, parameter: Parameter<'p> },
    /// The database gets what the schema needs.
    Schema(&'p Schema),
}

/// What became of a problem.
pub(super) enum Attempt {
    /// It is repaired.
    Done,
    /// The call does not mean it.
    NotMeant,
    /// The library does not repair it.
    NotPossible,
    /// It cannot be repaired, and why.
    Failed(String),
}

/// A repair in progress.
pub(super) struct Repair<'r> {
    database: &'r Database<'r>,
    memory: &'r StoreMemory,
    schemas: &'r KnownSchemas,
    code: &'r str,
    subject: Option<&'r str>,
    /// What was repaired.
    pub(super) repaired: List,
    has_schema: bool,
}

impl<'r> Repair<'r> {
    /// A repair of the problems with a code, or of all with `all`, and with a subject if that is given.
    ///
    /// # Errors
    /// An argument error for an unknown code.
    pub(super) fn new(
        database: &'r Database<'r>,
        memory: &'r StoreMemory,
        schemas: &'r KnownSchemas,
        code: &'r str,
        subject: Option<&'r str>,
    ) -> Result<Self> {
        if !CODES.split(' ').any(|known| known == code) {
            return Err(Error::argument(format!("{code} is no code of a problem, and not 'all'")));
        }
        Ok(Self { database, memory, schemas, code, subject, repaired: List::new(None), has_schema: false })
    }

    /// Repairs a problem, if it is meant and that is possible.
    pub(super) fn attempt(&mut self, problem: &Problem<'_>) -> Result<Attempt> {
        let is_subject = self.subject.is_none_or(|subject| problem.subject == Some(subject));
        if !is_subject || self.code != "all" && self.code != problem.code {
            return Ok(Attempt::NotMeant);
        }
        let database = self.database;
        let fixed = database.in_savepoint(|| self.fix(problem));
        match fixed {
            Ok(true) => Ok(Attempt::Done),
            Ok(false) => Ok(Attempt::NotPossible),
            Err(error) if is_about_data(&error) && !database.connection().is_autocommit() => {
                Ok(Attempt::Failed(format!("{error}")))
            }
            Err(error) => Err(error),
        }
    }

    fn fix(&mut self, problem: &Problem<'_>) -> Result<bool> {
        let (database, subject) = (self.database, problem.subject.unwrap_or_default());
        match problem.fix {
            Fix::Nothing => return Ok(false),
            Fix::RequestId => forget_request_id(database, subject)?,
            Fix::Bucket => drop_bucket(database, subject)?,
            Fix::Row(row_type, row_id) => republish(database, self.memory, self.schemas, row_type, row_id)?,
            Fix::Entries { table, condition, parameter } => delete_orphans(database, table, condition, parameter)?,
            Fix::Schema(schema) => self.apply(schema)?,
        }
        Ok(true)
    }

    /// What was repaired, as JSON. If there is anything, iterations on the file end.
    pub(super) fn finish(self) -> Result<String> {
        let repaired = self.repaired.finish()?;
        if repaired != "[]" {
            end_for_repair(self.database)?;
        }
        Ok(repaired)
    }

    /// Applies the schema, with which all that differs is repaired.
    fn apply(&mut self, schema: &Schema) -> Result<()> {
        if core::mem::replace(&mut self.has_schema, true) {
            return Ok(());
        }
        match apply(self.database, schema)? {
            StoredRows::Untouched => {}
            StoredRows::Complete => note_way_down(self.database)?,
            StoredRows::Incomplete => {
                resync_for_schema(self.database)?;
                note_way_down(self.database)?;
            }
        }
        Ok(())
    }
}

/// Whether an error of a repair says something about what is repaired, so that others can go on.
fn is_about_data(error: &Error) -> bool {
    match error.kind() {
        ErrorKind::Argument | ErrorKind::LocalData => true,
        ErrorKind::Sqlite(code) => [ResultCode::ERROR, ResultCode::CONSTRAINT].contains(&code.primary()),
        _ => false,
    }
}
