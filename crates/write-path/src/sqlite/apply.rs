//! One transaction, from its beginning to its commit.

use rusqlite::Connection;

use super::classify::{Class, classify, retryable};
use super::letters;
use super::operation::{Runner, Stop};
use super::results::{self, Found};
use super::statement::Caller;
use crate::persister::{Stored, Work};
use crate::plan::Planned;
use crate::result::{Failure, TransactionResult, code};
use crate::rules::OnError;

/// Applies a transaction.
pub(super) fn apply(connection: &Connection, work: &Work<'_>) -> Stored {
    let stored = begin(connection).and_then(|()| run(connection, work));
    if !connection.is_autocommit() {
        // If it fails, SQLite has rolled back by itself.
        let _ = connection.execute_batch("ROLLBACK");
    }
    // An error of ours, in which nothing was stored: the client still has the transaction.
    stored.unwrap_or_else(|error| Stored::new(retryable(&error)))
}

fn begin(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch("BEGIN IMMEDIATE")
}

fn run(connection: &Connection, work: &Work<'_>) -> rusqlite::Result<Stored> {
    if let Some(key) = &work.key {
        match results::find(connection, key, &work.hash)? {
            Some(Found::Same(result)) => return Ok(Stored { result, is_repeated: true, deleted: 0 }),
            Some(Found::Other) => {
                let message = format!(
                    "The client has sent another transaction {} in this life of its queue before.",
                    key.transaction
                );
                return refuse(connection, work, Failure::new(code::IDEMPOTENCY_MISMATCH, message, None), false);
            }
            None => {}
        }
    }
    connection.execute_batch("SAVEPOINT data")?;
    let stop = match data(connection, work) {
        Ok(stored) => match connection.execute_batch("COMMIT") {
            Ok(()) => return Ok(stored),
            // For instance a foreign key that is only checked now.
            Err(error) => Stop::Sqlite(error, None),
        },
        Err(stop) => stop,
    };
    match classify(stop) {
        Class::Retryable(result) => Ok(Stored::new(result)),
        Class::Fatal(mut failure) => {
            if failure.failed_operation.operation_index.is_none() {
                let is_client = |operation: &Planned<'_>| operation.rule.on_error == OnError::Client;
                failure.requires_client_handling = work.plan.as_ref().is_ok_and(|plan| plan.iter().any(is_client));
            }
            if connection.is_autocommit() {
                // A trigger has rolled back everything.
                begin(connection)?;
            } else {
                connection.execute_batch("ROLLBACK TO data")?;
            }
            refuse(connection, work, failure, true)
        }
    }
}

/// The operations, and what is stored with them.
fn data(connection: &Connection, work: &Work<'_>) -> Result<Stored, Stop> {
    let plan = work.plan.as_ref().map_err(|failure| Stop::Refused(failure.clone()))?;
    let caller = Caller { user: work.user, claims: work.claims };
    let mut runner = Runner { connection, caller, conflicts: Vec::new() };
    for (index, operation) in plan.iter().enumerate() {
        runner.run(index, operation).map_err(|stop| match stop {
            Stop::Sqlite(error, index) => match classify(Stop::Sqlite(error, index)) {
                Class::Fatal(failure) => Stop::Refused(Box::new(operation.rule.failure(failure))),
                Class::Retryable(result) => Stop::Later(Box::new(result)),
            },
            stop => stop,
        })?;
    }
    let result = TransactionResult::success(&runner.conflicts);
    let own = |error: rusqlite::Error| Stop::Later(Box::new(retryable(&error)));
    let mut deleted = 0;
    if let Some(key) = &work.key {
        deleted = results::store(connection, key, work, &result).map_err(own)?;
    }
    if let Some(id) = work.replayed
        && !letters::replayed(connection, id).map_err(own)?
    {
        let message = format!("The dead letter {id} is not open any more.");
        return Err(Stop::Refused(Box::new(Failure::new(code::CONFLICT, message, None))));
    }
    Ok(Stored { result, is_repeated: false, deleted })
}

/// Stores that a transaction was refused, in place of its data.
fn refuse(connection: &Connection, work: &Work<'_>, failure: Failure, is_under_key: bool) -> rusqlite::Result<Stored> {
    if !failure.requires_client_handling || work.replayed.is_some() {
        letters::keep(connection, work, &failure)?;
    }
    let result = TransactionResult::FatalError(failure);
    let mut deleted = 0;
    if let Some(key) = work.key.as_ref().filter(|_| is_under_key) {
        deleted = results::store(connection, key, work, &result)?;
    }
    connection.execute_batch("COMMIT")?;
    Ok(Stored { result, is_repeated: false, deleted })
}
