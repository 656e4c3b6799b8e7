//! Transactions of the upload queue, and those that were rejected.

use anyhow::{Context, Result, anyhow};
use rusqlite::ErrorCode;
use serde_json::{Value, json};

use crate::database::{Database, explained};
use crate::hint::quoted_path;
use crate::output::{count, moment, visible};

/// How many local writes a phrase names.
const NAMED: usize = 3;

/// A transaction that waits, or was rejected.
pub(super) struct Transaction {
    pub(super) id: String,
    /// One object for each local write, as `powersync_crud_next` has them.
    pub(super) writes: Vec<Value>,
    /// Why it was rejected, if it was.
    pub(super) refusal: Option<Refusal>,
}

/// What the backend said.
pub(super) struct Refusal {
    at: i64,
    code: Option<String>,
    message: Option<String>,
    details: Option<String>,
}

impl Transaction {
    /// The first local writes, in one line.
    pub(super) fn phrase(&self) -> String {
        let phrases: Vec<String> = self.writes.iter().take(NAMED).map(phrase).collect();
        let phrases = phrases.join(", ");
        match self.writes.len().saturating_sub(NAMED) {
            0 => phrases,
            more => format!("{phrases} and {} more", count(more as u64)),
        }
    }

    pub(super) fn to_json(&self) -> Value {
        let mut value = json!({"transaction_id": self.id, "crud": self.writes});
        if let (Some(refusal), Some(members)) = (&self.refusal, value.as_object_mut()) {
            members.insert("rejected_at".to_owned(), refusal.at.into());
            members.insert("code".to_owned(), refusal.code.clone().into());
            members.insert("message".to_owned(), refusal.message.clone().into());
            members.insert("details".to_owned(), refusal.details.clone().into());
        }
        value
    }
}

impl Refusal {
    /// When and why.
    pub(super) fn sentence(&self) -> String {
        let reason = [&self.code, &self.message, &self.details].into_iter().flatten().map(String::as_str);
        let reason: Vec<&str> = reason.filter(|part| !part.is_empty()).collect();
        let reason = if reason.is_empty() { "no reason was given".to_owned() } else { reason.join(", ") };
        visible(&format!("rejected {}: {reason}", moment(self.at)), false)
    }
}

/// A local write as a phrase: `PATCH lists 'l1' (name)`.
pub(super) fn phrase(write: &Value) -> String {
    let text = |name: &str| write.get(name).and_then(Value::as_str).unwrap_or("?");
    let id = text("id").replace('\'', "''");
    let phrase = format!("{} {} '{id}'", text("op"), text("table"));
    let columns = write.get("op_data").and_then(Value::as_object);
    let columns = columns.map(|columns| columns.keys().map(String::as_str).collect::<Vec<_>>().join(", "));
    visible(
        &columns.filter(|names| !names.is_empty()).map_or(phrase.clone(), |names| format!("{phrase} ({names})")),
        false,
    )
}

/// What `powersync_crud_next` returns.
pub(super) fn next(database: &Database, most: i64) -> rusqlite::Result<String> {
    database.connection().query_row("SELECT powersync_crud_next(?)", [most], |row| row.get(0))
}

/// The oldest transactions of the queue, and whether there are more.
pub(super) fn waiting(database: &Database, most: i64) -> Result<(Vec<Transaction>, bool)> {
    let text = next(database, most).map_err(|error| damaged(error, database))?;
    let mut answer: Value = serde_json::from_str(&text).context("Reading what powersync_crud_next() returned")?;
    let more = answer.get("more").and_then(Value::as_bool).unwrap_or_default();
    let Some(Value::Array(transactions)) = answer.get_mut("transactions").map(Value::take) else {
        return Ok((Vec::new(), more));
    };
    let transaction = |mut value: Value| {
        let id = value.get("transaction_id").and_then(Value::as_str).unwrap_or_default().to_owned();
        let writes = match value.get_mut("crud").map(Value::take) {
            Some(Value::Array(writes)) => writes,
            _ => Vec::new(),
        };
        Transaction { id, writes, refusal: None }
    };
    Ok((transactions.into_iter().map(transaction).collect(), more))
}

/// What to do about an entry at the head of the queue that cannot be read.
fn damaged(error: rusqlite::Error, database: &Database) -> anyhow::Error {
    let head = "SELECT coalesce(tx_id, -id) FROM ps_crud ORDER BY id LIMIT 1";
    let path = database.path();
    match (error.sqlite_error_code(), database.connection().query_row(head, [], |row| row.get::<_, i64>(0))) {
        (Some(ErrorCode::DatabaseCorrupt), Ok(id)) => anyhow!(
            "The oldest transaction cannot be uploaded: {error}. To take it out of the queue: rowtide queue reject {} {id}",
            quoted_path(path)
        ),
        _ => explained(error, path),
    }
}

/// All rejected transactions, or one.
pub(super) fn rejected(database: &Database, id: Option<i64>) -> Result<Vec<Transaction>> {
    rejected_rows(database, id).map_err(|error| explained(error, database.path()))
}

fn rejected_rows(database: &Database, id: Option<i64>) -> rusqlite::Result<Vec<Transaction>> {
    let sql = "SELECT transaction_id, entry_id, op, type, id, data, old, metadata, at, code, message, details \
        FROM powersync_rejected WHERE ?1 IS NULL OR transaction_id = ?1 ORDER BY transaction_id, entry_id";
    let mut statement = database.connection().prepare(sql)?;
    let mut rows = statement.query([id])?;
    let mut all: Vec<Transaction> = Vec::new();
    while let Some(row) = rows.next()? {
        let id: String = row.get::<_, i64>(0)?.to_string();
        let text = |column: usize| row.get::<_, Option<String>>(column);
        let mut write =
            json!({"entry_id": row.get::<_, i64>(1)?.to_string(), "op": text(2)?, "table": text(3)?, "id": text(4)?});
        let parsed = |column: usize| text(column).map(|json| json.and_then(|json| serde_json::from_str(&json).ok()));
        let more: [(&str, Option<Value>); 3] =
            [("op_data", parsed(5)?), ("previous_values", parsed(6)?), ("metadata", text(7)?.map(Value::from))];
        if let Some(members) = write.as_object_mut() {
            members.extend(more.into_iter().filter_map(|(name, value)| Some((name.to_owned(), value?))));
        }
        match all.last_mut().filter(|last| last.id == id) {
            Some(last) => last.writes.push(write),
            None => {
                let refusal = Refusal { at: row.get(8)?, code: text(9)?, message: text(10)?, details: text(11)? };
                all.push(Transaction { id, writes: vec![write], refusal: Some(refusal) });
            }
        }
    }
    Ok(all)
}

/// The transaction with this id, wherever it is.
pub(super) fn find(database: &Database, id: i64) -> Result<Option<Transaction>> {
    if let Some(found) = rejected(database, Some(id))?.pop() {
        return Ok(Some(found));
    }
    let (waiting, _) = waiting(database, i64::MAX)?;
    Ok(waiting.into_iter().find(|transaction| transaction.id == id.to_string()))
}
