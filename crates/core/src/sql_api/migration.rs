//! `powersync_init`, `powersync_test_migration` and `powersync_drop_view` (docs/reference/functions.md,
//! docs/reference/tables.md#formats-and-migrations).

use alloc::rc::Rc;

use sqlite_nostd::{Connection, Context, FunctionError, FunctionFlags, Value, ValueType};

use crate::connection::Database;
use crate::error::{Error, Result};
use crate::migrations::{LATEST, Version, migrate};
use crate::schema::drop_view_triggers;
use crate::sql_api::Session;
use crate::text;

const INIT: &str = "powersync_init";
const TEST_MIGRATION: &str = "powersync_test_migration";
const DROP_VIEW: &str = "powersync_drop_view";

/// Registers the functions.
pub fn register(connection: Connection<'_>, session: &Rc<Session>) -> sqlite_nostd::Result<()> {
    let flags = FunctionFlags::NONE;
    connection.create_scalar_function(INIT, 0, flags, Rc::clone(session), init)?;
    connection.create_scalar_function(TEST_MIGRATION, 1, flags, Rc::clone(session), test_migration)?;
    connection.create_scalar_function(DROP_VIEW, 1, flags, Rc::clone(session), drop_view)
}

fn init(session: &Session, context: &Context<'_>, _arguments: &[&Value]) -> Result<(), FunctionError> {
    let database = Database::new(context.connection(), &session.connection);
    let outcome = database.require_transaction().and_then(|()| migrate(&database, LATEST));
    outcome.map_err(|error| error.in_function(INIT))?;
    context.result_text("");
    Ok(())
}

fn test_migration(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<(), FunctionError> {
    let database = Database::new(context.connection(), &session.connection);
    migrate_to(&database, arguments).map_err(|error| error.in_function(TEST_MIGRATION))?;
    context.result_text("");
    Ok(())
}

fn migrate_to(database: &Database<'_>, arguments: &[&Value]) -> Result<()> {
    database.require_transaction()?;
    if database.state().in_sync_operation() {
        return Err(Error::state("Cannot migrate while downloaded rows are being published."));
    }
    let number = match arguments {
        [version] if version.value_type() == ValueType::Integer => version.integer(),
        _ => return Err(Error::argument("the version must be an integer")),
    };
    match Version::from_number(number) {
        Some(version) => migrate(database, version),
        None => Err(Error::argument(alloc::format!("there is no format {number}: expected 1 to 14 or {LATEST}"))),
    }
}

fn drop_view(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<(), FunctionError> {
    let database = Database::new(context.connection(), &session.connection);
    drop_view_if_exists(&database, arguments).map_err(|error| error.in_function(DROP_VIEW))?;
    context.result_null();
    Ok(())
}

fn drop_view_if_exists(database: &Database<'_>, arguments: &[&Value]) -> Result<()> {
    match arguments {
        // Our triggers on it may use functions that the other version does not have. The view itself works everywhere, and
        // the application may have views and triggers over it.
        [name] if name.value_type() == ValueType::Text && database.state().keeps_views() => {
            let name = name.text()?;
            drop_view_triggers(database, |view| view == name)
        }
        [name] if name.value_type() == ValueType::Text => {
            database.execute_batch(&alloc::format!("DROP VIEW IF EXISTS main.{}", text::identifier(name.text()?)))
        }
        _ => Err(Error::argument("the name must be text")),
    }
}
