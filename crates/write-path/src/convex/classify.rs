//! What errors of the function and of the deployment mean for a transaction.

use convex_connect::{Class as Reached, Failure as Unreached, Kind, Thrown};
use serde_json::Value;

use crate::plan::Planned;
use crate::result::{Conflict, Failure, TransactionResult, code};

/// What to do after an error.
pub(super) enum Class {
    /// The transaction can be tried again.
    Retryable(TransactionResult),
    /// It can not.
    Fatal(Failure),
}

/// Before a client tries again what met with others.
const BUSY_RETRY_MS: u64 = 1_000;

/// Before it tries again what a person has to make possible.
const BROKEN_RETRY_MS: u64 = 10_000;

/// Texts of Convex for mutations that met with others, or took too long: the same mutation may work next time.
const PASSING: [&str; 5] = [
    "OptimisticConcurrencyControl",
    "changed while this mutation",
    "timed out",
    "TooManyWrites",
    "currently unavailable",
];

/// How much of a message of Convex those who run the service see.
const SHOWN: usize = 500;

/// There is no answer of the function. It may have run: the key of the transaction tells.
pub(super) fn unreached(failure: &Unreached) -> Class {
    tracing::warn!(%failure, "applying a transaction");
    if failure.kind == Kind::TooLarge {
        let message = "The transaction is larger than the database takes.";
        return Class::Fatal(Failure::new(code::INVALID_DATA, message, None));
    }
    let after = match failure.class {
        Reached::Retry(pause) => u64::try_from(pause.as_millis()).unwrap_or(BROKEN_RETRY_MS),
        Reached::Lost | Reached::Configuration => BROKEN_RETRY_MS,
    };
    Class::Retryable(TransactionResult::retryable("The database cannot be reached now.", after))
}

/// The app does not have the function.
pub(super) fn missing() -> Class {
    let message = "The database lacks the function powersync:applyTransaction.";
    tracing::error!("applying a transaction: {message}");
    Class::Retryable(TransactionResult::retryable(message, BROKEN_RETRY_MS))
}

/// It gives something else than it should.
pub(super) fn unreadable() -> Class {
    let message = "The function powersync:applyTransaction of the database is another one.";
    Class::Retryable(TransactionResult::retryable(message, BROKEN_RETRY_MS))
}

/// The function has thrown.
pub(super) fn thrown(thrown: &Thrown, plan: &[Planned<'_>]) -> Class {
    if let Some(data) = &thrown.data {
        return Class::Fatal(of_data(data, plan));
    }
    if PASSING.iter().any(|text| thrown.message.contains(text)) {
        let message = "The database is busy.";
        return Class::Retryable(TransactionResult::retryable(message, BUSY_RETRY_MS));
    }
    // Convex's own messages have values of documents.
    let (code, message) = if thrown.message.contains("does not match the schema") {
        (code::INVALID_DATA, "A row does not match the schema of its table.")
    } else if thrown.message.contains("ArgumentValidationError") {
        (code::INVALID_DATA, "The function of the database does not take the transaction.")
    } else {
        (code::UNCLASSIFIED_ERROR, "The function of the database has failed.")
    };
    let failure = Failure::new(code, message, None);
    Class::Fatal(Failure { internal: Some(thrown.message.chars().take(SHOWN).collect()), ..failure })
}

/// A `ConvexError`: of ours, or of the app, which can have its own code and details.
fn of_data(data: &Value, plan: &[Planned<'_>]) -> Failure {
    let text = |name: &str| data.get(name).and_then(Value::as_str);
    let index = data.get("operation_index").and_then(Value::as_f64).and_then(|index| number(index, plan));
    let operation = index.and_then(|index| plan.get(index));
    let error_code = text("error_code").unwrap_or(code::UNCLASSIFIED_ERROR);
    let message = text("message").or(data.as_str()).unwrap_or("The database refuses the transaction.");
    let failure = Failure::new(error_code, message, index);
    let found: Vec<Conflict> = data
        .get("conflicts")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|found| {
            let column = found.get("column")?.as_str()?;
            conflict(plan, found.get("operation_index")?.as_f64()?, column)
        })
        .collect();
    if let Some(operation) = operation.filter(|_| error_code == code::CONFLICT && !found.is_empty()) {
        return *operation.in_conflict(index.unwrap_or_default(), &found);
    }
    let failure = operation.map_or(failure.clone(), |operation| operation.rule.failure(failure));
    with_details(failure, data)
}

/// What the app has added.
fn with_details(mut failure: Failure, data: &Value) -> Failure {
    let Some(members) = data.as_object() else { return failure };
    let mut members = members.clone();
    for known in ["error_code", "message", "operation_index", "conflicts"] {
        members.remove(known);
    }
    if !members.is_empty() {
        failure.failed_operation.details = Some(Value::Object(members));
    }
    failure
}

/// A conflict by its operation and column; an empty column stands for a row that is gone.
pub(super) fn conflict(plan: &[Planned<'_>], index: f64, column: &str) -> Option<Conflict> {
    let index = number(index, plan)?;
    Some(plan.get(index)?.conflict(index, Some(column).filter(|column| !column.is_empty())))
}

/// The number of an operation. Convex's numbers are floats.
fn number(index: f64, plan: &[Planned<'_>]) -> Option<usize> {
    #[allow(clippy::cast_precision_loss, reason = "no transaction has so many operations")]
    (0..plan.len()).find(|number| *number as f64 == index)
}
