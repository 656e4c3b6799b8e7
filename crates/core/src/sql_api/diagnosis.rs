//! Functions that say why data do not arrive, or why a row looks as it does
//! (docs/reference/functions.md#powersync_diagnose).

use rowtide_protocol::error::Result;
use sqlite_nostd::{Context, Value};

use crate::connection::Database;
use crate::diagnosis;
use crate::sql_api::session::Session;

pub(super) fn diagnose(session: &Session, context: &Context<'_>, _: &[&Value]) -> Result<()> {
    let database = Database::new(context.connection(), &session.connection);
    // Called from within a call of the sync client, it does not know of the iteration.
    let iteration = session.engine.try_borrow().map_or(Ok(None), |engine| engine.describe())?;
    let report = diagnosis::diagnose(&database, &session.schemas, iteration.as_deref())?;
    Ok(context.try_result_json(&report)?)
}
