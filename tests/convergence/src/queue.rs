//! A client's upload queue by its functions (docs/reference/functions.md#upload-queue): whole transactions at a time, with
//! a result for each; and what becomes of those that the service refuses.

use serde_json::{Value, json};

use crate::action::Upload;
use crate::backend::Backend;
use crate::client::{Client, Step, Stop, ensure, failed};
use crate::local::Transaction;
use crate::rows::Table;

/// A transaction that is to be uploaded.
struct Next {
    id: i64,
    last_entry: i64,
    entries: Vec<Value>,
}

impl Client {
    /// Uploads up to `count` transactions together. `otherwise` chooses between ways to do the same.
    ///
    /// # Errors
    /// If the queue holds something else than it should, or the process is killed.
    pub fn upload_together(&mut self, backend: &mut Backend, count: u8, result: Upload, otherwise: bool) -> Step<()> {
        let transactions = self.next_transactions(count, otherwise.then_some(200))?;
        if transactions.is_empty() {
            return Ok(());
        }
        let refused = usize::from(result == Upload::Reject);
        if result != Upload::Fail {
            self.point()?;
            for transaction in &transactions[refused..] {
                if let Some(position) = backend.upload(&transaction.entries) {
                    self.model.own_position = position;
                }
            }
        }
        match result {
            Upload::LoseAnswer => Ok(()),
            Upload::Accept if otherwise => self.complete_transactions(backend, &transactions),
            _ => self.give_results(&transactions, result),
        }
    }

    /// The oldest transactions of the queue; they must be what was written.
    fn next_transactions(&mut self, count: u8, max_bytes: Option<i64>) -> Step<Vec<Next>> {
        let limit = max_bytes.map_or(String::new(), |bytes| format!(", {bytes}"));
        let next = self.query(false, &format!("SELECT powersync_crud_next({count}{limit})"))?;
        let next: Value = parse(&next[0][0])?;
        let listed = next["transactions"].as_array().cloned().unwrap_or_default();
        let transactions: Vec<Next> = listed.iter().map(read_transaction).collect();
        let found: Vec<&Vec<Value>> = transactions.iter().map(|transaction| &transaction.entries).collect();
        let queue = &self.model.queue;
        let has_most = max_bytes.is_some() || found.len() == queue.len().min(count.into());
        let is_right = found.iter().copied().eq(queue.iter().take(found.len()))
            && has_most
            && found.is_empty() == queue.is_empty()
            && next["more"] == (found.len() < queue.len());
        ensure(is_right, || format!("next gives {next}\n from {queue:?}"))?;
        Ok(transactions)
    }

    /// Completes all of them, and stores the write checkpoint for them if the queue is empty then.
    fn complete_transactions(&mut self, backend: &mut Backend, transactions: &[Next]) -> Step<()> {
        let Some(last) = transactions.last().map(|transaction| transaction.last_entry) else { return Ok(()) };
        let id = if self.has_requests() { None } else { Some(backend.create_write_checkpoint(self.index)) };
        let checkpoint = id.map_or("NULL".to_owned(), |id| format!("'{id}'"));
        let removed: usize = transactions.iter().map(|transaction| transaction.entries.len()).sum();
        let is_empty = transactions.len() == self.model.queue.len();
        let sql = format!("SELECT powersync_crud_complete({last}, {checkpoint})");
        self.call(&sql, |answer| *answer == json!({"removed": removed, "empty": is_empty}))?;
        self.model.queue.drain(..transactions.len());
        if is_empty && id.is_some() {
            self.model.target = id;
        }
        Ok(())
    }

    /// Hands the service's answer back: the first transaction has this result, and all others were accepted, unless it
    /// failed.
    fn give_results(&mut self, transactions: &[Next], first: Upload) -> Step<()> {
        let success = json!({"status": "success"});
        let (result, others) = match first {
            Upload::Reject => {
                (json!({"status": "fatal_error", "failed_operation": {"error_code": "refused"}}), success)
            }
            Upload::Fail => {
                (json!({"status": "retryable_error", "retry_after_ms": 5}), json!({"status": "not_attempted"}))
            }
            _ => (success.clone(), success),
        };
        let results: Vec<Value> =
            std::iter::once(result).chain(std::iter::repeat_n(others, transactions.len() - 1)).collect();
        let ids: Vec<String> = transactions.iter().map(|transaction| transaction.id.to_string()).collect();
        let (count, rejected) = match first {
            Upload::Reject => (transactions.len() - 1, &ids[..1]),
            Upload::Fail => (0, &ids[..0]),
            _ => (transactions.len(), &ids[..0]),
        };
        let is_empty = first != Upload::Fail && transactions.len() == self.model.queue.len();
        let retry_after = if first == Upload::Fail { json!(5) } else { Value::Null };
        let expected = json!({"completed": count, "rejected": rejected, "blocked_by": null,
            "retry_after_ms": retry_after, "empty": is_empty});
        let (results, options) = (json!(results), json!({"transaction_ids": ids}));
        self.call(&format!("SELECT powersync_crud_results('{results}', '{options}')"), |answer| *answer == expected)?;
        if first != Upload::Fail {
            let taken: Vec<Vec<Value>> = self.model.queue.drain(..transactions.len()).collect();
            if first == Upload::Reject {
                self.model.rejected.extend(transactions.iter().map(|transaction| transaction.id).zip(taken).take(1));
            }
        }
        Ok(())
    }

    /// Gives up a transaction, wherever it is in the queue.
    ///
    /// # Errors
    /// If that fails, or the process is killed.
    pub fn reject(&mut self, transaction: u8) -> Step<()> {
        if self.model.queue.is_empty() {
            return Ok(());
        }
        let ids = self.query(false, "SELECT tx_id FROM ps_crud GROUP BY tx_id ORDER BY min(id)")?;
        let index = usize::from(transaction) % ids.len();
        let id = ids[index][0].as_i64().unwrap_or(0);
        self.call(&format!("SELECT powersync_crud_reject({id}, 'refused', 'by hand')"), Value::is_null)?;
        self.model.rejected.insert(id, self.model.queue.remove(index));
        Ok(())
    }

    /// Tries a rejected transaction again, as a new one at the end of the queue, or forgets it.
    ///
    /// # Errors
    /// If that fails, or the process is killed.
    pub fn retry(&mut self, transaction: u8, discard: bool) -> Step<()> {
        let count = self.model.rejected.len().max(1);
        let chosen = self.model.rejected.iter().nth(usize::from(transaction) % count);
        let Some((id, entries)) = chosen.map(|(id, entries)| (*id, entries.clone())) else { return Ok(()) };
        let has_table =
            |entry: &Value| entry["type"].as_str().and_then(Table::named).is_some_and(|table| self.schema.has(table));
        if discard {
            self.call(&format!("SELECT powersync_crud_discard({id})"), Value::is_null)?;
        } else if entries.iter().all(has_table) {
            self.call(&format!("SELECT powersync_crud_retry({id})"), Value::is_i64)?;
            let mut transaction = Transaction::new(self.model.shown.clone(), self.schema);
            transaction.apply_again(&entries);
            self.model.shown = transaction.work.shown;
            self.model.written.extend(transaction.work.written);
            self.model.queue.push(transaction.work.entries);
            self.model.close_gate();
            self.retried += 1;
        } else {
            return Ok(());
        }
        self.model.rejected.remove(&id);
        Ok(())
    }

    /// Forgets all rejected transactions.
    ///
    /// # Errors
    /// If that fails.
    pub fn discard_all(&mut self) -> Step<()> {
        while !self.model.rejected.is_empty() {
            self.retry(0, true)?;
        }
        Ok(())
    }

    /// Calls a function in its own transaction, whose answer must be right.
    fn call(&mut self, sql: &str, is_right: impl FnOnce(&Value) -> bool) -> Step<()> {
        self.execute(false, "BEGIN IMMEDIATE")?;
        self.point()?;
        let rows = self.host(false)?.try_rows(sql, []).map_err(|error| failed(sql, &error))?;
        let answer = if rows[0][0].is_null() { Value::Null } else { parse(&rows[0][0])? };
        ensure(is_right(&answer), || format!("{sql} gives {answer}"))?;
        self.execute(false, "COMMIT")
    }
}

/// JSON text of a column.
fn parse(column: &Value) -> Step<Value> {
    let parsed = column.as_str().and_then(|text| serde_json::from_str(text).ok());
    parsed.ok_or_else(|| Stop::Failure(format!("no JSON: {column}")))
}

/// A transaction as `powersync_crud_next` lists it, its entries as the queue holds them.
fn read_transaction(listed: &Value) -> Next {
    let number = |value: &Value| value.as_str().and_then(|text| text.parse().ok()).unwrap_or(0);
    let entry = |listed: &Value| {
        let mut entry = json!({"op": listed["op"], "id": listed["id"], "type": listed["table"]});
        for (name, member) in [("op_data", "data"), ("previous_values", "old"), ("metadata", "metadata")] {
            if let Some(value) = listed.get(name) {
                entry[member] = value.clone();
            }
        }
        entry
    };
    Next {
        id: number(&listed["transaction_id"]),
        last_entry: number(&listed["last_entry_id"]),
        entries: listed["crud"].as_array().into_iter().flatten().map(entry).collect(),
    }
}
