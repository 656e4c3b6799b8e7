//! What everything registered on one connection shares.

use alloc::rc::Rc;
use core::cell::RefCell;

use crate::connection::ConnectionState;
use crate::engine::Engine;
use crate::store::IterationMark;

/// The state of the extension on one connection; dropped when the connection has closed.
#[derive(Default)]
pub struct Session {
    /// Cached statements and flags.
    pub connection: Rc<ConnectionState>,
    /// The sync client. Borrowed during each event, so that a nested call finds it busy.
    pub engine: RefCell<Engine>,
    /// Where the running iteration stands in the database.
    pub iteration: IterationMark,
}

impl Session {
    /// Ends what depends on the connection, which is about to close: cached statements and the sync client.
    pub fn close(&self) {
        self.connection.release_statements();
        // A nested call cannot close the connection, so that nothing is borrowed here.
        if let Ok(mut engine) = self.engine.try_borrow_mut() {
            *engine = Engine::default();
        }
    }
}
