//! Functions that change views and triggers: `powersync_replace_schema(json)`,
//! `powersync_create_raw_table_crud_trigger(table, name, write)` and `powersync_drop_view(name)` (docs/reference/functions.md,
//! docs/reference/schema.md).

use sqlite_nostd::{Context, Value, ValueType};

use crate::bucket_storage::{adopt_export, resync_for_schema};
use crate::connection::Database;
use crate::error::{Error, Result};
use crate::migrations::{LATEST, is_at, migrate, note_way_down};
use crate::schema::{RawTable, Schema, StoredRows, Write, apply, create_raw_table_trigger, drop_view_triggers};
use crate::sql_api::session::Session;
use crate::text;

pub(super) fn replace_schema(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let database = Database::new(context.connection(), &session.connection);
    database.require_transaction()?;
    session.refuse_while_publishing()?;
    let json = match arguments {
        [json] if json.value_type() == ValueType::Text => json.text()?,
        _ => return Err(Error::argument("the schema must be JSON text")),
    };
    replace(session, &database, json)?;
    context.result_text("");
    Ok(())
}

fn replace(session: &Session, database: &Database<'_>, json: &str) -> Result<()> {
    let applied = &session.schemas.applied;
    // Formats that change no table are noticed by their step only.
    if applied.is_applied(database, json)? || applied.is_applied_by_others(database, json)? && is_at(database, LATEST)?
    {
        return adopt_export(database);
    }
    let schema = Schema::parse(json)?;
    migrate(database, LATEST)?;
    adopt_export(database)?;
    database.in_savepoint(|| match apply(database, &schema)? {
        StoredRows::Untouched => Ok(()),
        StoredRows::Complete => note_way_down(database),
        // A running iteration ends at its next event, for a new one to publish what is missing.
        StoredRows::Incomplete => {
            resync_for_schema(database)?;
            note_way_down(database)
        }
    })?;
    applied.remember(database, json, schema)
}

pub(super) fn create_raw_table_crud_trigger(
    session: &Session,
    context: &Context<'_>,
    arguments: &[&Value],
) -> Result<()> {
    let database = Database::new(context.connection(), &session.connection);
    match arguments {
        [table, name, write] if arguments.iter().all(|argument| argument.value_type() == ValueType::Text) => {
            let (table, write) = (RawTable::parse(table.text()?)?, Write::parse(write.text()?)?);
            create_raw_table_trigger(&database, &table, name.text()?, write)?;
        }
        _ => return Err(Error::argument("the raw table, the trigger's name and the kind of write must be text")),
    }
    context.result_null();
    Ok(())
}

pub(super) fn drop_view(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let database = Database::new(context.connection(), &session.connection);
    let name = match arguments {
        [name] if name.value_type() == ValueType::Text => name.text()?,
        _ => return Err(Error::argument("the name must be text")),
    };
    if database.state().keeps_views() {
        // Our triggers on it may use functions that the other version does not have. The view itself works everywhere, and
        // the application may have views and triggers over it.
        drop_view_triggers(&database, |view| view == name)?;
    } else {
        database.execute_batch(&alloc::format!("DROP VIEW IF EXISTS main.{}", text::identifier(name)))?;
    }
    context.result_null();
    Ok(())
}
