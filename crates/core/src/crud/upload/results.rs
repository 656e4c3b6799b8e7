//! `powersync_crud_results`: the backend's answer, with one result for each transaction.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{Error, Result};
use rowtide_json::parse_integer;
use rowtide_json::writer::Json;
use sqlite_nostd::Row;

use super::rejected::{Refusal, move_entries};
use super::{delete_up_to, is_empty};
use crate::connection::Database;
use crate::text::copy;

/// What the backend made of a transaction.
#[derive(Debug)]
enum Verdict {
    Success,
    NotAttempted,
    Retryable {
        after_ms: Option<i64>,
    },
    Rejected {
        code: Option<String>,
        message: Option<String>,
        details: Option<String>,
    },
    /// Refused, and the app wants to see to it: its failed operation, as JSON.
    NeedsHandling {
        failed_operation: String,
    },
}

/// A transaction of the answer, which is in the queue.
#[derive(Debug)]
struct Answered {
    transaction: i64,
    first_entry: i64,
    /// The entry behind its last one, or more.
    behind: i64,
    verdict: Verdict,
}

/// Completes and rejects transactions as `results` says, a JSON array with one object for each of the transactions that
/// `options.transaction_ids` names, which are the oldest of the queue. Gives what was done, as JSON.
///
/// # Errors
/// An argument error, before anything changes, if the two do not fit to each other or to the queue; errors of SQLite.
pub(crate) fn apply_results(database: &Database<'_>, results: &str, options: &str, now: i64) -> Result<String> {
    let answered = read(database, results, options).map_err(Error::in_given_json)?;
    let (mut completed, mut rejected) = (0_i64, Json::default());
    let (mut blocked_by, mut retry_after) = (None, None);
    for Answered { transaction, first_entry, behind, verdict } in &answered {
        match verdict {
            Verdict::Success => {
                delete_up_to(database, behind.saturating_sub(1))?;
                completed = completed.saturating_add(1);
            }
            Verdict::Rejected { code, message, details } => {
                let refusal =
                    Refusal { code: code.as_deref(), message: message.as_deref(), details: details.as_deref() };
                move_entries(database, *transaction, *first_entry, *behind, refusal, now)?;
                rejected.comma();
                rejected.id("", *transaction);
            }
            Verdict::NeedsHandling { failed_operation } => {
                blocked_by = Some((transaction, failed_operation));
                break;
            }
            Verdict::Retryable { after_ms } => {
                retry_after = *after_ms;
                break;
            }
            Verdict::NotAttempted => break,
        }
    }
    let mut json = Json::with_room();
    json.integer("{\"completed\":", completed);
    json.json(",\"rejected\":[", &rejected.finish()?);
    match blocked_by {
        Some((transaction, failed_operation)) => {
            json.id("],\"blocked_by\":{\"transaction_id\":", *transaction);
            json.json(",\"failed_operation\":", failed_operation);
            json.raw("}");
        }
        None => json.raw("],\"blocked_by\":null"),
    }
    json.optional_integer(",\"retry_after_ms\":", retry_after);
    json.bool(",\"empty\":", is_empty(database)?);
    json.raw("}");
    Ok(json.finish()?)
}

/// The transactions of the answer, which are those at the head of the queue, in order.
fn read(database: &Database<'_>, results: &str, options: &str) -> Result<Vec<Answered>> {
    const RESULTS: &str = "SELECT type = 'object', result ->> '$.status', result ->> '$.retry_after_ms', \
            coalesce(result ->> '$.requires_client_handling', 0), \
            coalesce(result -> '$.failed_operation', 'null'), result ->> '$.failed_operation.error_code', \
            coalesce(result ->> '$.failed_operation.message', result ->> '$.message'), \
            result ->> '$.failed_operation.details' \
        FROM (SELECT id, type, iif(type = 'object', value, '{}') AS result FROM json_each(?1)) ORDER BY id";
    const IDS: &str = "SELECT CAST(value AS TEXT) FROM json_each(?1, '$.transaction_ids') ORDER BY id";
    require_json(database, "results", "an array", results, "array")?;
    require_json(database, "options", "an object", options, "object")?;
    let (mut results_statement, mut ids_statement) = (database.cached(RESULTS)?, database.cached(IDS)?);
    let mut result_rows = results_statement.query(&[results.into()])?;
    let mut id_rows = ids_statement.query(&[options.into()])?;
    let (mut answered, mut head): (Vec<Answered>, _) = (Vec::new(), Head::new());
    loop {
        let (result, id) = match (result_rows.next()?, id_rows.next()?) {
            (Some(result), Some(id)) => (result, id),
            (None, None) => return Ok(answered),
            _ => return Err(Error::argument("there must be as many results as transaction_ids")),
        };
        let id = id.optional_text(0)?.unwrap_or_default();
        let expected = head.next(database)?;
        let found = expected.filter(|(transaction, ..)| parse_integer(id) == Some(*transaction));
        let Some((transaction, first_entry, behind)) = found else {
            return Err(Error::argument(format!(
                "transaction_ids[{}]: {id} is not the next transaction of the upload queue",
                answered.len()
            )));
        };
        let verdict = verdict(&result, answered.len())?;
        answered.try_reserve(1)?;
        answered.push(Answered { transaction, first_entry, behind, verdict });
    }
}

/// Transactions of the queue, one after the other from its head.
struct Head {
    /// The last entry that was looked at.
    before: i64,
}

impl Head {
    fn new() -> Self {
        Self { before: i64::MIN }
    }

    /// The next transaction, its first entry, and the entry behind its last one.
    fn next(&mut self, database: &Database<'_>) -> Result<Option<(i64, i64, i64)>> {
        const FIRST: &str = "SELECT id, coalesce(tx_id, -id) FROM main.ps_crud WHERE id > ?1 ORDER BY id LIMIT 1";
        const BEHIND: &str =
            "SELECT id FROM main.ps_crud WHERE id > ?1 AND coalesce(tx_id, -id) <> ?2 ORDER BY id LIMIT 1";
        let mut rows = database.query(FIRST, &[self.before.into()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let (first, transaction) = (row.integer(0), row.integer(1));
        drop(rows);
        let behind = database.integer(BEHIND, &[first.into(), transaction.into()])?.unwrap_or(i64::MAX);
        self.before = behind.saturating_sub(1);
        Ok(Some((transaction, first, behind)))
    }
}

fn verdict(row: &Row<'_>, index: usize) -> Result<Verdict> {
    let is_object = row.integer(0) != 0;
    let status = row.optional_text(1)?.filter(|_| is_object);
    Ok(match status {
        Some("success") => Verdict::Success,
        Some("not_attempted") => Verdict::NotAttempted,
        Some("retryable_error") => Verdict::Retryable { after_ms: row.optional_integer(2) },
        Some("fatal_error") if row.integer(3) != 0 => Verdict::NeedsHandling { failed_operation: copy(row.text(4)?)? },
        Some("fatal_error") => {
            let text = |column| row.optional_text(column)?.map(copy).transpose();
            Verdict::Rejected { code: text(5)?, message: text(6)?, details: text(7)? }
        }
        _ => {
            return Err(Error::argument(format!(
                "results[{index}].status must be success, not_attempted, retryable_error or fatal_error"
            )));
        }
    })
}

fn require_json(database: &Database<'_>, what: &str, kind: &str, json: &str, json_type: &str) -> Result<()> {
    const IS: &str = "SELECT iif(json_valid(?1), json_type(?1) = ?2, 0)";
    match database.integer(IS, &[json.into(), json_type.into()])? {
        Some(1) => Ok(()),
        _ => Err(Error::argument(format!("{what} must be {kind} in JSON"))),
    }
}
