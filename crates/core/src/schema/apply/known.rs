//! The schemas that a connection was given, and which raw tables they name.
//!
//! An application gives its schema to `powersync_replace_schema` and to `start`, and may leave raw tables out of either.
//! So both count, and where both name a table, the one given later decides.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::RefCell;

use crate::cell;
use crate::error::Result;

use crate::connection::Database;
use crate::schema::apply::applied::AppliedSchema;
use crate::schema::{RawTable, Schema};

/// The schemas given to a connection.
#[derive(Default)]
pub(crate) struct KnownSchemas {
    /// That of `powersync_replace_schema`.
    pub applied: AppliedSchema,
    started: RefCell<Started>,
}

/// The schemas at the time of a `start`.
#[derive(Default)]
pub(crate) struct Started {
    /// That in its options.
    schema: Option<Rc<Schema>>,
    /// What was applied then. If that has changed, it is the newer one.
    applied: Option<Rc<Schema>>,
}

impl KnownSchemas {
    /// What is to be remembered of a `start` with the schema, if any, in its options.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn prepare_start(&self, database: &Database<'_>, schema: Option<Schema>) -> Result<Started> {
        Ok(Started { applied: self.applied.schema(database)?, schema: schema.map(Rc::new) })
    }

    /// Remembers a `start`, which has succeeded.
    pub(crate) fn start(&self, started: Started) {
        cell::replace(&self.started, started);
    }

    /// The schemas, the newer one first.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn newest_first(&self, database: &Database<'_>) -> Result<[Option<Rc<Schema>>; 2]> {
        let applied = self.applied.schema(database)?;
        let Started { schema: started, applied: before } = &*cell::read(&self.started);
        let started = started.clone();
        Ok(if is_same_schema(&applied, before) { [started, applied] } else { [applied, started] })
    }
}

impl KnownSchemas {
    /// The raw tables of the schemas, those of the newer one first.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn raw_tables(&self, database: &Database<'_>) -> Result<Vec<Rc<RawTable>>> {
        let mut tables = Vec::new();
        for schema in self.newest_first(database)?.iter().flatten() {
            tables.extend_from_slice(&schema.raw_tables);
        }
        Ok(tables)
    }

    /// Whether a schema was given.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn has_any(&self, database: &Database<'_>) -> Result<bool> {
        Ok(self.newest_first(database)?.iter().any(Option::is_some))
    }
}

/// Whether two schemas are the very same.
pub(crate) fn is_same_schema(left: &Option<Rc<Schema>>, right: &Option<Rc<Schema>>) -> bool {
    match (left, right) {
        (Some(left), Some(right)) => Rc::ptr_eq(left, right),
        (None, None) => true,
        _ => false,
    }
}
