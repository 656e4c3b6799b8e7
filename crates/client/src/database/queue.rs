//! The upload queue: what is next, what became of it, and that the service will acknowledge it.

use rusqlite::types::Value;
use rusqlite::{Connection, OptionalExtension};
use serde::Deserialize;
use serde_json::json;

use super::{Failure, control, in_transaction};
use crate::status::BlockedUpload;
use crate::upload::{Transaction, TransactionResult};

/// The most transactions, and about the most bytes, of one upload.
const MOST_TRANSACTIONS: i64 = 50;
const MOST_BYTES: i64 = 1_000_000;

/// The target while there are local writes and nothing was requested for them.
const NOT_KNOWN_YET: i64 = i64::MAX;

/// The oldest transactions of the queue.
pub(crate) struct Next {
    pub(crate) client_id: String,
    pub(crate) queue: String,
    pub(crate) transactions: Vec<Transaction>,
    pub(crate) more: bool,
}

/// What the results of an upload have changed.
pub(crate) struct Applied {
    /// Transactions.
    pub(crate) left_the_queue: usize,
    pub(crate) rejected: usize,
    pub(crate) blocked_by: Option<BlockedUpload>,
    pub(crate) retry_after_ms: Option<u64>,
}

/// Whether the service was asked for a checkpoint that has the writes.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Acknowledged {
    Stored,
    /// There was a write meanwhile, which the id does not cover.
    WrittenMeanwhile,
}

impl Next {
    /// In a transaction that waits for a commit under way: see [`super::wake_at_writes`].
    pub(crate) fn read(connection: &Connection) -> Result<Self, Failure> {
        in_transaction(connection, || {
            let sql = "SELECT powersync_crud_next(?, ?), powersync_client_id()";
            let mut statement = connection.prepare_cached(sql)?;
            let limits = (MOST_TRANSACTIONS, MOST_BYTES);
            let (json, client_id): (String, String) =
                statement.query_row(limits, |row| Ok((row.get(0)?, row.get(1)?)))?;
            #[derive(Deserialize)]
            struct Answer {
                transactions: Vec<Transaction>,
                more: bool,
            }
            let Answer { transactions, more } = serde_json::from_str(&json).map_err(Failure::answer)?;
            let queue = queue_id(connection)?;
            Ok(Self { client_id, queue, transactions, more })
        })
    }
}

/// The queue's id is made when the queue is first looked at, and again after the file was cleared.
fn queue_id(connection: &Connection) -> Result<String, Failure> {
    let read = "SELECT value FROM main.ps_kv WHERE key = 'rowtide_queue'";
    let found: Option<String> = connection.prepare_cached(read)?.query_row((), |row| row.get(0)).optional()?;
    if let Some(id) = found {
        return Ok(id);
    }
    let write = "INSERT INTO main.ps_kv(key, value) VALUES ('rowtide_queue', uuid()) RETURNING value";
    Ok(connection.query_row(write, (), |row| row.get(0))?)
}

impl Applied {
    /// Takes the backend's answer for the oldest transactions of the queue.
    pub(crate) fn store(
        connection: &Connection,
        ids: &[String],
        results: &[TransactionResult],
    ) -> Result<Self, Failure> {
        #[derive(Deserialize)]
        struct Answer {
            completed: usize,
            rejected: Vec<String>,
            blocked_by: Option<BlockedBy>,
            retry_after_ms: Option<u64>,
        }
        #[derive(Deserialize)]
        struct BlockedBy {
            transaction_id: String,
            failed_operation: Option<Operation>,
        }
        #[derive(Deserialize)]
        struct Operation {
            error_code: Option<String>,
            message: Option<String>,
        }
        let results = serde_json::to_string(results).map_err(Failure::answer)?;
        let options = json!({"transaction_ids": ids}).to_string();
        let json: String = in_transaction(connection, || {
            let mut statement = connection.prepare_cached("SELECT powersync_crud_results(?, ?)")?;
            Ok(statement.query_row((results, options), |row| row.get(0))?)
        })?;
        let answer: Answer = serde_json::from_str(&json).map_err(Failure::answer)?;
        let rejected = answer.rejected.len();
        let blocked_by = answer.blocked_by.map(|blocked| {
            let (error_code, message) =
                blocked.failed_operation.map_or((None, None), |operation| (operation.error_code, operation.message));
            BlockedUpload {
                transaction_id: blocked.transaction_id,
                error_code: error_code.unwrap_or_default(),
                message,
            }
        });
        Ok(Self {
            left_the_queue: answer.completed + rejected,
            rejected,
            blocked_by,
            retry_after_ms: answer.retry_after_ms,
        })
    }
}

/// Where the queue was, before an id was asked for: none if everything is acknowledged already.
pub(crate) fn unacknowledged(connection: &Connection) -> Result<Option<i64>, Failure> {
    in_transaction(connection, || match control(connection, "target_checkpoint_request_id", &Value::Null)? {
        Value::Integer(NOT_KNOWN_YET) => Ok(Some(last_entry(connection)?)),
        _ => Ok(None),
    })
}

/// The next id in request mode.
pub(crate) fn next_request_id(connection: &Connection) -> Result<i64, Failure> {
    in_transaction(connection, || match control(connection, "next_checkpoint_request_id", &Value::Null)? {
        Value::Integer(id) => Ok(id),
        other => Err(Failure::Other(format!("the next checkpoint request is a {}", other.data_type()))),
    })
}

/// Stores the id that acknowledges everything up to `before`.
pub(crate) fn acknowledge(connection: &Connection, before: i64, id: &str) -> Result<Acknowledged, Failure> {
    in_transaction(connection, || {
        let sql = "SELECT EXISTS(SELECT 1 FROM main.ps_crud)";
        let has_entries: bool = connection.prepare_cached(sql)?.query_row((), |row| row.get(0))?;
        if has_entries || last_entry(connection)? != before {
            return Ok(Acknowledged::WrittenMeanwhile);
        }
        control(connection, "target_checkpoint_request_id", &Value::Text(id.to_owned()))?;
        Ok(Acknowledged::Stored)
    })
}

/// How many entries the queue has.
pub(crate) fn queued(connection: &Connection) -> Result<u64, Failure> {
    let sql = "SELECT count(*) FROM main.ps_crud";
    let count: i64 = connection.prepare_cached(sql)?.query_row((), |row| row.get(0))?;
    Ok(u64::try_from(count).unwrap_or(0))
}

/// The number of the newest entry that the queue ever had.
fn last_entry(connection: &Connection) -> Result<i64, Failure> {
    let sql = "SELECT seq FROM main.sqlite_sequence WHERE name = 'ps_crud'";
    let seq: Option<i64> = connection.prepare_cached(sql)?.query_row((), |row| row.get(0)).optional()?;
    Ok(seq.unwrap_or(0))
}
