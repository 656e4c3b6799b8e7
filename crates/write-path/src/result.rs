//! What becomes of a transaction, in the JSON that clients know.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// Codes of fatal errors.
#[allow(missing_docs, reason = "each is its own text")]
pub mod code {
    pub const NOT_NULL_VIOLATION: &str = "NOT_NULL_VIOLATION";
    pub const FOREIGN_KEY_VIOLATION: &str = "FOREIGN_KEY_VIOLATION";
    pub const UNIQUE_VIOLATION: &str = "UNIQUE_VIOLATION";
    pub const CHECK_VIOLATION: &str = "CHECK_VIOLATION";
    pub const CONSTRAINT_VIOLATION: &str = "CONSTRAINT_VIOLATION";
    pub const INVALID_DATA: &str = "INVALID_DATA";
    pub const SCHEMA_MISMATCH: &str = "SCHEMA_MISMATCH";
    pub const UNAUTHORIZED: &str = "UNAUTHORIZED";
    pub const CONFLICT: &str = "CONFLICT";
    pub const IDEMPOTENCY_MISMATCH: &str = "IDEMPOTENCY_MISMATCH";
    pub const UNCLASSIFIED_ERROR: &str = "UNCLASSIFIED_ERROR";
}

/// The answer to an upload: one result per transaction, in their order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// The results.
    pub results: Vec<TransactionResult>,
}

/// The result of a transaction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum TransactionResult {
    /// It is applied.
    Success {
        /// What was left out of it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        details: Option<Value>,
    },
    /// An earlier one failed.
    NotAttempted,
    /// Nothing of it is applied, and it can be tried again as it is.
    RetryableError {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// When.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    /// Nothing of it is applied, and that would not change.
    FatalError(Failure),
}

/// A fatal error.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Failure {
    /// Whether the app decides what becomes of the transaction; otherwise the client removes it from its queue.
    pub requires_client_handling: bool,
    /// What is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// With which operation.
    pub failed_operation: FailedOperation,
    /// What only those who run the service may read.
    #[serde(skip)]
    pub internal: Option<String>,
}

/// The operation that failed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct FailedOperation {
    /// One of [`code`], or one of the app.
    pub error_code: String,
    /// What is wrong. It holds no rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// More, for programs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// Its number in the transaction, from 0; none if no single one has failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_index: Option<usize>,
}

/// A value that was not what the client had seen.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Conflict {
    /// The operation, from 0.
    pub operation_index: usize,
    /// The table, as clients call it.
    pub table: String,
    /// The row.
    pub id: String,
    /// The column, as clients call it; none if the row is gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<String>,
}

impl TransactionResult {
    /// A success in which the values of some columns were left out.
    pub fn success(conflicts: &[Conflict]) -> Self {
        let details = (!conflicts.is_empty()).then(|| json!({ "conflicts": conflicts }));
        Self::Success { details }
    }

    /// An error after which the client tries again.
    pub fn retryable(message: impl Into<String>, retry_after_ms: u64) -> Self {
        Self::RetryableError { message: Some(message.into()), retry_after_ms: Some(retry_after_ms) }
    }
}

impl Failure {
    /// A fatal error that the client does not handle.
    pub fn new(error_code: &str, message: impl Into<String>, operation_index: Option<usize>) -> Self {
        let message = Some(message.into());
        Self {
            requires_client_handling: false,
            message: message.clone(),
            failed_operation: FailedOperation {
                error_code: error_code.to_owned(),
                message,
                details: None,
                operation_index,
            },
            internal: None,
        }
    }

    /// Adds conflicts.
    pub(crate) fn with_conflicts(mut self, conflicts: &[Conflict]) -> Self {
        self.failed_operation.details = Some(json!({ "conflicts": conflicts }));
        self
    }
}
