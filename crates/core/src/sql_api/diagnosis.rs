//! Functions that say why data do not arrive, or why a row looks as it does
//! (docs/reference/functions.md#powersync_diagnose).

use sqlite_nostd::{Context, Value, ValueType};

use crate::connection::Database;
use crate::diagnosis;
use crate::error::{Error, Result};
use crate::migrations::require_latest;
use crate::sql_api::session::Session;

pub(super) fn diagnose(session: &Session, context: &Context<'_>, _: &[&Value]) -> Result<()> {
    let database = Database::new(context.connection(), &session.connection);
    // Called from within a call of the sync client, it does not know of the iteration.
    let iteration = session.engine.try_borrow().map_or(Ok(None), |engine| engine.describe())?;
    let report = diagnosis::diagnose(&database, &session.schemas, iteration.as_deref())?;
    Ok(context.try_result_json(&report)?)
}

pub(super) fn explain(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let [row_type, id] = arguments else { return Err(Error::argument("expected type and id")) };
    if [row_type, id].iter().any(|argument| argument.value_type() != ValueType::Text) {
        return Err(Error::argument("type and id must be text"));
    }
    let database = Database::new(context.connection(), &session.connection);
    require_latest(&database)?;
    let explanation = diagnosis::explain(&database, &session.schemas, row_type.text()?, id.text()?)?;
    Ok(context.try_result_json(&explanation)?)
}
