//! `powersync_clear(flags)` and `powersync_trigger_resync(clear)` (docs/reference/functions.md).

use sqlite_nostd::{Context, Value};

use crate::bucket_storage::{self, Clear};
use crate::connection::Database;
use crate::error::{Error, Result};
use crate::migrations::require_latest;
use crate::sql_api::session::Session;

const INCLUDES_LOCAL: i64 = 1;
const IS_SOFT: i64 = 2;
const KEEPS_REJECTED: i64 = 4;

pub(super) fn clear(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let database = Database::new(context.connection(), &session.connection);
    database.require_transaction()?;
    session.refuse_while_publishing()?;
    require_latest(&database)?;
    let flags = flag(arguments);
    let is_soft = flags & IS_SOFT != 0;
    if is_soft {
        refuse_during_iteration(session)?;
    }
    let schema = session.schemas.applied.schema(&database)?;
    let scope =
        Clear { includes_local: flags & INCLUDES_LOCAL != 0, is_soft, keeps_rejected: flags & KEEPS_REJECTED != 0 };
    bucket_storage::clear(&database, schema.as_deref(), scope)?;
    context.result_text("");
    Ok(())
}

pub(super) fn trigger_resync(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let database = Database::new(context.connection(), &session.connection);
    database.require_transaction()?;
    session.refuse_while_publishing()?;
    refuse_during_iteration(session)?;
    require_latest(&database)?;
    let forget_times = flag(arguments) != 0;
    bucket_storage::trigger_resync(&database, forget_times)?;
    context.result_text("");
    Ok(())
}

fn refuse_during_iteration(session: &Session) -> Result<()> {
    if session.has_iteration() {
        return Err(Error::argument("Cannot clear or trigger resync while a sync iteration is active."));
    }
    Ok(())
}

fn flag(arguments: &[&Value]) -> i64 {
    debug_assert_eq!(arguments.len(), 1, "SQLite calls a function with as many arguments as it was registered with");
    arguments.first().map_or(0, |value| value.integer())
}
