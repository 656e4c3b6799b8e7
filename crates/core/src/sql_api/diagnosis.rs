//! Functions that say why data do not arrive, or why a row looks as it does
//! (docs/reference/functions.md#powersync_diagnose).

use alloc::string::String;

use sqlite_nostd::{Context, Value, ValueType};

use crate::connection::Database;
use crate::diagnosis;
use crate::error::{Error, Result};
use crate::migrations::require_latest;
use crate::sql_api::session::Session;

pub(super) fn diagnose(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let verifies = match arguments {
        [] => false,
        [scope] if scope.value_type() == ValueType::Text && scope.text()? == "verify" => true,
        _ => return Err(Error::argument("the argument must be 'verify'")),
    };
    let database = Database::new(context.connection(), &session.connection);
    let iteration = describe_iteration(session)?;
    let report = diagnosis::diagnose(&database, &session.schemas, iteration.as_deref(), verifies)?;
    Ok(context.try_result_json(&report)?)
}

pub(super) fn repair(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let database = Database::new(context.connection(), &session.connection);
    database.require_transaction()?;
    session.refuse_while_publishing()?;
    if arguments.iter().any(|argument| argument.value_type() != ValueType::Text) {
        return Err(Error::argument("the code and the subject must be text"));
    }
    require_latest(&database)?;
    let [code, rest @ ..] = arguments else { return Err(Error::argument("expected a code")) };
    let subject = rest.first().map(|subject| subject.text()).transpose()?;
    let iteration = describe_iteration(session)?;
    let (memory, schemas) = (&session.store, &session.schemas);
    let result = diagnosis::repair(&database, memory, schemas, iteration.as_deref(), code.text()?, subject)?;
    Ok(context.try_result_json(&result)?)
}

/// The running iteration as JSON. A call from within one of the sync client does not know of it.
fn describe_iteration(session: &Session) -> Result<Option<String>> {
    session.engine.try_borrow().map_or(Ok(None), |engine| engine.describe())
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
