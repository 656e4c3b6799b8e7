//! `powersync_clear(flags)`, `powersync_trigger_resync(clear)` and `powersync_last_synced_at()`.

use alloc::rc::Rc;

use sqlite_nostd::{Connection, FunctionFlags, Value};

use crate::bucket_storage::{self, Clear};
use crate::connection::Database;
use crate::error::{Error, Result};
use crate::migrations::{explain, require_latest};
use crate::sql_api::session::Session;

const INCLUDES_LOCAL: i64 = 1;
const IS_SOFT: i64 = 2;

fn clear(session: &Session, database: &Database<'_>, flags: i64) -> Result<()> {
    database.require_transaction()?;
    session.refuse_while_publishing()?;
    require_latest(database)?;
    let is_soft = flags & IS_SOFT != 0;
    if is_soft {
        refuse_during_iteration(session)?;
    }
    let schema = session.schemas.applied.schema(database)?;
    bucket_storage::clear(database, schema.as_deref(), Clear { includes_local: flags & INCLUDES_LOCAL != 0, is_soft })
}

fn trigger_resync(session: &Session, database: &Database<'_>, forget_times: bool) -> Result<()> {
    database.require_transaction()?;
    session.refuse_while_publishing()?;
    refuse_during_iteration(session)?;
    require_latest(database)?;
    bucket_storage::trigger_resync(database, forget_times)
}

fn refuse_during_iteration(session: &Session) -> Result<()> {
    if session.has_iteration() {
        return Err(Error::argument("Cannot clear or trigger resync while a sync iteration is active."));
    }
    Ok(())
}

fn flag(arguments: &[&Value]) -> i64 {
    arguments.first().map_or(0, |value| value.integer())
}

/// Registers the functions.
pub fn register(connection: Connection<'_>, session: &Rc<Session>) -> sqlite_nostd::Result<()> {
    connection.create_scalar_function(
        "powersync_clear",
        1,
        FunctionFlags::NONE,
        Rc::clone(session),
        |session, context, arguments| {
            let database = Database::new(context.connection(), &session.connection);
            clear(session, &database, flag(arguments)).map_err(|error| error.in_function("powersync_clear"))?;
            context.result_text("");
            Ok(())
        },
    )?;
    connection.create_scalar_function(
        "powersync_trigger_resync",
        1,
        FunctionFlags::NONE,
        Rc::clone(session),
        |session, context, arguments| {
            let database = Database::new(context.connection(), &session.connection);
            trigger_resync(session, &database, flag(arguments) != 0)
                .map_err(|error| error.in_function("powersync_trigger_resync"))?;
            context.result_text("");
            Ok(())
        },
    )?;
    connection.create_scalar_function(
        "powersync_last_synced_at",
        0,
        FunctionFlags::NONE,
        Rc::clone(session),
        |session, context, _| {
            let database = Database::new(context.connection(), &session.connection);
            let time = bucket_storage::last_synced_at(&database)
                .map_err(|error| explain(&database, error).in_function("powersync_last_synced_at"))?;
            match time {
                Some(time) => context.result_text(&time),
                None => context.result_null(),
            }
            Ok(())
        },
    )
}
