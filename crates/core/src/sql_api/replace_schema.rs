//! `powersync_replace_schema(json)` (docs/reference/functions.md#powersync_replace_schema).

use alloc::rc::Rc;

use sqlite_nostd::{Connection, Context, FunctionError, FunctionFlags, Value, ValueType};

use crate::bucket_storage::resync_for_schema;
use crate::connection::Database;
use crate::error::{Error, Result};
use crate::migrations::{LATEST, is_at, migrate, note_view_triggers};
use crate::schema::{Schema, StoredRows, apply};
use crate::sql_api::session::Session;

const NAME: &str = "powersync_replace_schema";

/// Registers the function.
pub fn register(connection: Connection<'_>, session: &Rc<Session>) -> sqlite_nostd::Result<()> {
    connection.create_scalar_function(NAME, 1, FunctionFlags::NONE, Rc::clone(session), call)
}

fn call(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<(), FunctionError> {
    let database = Database::new(context.connection(), &session.connection);
    replace_schema(session, &database, arguments).map_err(|error| error.in_function(NAME))?;
    context.result_text("");
    Ok(())
}

fn replace_schema(session: &Session, database: &Database<'_>, arguments: &[&Value]) -> Result<()> {
    database.require_transaction()?;
    session.refuse_while_publishing()?;
    let json = match arguments {
        [json] if json.value_type() == ValueType::Text => json.text()?,
        _ => return Err(Error::argument("the schema must be JSON text")),
    };
    let applied = &session.schemas.applied;
    // Formats that change no table are noticed by their step only.
    if applied.is_applied(database, json)? || applied.is_applied_by_others(database, json)? && is_at(database, LATEST)?
    {
        return Ok(());
    }
    let schema = Schema::parse(json)?;
    migrate(database, LATEST)?;
    database.in_savepoint(|| match apply(database, &schema)? {
        StoredRows::Untouched => Ok(()),
        StoredRows::Complete => note_view_triggers(database),
        // A running iteration ends at its next event, for a new one to publish what is missing.
        StoredRows::Incomplete => {
            resync_for_schema(database)?;
            note_view_triggers(database)
        }
    })?;
    applied.remember(database, json, schema)
}
