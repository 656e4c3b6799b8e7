//! What was written last, for people: kept in memory, without values.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;

use crate::request::Operation;
use crate::result::TransactionResult;

/// How many transactions are kept.
const MOST: usize = 500;

/// How many operations of a transaction are named.
const MOST_OPERATIONS: usize = 20;

/// How many bytes of a text are kept.
const LONGEST: usize = 500;

/// The last transactions.
#[derive(Debug, Default)]
pub(crate) struct Log(Mutex<Content>);

#[derive(Debug, Default)]
struct Content {
    number: u64,
    entries: VecDeque<Attempt>,
}

/// A transaction that was tried.
#[derive(Clone, Debug, Serialize)]
pub struct Attempt {
    /// From 1 on since the start.
    pub number: u64,
    /// When it came, in µs since 1970.
    pub at: i64,
    /// Who sent it.
    pub user: String,
    /// The client, if it has said.
    pub client: Option<String>,
    /// Its number in the client's queue.
    pub transaction_id: Option<String>,
    /// The first operations.
    pub operations: Vec<AttemptOperation>,
    /// How many there are in all.
    pub operation_count: usize,
    /// Whether it was applied, or why not.
    pub outcome: Outcome,
    /// Whether that is the result of an earlier attempt.
    pub is_repeated: bool,
    /// The dead letter that it was replayed from.
    pub dead_letter: Option<i64>,
    /// How long it took, in µs.
    pub duration: u64,
}

/// The result of a transaction, as far as it is remembered.
#[derive(Clone, Debug, Serialize)]
pub struct Outcome {
    /// `success`, `fatal_error`, `retryable_error` or `not_attempted`.
    pub status: &'static str,
    /// Of a fatal error.
    pub error_code: Option<String>,
    /// Why not.
    pub message: Option<String>,
    /// The operation that failed, from 0.
    pub operation_index: Option<usize>,
    /// Whether the app decides what becomes of the transaction. Others with a fatal error are dead letters.
    pub requires_client_handling: bool,
}

/// What an operation is about.
#[derive(Clone, Debug, Serialize)]
pub struct AttemptOperation {
    /// `PUT`, `PATCH` or `DELETE`.
    pub op: &'static str,
    /// The table, as clients call it.
    pub table: String,
    /// The row.
    pub id: String,
}

impl Log {
    /// Adds an attempt; its number is given to it here.
    pub(crate) fn add(&self, attempt: Attempt) {
        let mut content = self.lock();
        content.number += 1;
        let number = content.number;
        if content.entries.len() >= MOST {
            content.entries.pop_front();
        }
        content.entries.push_back(Attempt { number, ..attempt });
    }

    /// The newest first.
    pub(crate) fn newest(&self, limit: usize) -> Vec<Attempt> {
        self.lock().entries.iter().rev().take(limit).cloned().collect()
    }

    fn lock(&self) -> MutexGuard<'_, Content> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl From<&TransactionResult> for Outcome {
    fn from(result: &TransactionResult) -> Self {
        let outcome = |status| Self {
            status,
            error_code: None,
            message: None,
            operation_index: None,
            requires_client_handling: false,
        };
        match result {
            TransactionResult::Success { .. } => outcome("success"),
            TransactionResult::NotAttempted => outcome("not_attempted"),
            TransactionResult::RetryableError { message, .. } => {
                Self { message: message.as_deref().map(shortened), ..outcome("retryable_error") }
            }
            TransactionResult::FatalError(failure) => Self {
                error_code: Some(failure.failed_operation.error_code.clone()),
                message: failure.message.as_deref().map(shortened),
                operation_index: failure.failed_operation.operation_index,
                requires_client_handling: failure.requires_client_handling,
                ..outcome("fatal_error")
            },
        }
    }
}

/// Clients can send texts of any length.
pub(crate) fn shortened(text: &str) -> String {
    text.get(..text.floor_char_boundary(LONGEST)).unwrap_or_default().to_owned()
}

/// What is remembered of operations.
pub(crate) fn named(operations: &[Operation]) -> Vec<AttemptOperation> {
    let first = operations.iter().take(MOST_OPERATIONS);
    let named = first.map(|operation| AttemptOperation {
        op: operation.kind.name(),
        table: shortened(&operation.table),
        id: shortened(&operation.id),
    });
    named.collect()
}
