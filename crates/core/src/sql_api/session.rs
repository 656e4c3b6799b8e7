//! What everything registered on one connection shares.

use alloc::rc::Rc;
use alloc::vec::Vec;
use core::cell::{Cell, RefCell};

use rowtide_protocol::Scratch;

use crate::bucket_storage::StoreMemory;
use crate::connection::ConnectionState;
use crate::crud::LocalWrites;
use crate::error::{Error, Result};
use crate::schema::KnownSchemas;
use crate::sql_api::log::Log;
use crate::sql_api::update_hooks::UpdateHooks;
use crate::sync_client::Engine;

/// The state of the extension on one connection; dropped when the connection has closed.
#[derive(Default)]
pub(super) struct Session {
    /// Cached statements and flags.
    pub connection: Rc<ConnectionState>,
    /// The sync client. Borrowed during each event, so that a nested call finds it busy.
    pub engine: RefCell<Engine>,
    /// Memory in which lines are decoded, kept between them while an iteration runs. Taken out while it is used.
    pub scratch: Cell<Scratch>,
    /// What the store remembers of the running iteration.
    pub store: StoreMemory,
    /// The schemas given.
    pub schemas: KnownSchemas,
    /// What local writes of the current transaction share.
    pub local_writes: LocalWrites,
    /// Memory in which triggers' functions build the JSON of a row.
    pub row_json: Cell<Vec<u8>>,
    /// The hooks that report which tables change, if the SDK asked for them.
    pub update_hooks: UpdateHooks,
    /// The last log lines and errors.
    pub log: Log,
}

impl Session {
    /// Whether an iteration is running. A nested call, which finds the client busy, counts as during one.
    pub(super) fn has_iteration(&self) -> bool {
        self.engine.try_borrow().map_or(true, |engine| engine.has_iteration())
    }

    /// Fails in calls that come from triggers, functions of the app or raw-table SQL while rows are being published.
    pub(super) fn refuse_while_publishing(&self) -> Result<()> {
        if self.connection.in_sync_operation() || self.engine.try_borrow_mut().is_err() {
            return Err(Error::state("not to be called while downloaded rows are being published"));
        }
        Ok(())
    }

    /// Releases what prevents the connection from closing.
    ///
    /// It may live on: `sqlite3_close` gives SQLITE_BUSY if the application has a statement open. So everything else
    /// stays, and is dropped with the session when the connection has closed.
    pub(super) fn close(&self) {
        self.connection.release_statements();
        self.update_hooks.close();
    }
}
