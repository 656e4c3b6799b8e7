//! `powersync_internal_close`: SQLite disconnects this table when the connection is to be closed
//! (docs/reference/functions.md#powersync_internal_close). No cached statement may refer to it, or SQLite would keep it
//! connected.

use alloc::rc::Rc;

use sqlite_nostd::{Connection, EponymousTable, FunctionError, ResultCode, Value};

use crate::sql_api::session::Session;

/// The table, which has nothing in it.
pub(super) struct CloseTable(Rc<Session>);

impl EponymousTable for CloseTable {
    type State = Session;
    const DECLARATION: &'static str = "CREATE TABLE powersync_internal_close(closes)";
    const INNOCUOUS: bool = true;
    // Tools that read every table get no rows.
    const SELECT_IS_ALLOWED: bool = true;

    fn connect(_connection: Connection<'_>, session: &Rc<Session>) -> Result<Self, FunctionError> {
        Ok(Self(Rc::clone(session)))
    }

    fn insert(&self, _connection: Connection<'_>, _arguments: &[&Value]) -> Result<(), FunctionError> {
        Err(FunctionError {
            code: ResultCode::MISUSE,
            message: "powersync_internal_close: nothing can be inserted".into(),
        })
    }
}

impl Drop for CloseTable {
    fn drop(&mut self) {
        self.0.close();
    }
}
