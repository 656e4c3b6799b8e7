//! The schemas that a connection was given, and which raw tables they name.
//!
//! An application gives its schema to `powersync_replace_schema` and to `start`, and may leave raw tables out of either.
//! So both count, and where both name a table, the one given later decides.

use alloc::rc::Rc;
use core::cell::RefCell;

use crate::error::Result;

use crate::connection::Database;
use crate::schema::Schema;
use crate::schema::apply::applied::AppliedSchema;

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
        self.started.replace(started);
    }

    /// The schemas, the newer one first.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn newest_first(&self, database: &Database<'_>) -> Result<[Option<Rc<Schema>>; 2]> {
        let applied = self.applied.schema(database)?;
        let Started { schema: started, applied: before } = &*self.started.borrow();
        let started = started.clone();
        Ok(if is_same_schema(&applied, before) { [started, applied] } else { [applied, started] })
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
