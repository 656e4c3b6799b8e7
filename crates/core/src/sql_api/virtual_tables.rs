//! The virtual tables that every connection has.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::vec::Vec;

use sqlite_nostd::{Cell, Connection, Definition, EponymousTable, FunctionError, ResultCode, Value};

use crate::connection::Database;
use crate::connection::transaction::TransactionMonitor;
use crate::migrations::explain;
use crate::sql_api::crud_tables::{Record, record_entry, record_parts};
use crate::sql_api::session::Session;

/// A virtual table that there is.
pub(super) struct Kind {
    pub(super) name: &'static str,
    definition: Definition,
    purpose: Purpose,
}

/// What a virtual table is for.
enum Purpose {
    /// What triggers insert into it is recorded in the upload queue.
    Queue(Record),
    /// SQLite disconnects it when the connection is to be closed (docs/reference/functions.md#powersync_internal_close).
    /// No cached statement may refer to it, or SQLite would keep it connected.
    Close,
    /// It shows the log (docs/reference/functions.md#powersync_log).
    Log,
}

/// All of them.
pub(super) static KINDS: &[Kind] = &[
    Kind {
        name: "powersync_crud",
        definition: Definition {
            declaration: "CREATE TABLE powersync_crud(op, id, type, data, old_values, metadata, options HIDDEN)",
            // Triggers insert into it, also those of an untrusted schema.
            innocuous: true,
            select_is_allowed: false,
        },
        purpose: Purpose::Queue(record_parts),
    },
    Kind {
        name: "powersync_crud_",
        definition: Definition {
            declaration: "CREATE TABLE powersync_crud_(data, options HIDDEN)",
            innocuous: true,
            select_is_allowed: false,
        },
        purpose: Purpose::Queue(record_entry),
    },
    Kind {
        name: "powersync_internal_close",
        definition: Definition {
            declaration: "CREATE TABLE powersync_internal_close(closes)",
            innocuous: true,
            // Tools that read every table get no rows.
            select_is_allowed: true,
        },
        purpose: Purpose::Close,
    },
    Kind {
        name: "powersync_log",
        definition: Definition {
            declaration: "CREATE TABLE powersync_log(id INTEGER, at INTEGER, severity TEXT, code INTEGER, text TEXT)",
            innocuous: false,
            select_is_allowed: true,
        },
        purpose: Purpose::Log,
    },
];

/// A table of a connection.
pub(super) struct VirtualTable {
    session: Rc<Session>,
    kind: &'static Kind,
}

impl VirtualTable {
    /// Whether the table takes part in transactions.
    fn is_queue(&self) -> bool {
        matches!(self.kind.purpose, Purpose::Queue(_))
    }

    /// Tells what follows transactions, if the table takes part in them.
    fn tell(&self, event: impl FnOnce(&TransactionMonitor)) {
        if self.is_queue() {
            event(self.session.connection.transaction());
        }
    }
}

impl EponymousTable for VirtualTable {
    type State = (Rc<Session>, &'static Kind);

    fn definition((_, kind): &Self::State) -> &'static Definition {
        &kind.definition
    }

    fn connect(_: Connection<'_>, state: &Rc<Self::State>) -> Result<Self, FunctionError> {
        Ok(Self { session: Rc::clone(&state.0), kind: state.1 })
    }

    fn rows(&self) -> Vec<Box<[Cell]>> {
        match self.kind.purpose {
            Purpose::Log => self.session.log.rows(),
            Purpose::Queue(_) | Purpose::Close => Vec::new(),
        }
    }

    fn insert(&self, connection: Connection<'_>, columns: &[&Value]) -> Result<(), FunctionError> {
        let (state, name) = (&self.session.connection, self.kind.name);
        let Purpose::Queue(record) = self.kind.purpose else {
            let message = alloc::format!("{name}: nothing can be inserted");
            return Err(FunctionError { code: ResultCode::MISUSE, message });
        };
        // What is published or cleared is not a local write.
        if state.in_sync_operation() {
            return Ok(());
        }
        let database = Database::new(connection, state);
        record(&self.session, &database, columns).map_err(|error| {
            let error = explain(&database, error).in_function(name);
            self.session.log.add_error(&database, &error);
            error
        })
    }

    fn begin(&self) -> Result<(), FunctionError> {
        self.tell(|monitor| monitor.begin());
        Ok(())
    }

    fn sync(&self, connection: Connection<'_>) -> Result<(), FunctionError> {
        if !self.is_queue() {
            return Ok(());
        }
        let database = Database::new(connection, &self.session.connection);
        self.session.local_writes.before_commit(&database).map_err(|error| error.in_function(self.kind.name))
    }

    fn commit(&self) {
        self.tell(|monitor| monitor.commit());
    }

    fn rollback(&self) {
        self.tell(|monitor| monitor.rollback());
    }

    fn savepoint(&self, savepoint: i32) {
        self.tell(|monitor| monitor.savepoint(savepoint));
    }

    fn release(&self, savepoint: i32) {
        self.tell(|monitor| monitor.release(savepoint));
    }

    fn rollback_to(&self, savepoint: i32) {
        self.tell(|monitor| monitor.rollback_to(savepoint));
    }
}

impl Drop for VirtualTable {
    fn drop(&mut self) {
        if matches!(self.kind.purpose, Purpose::Close) {
            self.session.close();
        }
    }
}
