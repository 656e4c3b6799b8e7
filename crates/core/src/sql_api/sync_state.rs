//! Functions that say how syncing is going, from the database and the connection alone: `powersync_last_synced_at`,
//! `powersync_offline_sync_status` and `powersync_in_sync_operation` (docs/reference/functions.md).

use sqlite_nostd::{Context, Value};

use crate::bucket_storage::{self, SqliteStorage};
use crate::connection::Database;
use crate::error::Result;
use crate::migrations::explain;
use crate::sql_api::session::Session;
use crate::sync_client::offline_status;

pub(super) fn last_synced_at(session: &Session, context: &Context<'_>, _: &[&Value]) -> Result<()> {
    let database = Database::new(context.connection(), &session.connection);
    match bucket_storage::last_synced_at(&database).map_err(|error| explain(&database, error))? {
        Some(time) => context.result_text(&time),
        None => context.result_null(),
    }
    Ok(())
}

pub(super) fn offline_sync_status(session: &Session, context: &Context<'_>, _: &[&Value]) -> Result<()> {
    let database = Database::new(context.connection(), &session.connection);
    let status = offline_status(&mut SqliteStorage::new(database, &session.store, &session.schemas));
    context.result_json(&status.map_err(|error| explain(&database, error))?);
    Ok(())
}

/// Triggers of raw tables ask it.
pub(super) fn in_sync_operation(session: &Session, context: &Context<'_>, _: &[&Value]) -> Result<()> {
    context.result_integer(i64::from(session.connection.in_sync_operation()));
    Ok(())
}
