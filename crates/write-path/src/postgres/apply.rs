//! One transaction, from its beginning to its commit.

use super::classify::{Class, Trouble};
use super::connection::Connection;
use super::letters;
use super::operation::{Runner, Stop};
use super::results::{self, Found};
use super::statement::{Caller, Statement};
use crate::persister::{Stored, Work};
use crate::plan::Planned;
use crate::result::{Failure, TransactionResult, code};
use crate::rules::OnError;

/// How often a transaction is tried that others were in the way of.
const TRIES: usize = 2;

/// Applies a transaction.
pub(super) fn apply(connection: &mut Connection, work: &Work<'_>) -> Stored {
    let mut tries = 1..=TRIES;
    loop {
        tries.next();
        match attempt(connection, work) {
            Ok(stored) => return stored,
            Err(Stop::Later { is_collision: true, .. }) if !tries.is_empty() && connection.is_usable() => {}
            Err(Stop::Later { result, .. }) => return Stored::new(*result),
            Err(Stop::Refused(failure)) => return Stored::new(TransactionResult::FatalError(*failure)),
        }
    }
}

/// Tries it once. An error is one after which the client tries again.
fn attempt(connection: &mut Connection, work: &Work<'_>) -> Result<Stored, Stop> {
    let own = |trouble: Trouble| noted(&trouble, "Applying an upload");
    let failure = match results::begin(connection, work) {
        Ok(Some(Found::Same(result))) => {
            connection.roll_back();
            return Ok(Stored { result, is_repeated: true, deleted: 0 });
        }
        Ok(Some(Found::Other)) => {
            connection.roll_back();
            let key = work.key.map_or("", |key| key.transaction);
            let message = format!("The client has sent another transaction {key} in this life of its queue before.");
            let failure = Failure::new(code::IDEMPOTENCY_MISMATCH, message, None);
            return refuse(connection, work, failure, false).map_err(own);
        }
        Ok(None) => match data(connection, work) {
            Ok(stored) => return Ok(stored),
            Err(Stop::Refused(failure)) => {
                connection.roll_back();
                failure
            }
            Err(later) => {
                connection.roll_back();
                return Err(later);
            }
        },
        Err(trouble) => {
            connection.roll_back();
            return Err(own(trouble));
        }
    };
    let refused = refuse(connection, work, *failure, true);
    if refused.is_err() {
        connection.roll_back();
    }
    refused.map_err(own)
}

/// The operations, and what is stored with them.
fn data(connection: &mut Connection, work: &Work<'_>) -> Result<Stored, Stop> {
    let plan = work.plan.as_ref().map_err(|failure| Stop::Refused(failure.clone()))?;
    let own = |trouble: Trouble| noted(&trouble, "Storing the result of an upload");
    if let Some(role) = work.role {
        become_role(connection, role).map_err(|trouble| noted(&trouble, "Changing the role"))?;
    }
    let caller = Caller { user: work.user, claims: work.claims };
    let mut runner = Runner { connection, caller, conflicts: Vec::new() };
    for (index, operation) in plan.iter().enumerate() {
        runner.run(index, operation)?;
    }
    let conflicts = runner.conflicts;
    let result = TransactionResult::success(&conflicts);
    if work.role.is_some() {
        // Our own tables are not for that role.
        connection.batch("SET LOCAL ROLE NONE").map_err(own)?;
    }
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
    connection.batch("COMMIT").map_err(|trouble| at_commit(&trouble, plan))?;
    Ok(Stored { result, is_repeated: false, deleted })
}

pub(super) fn become_role(connection: &mut Connection, role: &str) -> Result<(), Trouble> {
    let statement = Statement::new("SELECT set_config('role', ").text(role).sql(", true)");
    connection.rows(&statement).map(|_| ())
}

/// For instance a foreign key that is only checked at the end.
fn at_commit(trouble: &Trouble, plan: &[Planned<'_>]) -> Stop {
    match trouble.classify(None) {
        Class::Retryable(_) => Stop::later(trouble),
        Class::Fatal(mut failure) => {
            failure.requires_client_handling = plan.iter().any(|operation| operation.rule.on_error == OnError::Client);
            Stop::Refused(failure)
        }
    }
}

/// An error of our own statements: the transaction is not to blame, and the client still has it.
fn noted(trouble: &Trouble, what: &str) -> Stop {
    tracing::warn!("{what}: {}", trouble.log());
    Stop::later(trouble)
}

/// Stores that a transaction was refused, in place of its data.
fn refuse(
    connection: &mut Connection,
    work: &Work<'_>,
    failure: Failure,
    is_under_key: bool,
) -> Result<Stored, Trouble> {
    connection.batch("BEGIN")?;
    if !failure.requires_client_handling || work.replayed.is_some() {
        letters::keep(connection, work, &failure)?;
    }
    let result = TransactionResult::FatalError(failure);
    let mut deleted = 0;
    if let Some(key) = work.key.as_ref().filter(|_| is_under_key) {
        deleted = results::store(connection, key, work, &result)?;
    }
    connection.batch("COMMIT")?;
    Ok(Stored { result, is_repeated: false, deleted })
}
