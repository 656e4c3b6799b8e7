//! Functions for versions and ids: `powersync_rs_version`, `powersync_client_id`, `uuid` and `gen_random_uuid`
//! (docs/reference/functions.md).

use alloc::rc::Rc;

use sqlite_nostd::{Connection, Context, FunctionError, FunctionFlags, Value};

use crate::bucket_storage;
use crate::connection::Database;
use crate::migrations::explain;
use crate::sql_api::Session;
use crate::uuid::random_uuid;
use crate::version::VERSION;

const CLIENT_ID: &str = "powersync_client_id";

/// Registers the functions.
pub fn register(connection: Connection<'_>, session: &Rc<Session>) -> sqlite_nostd::Result<()> {
    let flags = FunctionFlags::NONE;
    connection.create_scalar_function("powersync_rs_version", 0, flags, Rc::clone(session), version)?;
    connection.create_scalar_function(CLIENT_ID, 0, flags, Rc::clone(session), client_id)?;
    for name in ["uuid", "gen_random_uuid"] {
        connection.create_scalar_function(name, 0, flags, Rc::clone(session), uuid)?;
    }
    Ok(())
}

fn version(_: &Session, context: &Context<'_>, _arguments: &[&Value]) -> Result<(), FunctionError> {
    context.result_text(VERSION);
    Ok(())
}

fn uuid(_: &Session, context: &Context<'_>, _arguments: &[&Value]) -> Result<(), FunctionError> {
    context.result_text(&random_uuid());
    Ok(())
}

fn client_id(session: &Session, context: &Context<'_>, _arguments: &[&Value]) -> Result<(), FunctionError> {
    let database = Database::new(context.connection(), &session.connection);
    let id = bucket_storage::client_id(&database).map_err(|error| explain(&database, error).in_function(CLIENT_ID))?;
    context.result_text(&id);
    Ok(())
}
