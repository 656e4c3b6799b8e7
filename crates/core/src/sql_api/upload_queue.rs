//! The upload queue as SQL functions, three of which are an SDK's upload loop
//! (docs/reference/functions.md#upload-queue): `powersync_crud_next`, `powersync_crud_complete`, `powersync_crud_results`,
//! `powersync_crud_reject`, `powersync_crud_retry`, `powersync_crud_discard`.

use alloc::format;
use alloc::string::String;

use crate::error::{Error, Result};
use rowtide_json::parse_integer;
use sqlite_nostd::{Context, Value, ValueType};

use crate::bucket_storage::{SqliteStorage, now};
use crate::connection::Database;
use crate::crud::upload::{self, Refusal};
use crate::migrations::require_latest;
use crate::sql_api::session::Session;
use crate::sync_client::{TargetChange, change_target};

pub(super) fn crud_next(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let database = Database::new(context.connection(), &session.connection);
    require_latest(&database)?;
    let (max_transactions, max_bytes) = match arguments {
        [transactions] => (integer("max_transactions", transactions)?, None),
        [transactions, bytes] => (integer("max_transactions", transactions)?, optional_integer("max_bytes", bytes)?),
        _ => return Err(Error::argument("expected max_transactions and max_bytes")),
    };
    if max_transactions < 1 || max_bytes.is_some_and(|bytes| bytes < 0) {
        return Err(Error::argument("max_transactions must be at least 1, and max_bytes at least 0"));
    }
    Ok(context.try_result_json(&upload::next(&database, max_transactions, max_bytes)?)?)
}

pub(super) fn crud_complete(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let database = changing(session, context)?;
    let (last_entry, write_checkpoint) = match arguments {
        [last_entry] => (integer("last_entry_id", last_entry)?, None),
        [last_entry, write_checkpoint] => {
            (integer("last_entry_id", last_entry)?, optional_integer("write_checkpoint", write_checkpoint)?)
        }
        _ => return Err(Error::argument("expected last_entry_id and write_checkpoint")),
    };
    if write_checkpoint.is_some_and(|id| id < 1) {
        return Err(Error::argument("write_checkpoint must be a positive integer"));
    }
    let completed = upload::complete(&database, last_entry)?;
    if let Some(target) = write_checkpoint.filter(|_| completed.is_empty) {
        let mut storage = SqliteStorage::new(database, &session.store, &session.schemas);
        change_target(TargetChange::Set(target), &mut storage)?;
    }
    Ok(context.try_result_json(&format!(r#"{{"removed":{},"empty":{}}}"#, completed.removed, completed.is_empty))?)
}

pub(super) fn crud_results(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let database = changing(session, context)?;
    let [results, options] = arguments else { return Err(Error::argument("expected results and options")) };
    let (results, options) = (text("results", results)?, text("options", options)?);
    let done = upload::apply_results(&database, results, options, now(&database)?)?;
    Ok(context.try_result_json(&done)?)
}

pub(super) fn crud_reject(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let database = changing(session, context)?;
    let (transaction, code, message, details) = match arguments {
        [transaction, code, message] => (transaction, code, message, None),
        [transaction, code, message, details] => (transaction, code, message, Some(details)),
        _ => return Err(Error::argument("expected transaction_id, code, message and details")),
    };
    let refusal = Refusal {
        code: optional_text("code", code)?,
        message: optional_text("message", message)?,
        details: details.map_or(Ok(None), |details| optional_text("details", details))?,
    };
    upload::reject(&database, integer("transaction_id", transaction)?, refusal, now(&database)?)?;
    context.result_null();
    Ok(())
}

pub(super) fn crud_retry(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let database = changing(session, context)?;
    let [transaction] = arguments else { return Err(Error::argument("expected transaction_id")) };
    let transaction = integer("transaction_id", transaction)?;
    let id = database.in_savepoint(|| upload::retry(&database, &session.local_writes, transaction))?;
    context.result_text(&format!("{id}"));
    Ok(())
}

pub(super) fn crud_discard(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let database = changing(session, context)?;
    let [transaction] = arguments else { return Err(Error::argument("expected transaction_id")) };
    upload::discard(&database, integer("transaction_id", transaction)?)?;
    context.result_null();
    Ok(())
}

/// The database, of a call that changes the queue.
fn changing<'c>(session: &'c Session, context: &'c Context<'_>) -> Result<Database<'c>> {
    let database = Database::new(context.connection(), &session.connection);
    database.require_transaction()?;
    session.refuse_while_publishing()?;
    require_latest(&database)?;
    Ok(database)
}

fn integer(name: &str, value: &Value) -> Result<i64> {
    optional_integer(name, value)?.ok_or_else(|| not_an_integer(name))
}

/// An integer, given as one or in decimal digits; None for NULL.
fn optional_integer(name: &str, value: &Value) -> Result<Option<i64>> {
    match value.value_type() {
        ValueType::Null => Ok(None),
        ValueType::Integer => Ok(Some(value.integer())),
        ValueType::Text => parse_integer(value.text()?).map(Some).ok_or_else(|| not_an_integer(name)),
        _ => Err(not_an_integer(name)),
    }
}

fn not_an_integer(name: &str) -> Error {
    let message: String = format!("{name} must be an integer or decimal text");
    Error::argument(message)
}

fn text<'v>(name: &str, value: &'v Value) -> Result<&'v str> {
    optional_text(name, value)?.ok_or_else(|| Error::argument(format!("{name} must be text")))
}

fn optional_text<'v>(name: &str, value: &'v Value) -> Result<Option<&'v str>> {
    match value.value_type() {
        ValueType::Null => Ok(None),
        ValueType::Text => Ok(Some(value.text()?)),
        _ => Err(Error::argument(format!("{name} must be text"))),
    }
}
