//! `powersync_init` and `powersync_test_migration` (docs/reference/functions.md,
//! docs/reference/tables.md#formats-and-migrations).

use sqlite_nostd::{Context, Value, ValueType};

use crate::bucket_storage::adopt_export;
use crate::connection::Database;
use crate::error::{Error, Result};
use crate::migrations::{LATEST, Version, migrate};
use crate::sql_api::session::Session;

pub(super) fn init(session: &Session, context: &Context<'_>, _: &[&Value]) -> Result<()> {
    let database = Database::new(context.connection(), &session.connection);
    database.require_transaction()?;
    migrate(&database, LATEST)?;
    adopt_export(&database)?;
    context.result_text("");
    Ok(())
}

pub(super) fn test_migration(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let database = Database::new(context.connection(), &session.connection);
    database.require_transaction()?;
    if database.state().in_sync_operation() {
        return Err(Error::state("Cannot migrate while downloaded rows are being published."));
    }
    let number = match arguments {
        [version] if version.value_type() == ValueType::Integer => version.integer(),
        _ => return Err(Error::argument("the version must be an integer")),
    };
    match Version::from_number(number) {
        Some(version) => migrate(&database, version)?,
        None => {
            let message = alloc::format!("there is no format {number}: expected 1 to 14 or {LATEST}");
            return Err(Error::argument(message));
        }
    }
    context.result_text("");
    Ok(())
}
