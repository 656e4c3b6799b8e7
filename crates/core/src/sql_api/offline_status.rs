//! `powersync_offline_sync_status()`: the sync status from the database alone.

use alloc::rc::Rc;
use alloc::string::String;

use sqlite_nostd::{Connection, FunctionFlags};

use crate::bucket_storage::SqliteStorage;
use crate::connection::Database;
use crate::error::Result;
use crate::migrations::explain;
use crate::sql_api::session::Session;
use crate::sync_client::offline_status;

fn status(session: &Session, connection: Connection<'_>) -> Result<String> {
    let database = Database::new(connection, &session.connection);
    let status = offline_status(&mut SqliteStorage::new(database, &session.store, &session.schemas));
    status.map_err(|error| explain(&database, error))
}

/// Registers the function.
pub fn register(connection: Connection<'_>, session: &Rc<Session>) -> sqlite_nostd::Result<()> {
    connection.create_scalar_function(
        "powersync_offline_sync_status",
        0,
        FunctionFlags::DIRECT_ONLY | FunctionFlags::RESULT_SUBTYPE,
        Rc::clone(session),
        |session, context, _| {
            let status = status(session, context.connection())
                .map_err(|error| error.in_function("powersync_offline_sync_status"))?;
            context.result_json(&status);
            Ok(())
        },
    )
}
