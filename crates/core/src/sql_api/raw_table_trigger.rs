//! `powersync_create_raw_table_crud_trigger(table, name, write)`
//! (docs/reference/functions.md#powersync_create_raw_table_crud_trigger).

use alloc::rc::Rc;

use sqlite_nostd::{Connection, Context, FunctionError, FunctionFlags, Value, ValueType};

use crate::connection::Database;
use crate::error::{Error, Result};
use crate::schema::{RawTable, Write, create_raw_table_trigger};
use crate::sql_api::session::Session;

const NAME: &str = "powersync_create_raw_table_crud_trigger";

/// Registers the function.
pub fn register(connection: Connection<'_>, session: &Rc<Session>) -> sqlite_nostd::Result<()> {
    connection.create_scalar_function(NAME, 3, FunctionFlags::NONE, Rc::clone(session), call)
}

fn call(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<(), FunctionError> {
    let database = Database::new(context.connection(), &session.connection);
    create(&database, arguments).map_err(|error| error.in_function(NAME))?;
    context.result_null();
    Ok(())
}

fn create(database: &Database<'_>, arguments: &[&Value]) -> Result<()> {
    match arguments {
        [table, name, write] if arguments.iter().all(|argument| argument.value_type() == ValueType::Text) => {
            let (table, write) = (RawTable::parse(table.text()?)?, Write::parse(write.text()?)?);
            create_raw_table_trigger(database, &table, name.text()?, write)
        }
        _ => Err(Error::argument("the raw table, the trigger's name and the kind of write must be text")),
    }
}
