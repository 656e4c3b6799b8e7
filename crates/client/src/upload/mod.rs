//! What is uploaded, and what the backend says to it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

mod batch;
mod run;
mod write_path;

pub use self::batch::{Batch, Operation, OperationKind, Transaction};
pub(crate) use self::run::{Active, Uploads, run};
pub use self::write_path::WritePath;
use crate::error::BoxError;

/// Sends local writes to the app's backend. [`WritePath`] sends them to a service that has a write path of its own.
///
/// It runs on a thread of its own, and may block. There is never more than one call at a time, in all processes that have
/// the file open. A closure is one.
pub trait Upload: Send + Sync + 'static {
    /// Applies transactions, in order. Gives a result for each.
    ///
    /// # Errors
    /// The backend cannot be reached, for instance. All of the batch stays in the queue, the message is in the status, and
    /// it is uploaded again later. So a backend has to take the same transaction twice.
    fn upload(&self, batch: &Batch) -> Result<Vec<TransactionResult>, BoxError>;
}

impl<F> Upload for F
where
    F: Fn(&Batch) -> Result<Vec<TransactionResult>, BoxError> + Send + Sync + 'static,
{
    fn upload(&self, batch: &Batch) -> Result<Vec<TransactionResult>, BoxError> {
        self(batch)
    }
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum TransactionResult {
    /// It is applied.
    Success,
    /// It is not applied, and can be tried again as it is.
    RetryableError {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        message: Option<String>,
        /// When.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        retry_after_ms: Option<u64>,
    },
    /// It is not applied, and that would not change.
    FatalError(Refusal),
    /// One before it has failed.
    NotAttempted,
}

impl TransactionResult {
    /// What the backend says of a transaction that is to be tried again.
    fn why_later(&self) -> Option<String> {
        match self {
            Self::RetryableError { message: Some(message), .. } => Some(message.clone()),
            _ => None,
        }
    }
}

/// Why a transaction is refused for good.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Refusal {
    /// True: the transaction stays in the queue and blocks it until the app has decided. False: it is moved to
    /// `powersync_rejected`, and what is behind it goes on.
    pub requires_client_handling: bool,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// With which operation.
    pub failed_operation: FailedOperation,
}

/// The operation that was refused.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct FailedOperation {
    /// The backend's name for the reason.
    pub error_code: String,
    /// What is wrong.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub message: Option<String>,
    /// More, for programs.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub details: Option<Value>,
    /// Its place in the transaction, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub operation_index: Option<u64>,
}
