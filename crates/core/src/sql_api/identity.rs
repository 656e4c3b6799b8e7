//! Functions for versions and ids: `powersync_rs_version`, `powersync_client_id`, `uuid` and `gen_random_uuid`
//! (docs/reference/functions.md).

use sqlite_nostd::{Context, Value};

use crate::bucket_storage;
use crate::connection::Database;
use crate::error::Result;
use crate::migrations::explain;
use crate::sql_api::session::Session;
use crate::uuid::random_uuid;
use crate::version::VERSION;

pub(super) fn version(_: &Session, context: &Context<'_>, _: &[&Value]) -> Result<()> {
    context.result_text(VERSION);
    Ok(())
}

pub(super) fn uuid(_: &Session, context: &Context<'_>, _: &[&Value]) -> Result<()> {
    context.result_text(&random_uuid());
    Ok(())
}

pub(super) fn client_id(session: &Session, context: &Context<'_>, _: &[&Value]) -> Result<()> {
    let database = Database::new(context.connection(), &session.connection);
    let id = bucket_storage::client_id(&database).map_err(|error| explain(&database, error))?;
    context.result_text(&id);
    Ok(())
}
