//! Compares what a client's database holds with the model: shown rows, the upload queue, and the ids at the gate.

use std::collections::{BTreeMap, BTreeSet};

use rowtide_testkit::Host;
use rowtide_testkit::host::HostError;
use serde_json::Value;

use crate::client::{Client, Step, Stop, ensure, failed};
use crate::rows::{Key, Row, Rows, Schema, Table};

impl Client {
    /// What the application sees.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read_shown(&mut self, second: bool) -> Step<Rows> {
        let schema = self.schema;
        shown(self.host(second)?, schema).map_err(|error| failed("reading what is shown", &error))
    }

    /// Everything that is stored passes the library's own checks.
    ///
    /// # Errors
    /// If one finds something.
    pub fn verify(&mut self) -> Step<()> {
        let sql = "SELECT powersync_diagnose('verify') -> '$.verification.findings'";
        let rows = self.host(false)?.try_rows(sql, []).map_err(|error| failed(sql, &error))?;
        ensure(rows[0][0] == "[]", || format!("client {}: {}", self.index, rows[0][0]))
    }

    /// Changes the file behind the library's back, and has it repaired: what was published is published again by the
    /// next checkpoint, and what was downloaded is perhaps downloaded again.
    ///
    /// # Errors
    /// If the damage is not found, or found again after the repair.
    pub fn damage(&mut self, how: u8) -> Step<()> {
        const DAMAGE: [&str; 5] = [
            "DELETE FROM ps_data__notes",
            r#"UPDATE ps_data__notes SET data = '{"name":"damaged"}'"#,
            "UPDATE ps_buckets SET op_checksum = op_checksum + 1",
            "DELETE FROM ps_row_operations WHERE row_type = 'notes'",
            "INSERT INTO ps_data__notes(id, data) VALUES ('damaged', '{}')",
        ];
        self.execute(false, DAMAGE[usize::from(how) % DAMAGE.len()])?;
        self.in_transaction(false, "SELECT powersync_repair('all')")?;
        self.follow_deletions(false)
    }

    /// Compares the database with the model.
    ///
    /// # Errors
    /// If they differ.
    pub fn check(&mut self, second: bool) -> Step<()> {
        let second = second && self.is_open(true);
        let shown = self.read_shown(second)?;
        let host = self.host(second)?;
        let read = |sql: &str| host.try_rows(sql, []).map_err(|error| failed(sql, &error));
        let queue = read("SELECT tx_id, id, data FROM ps_crud ORDER BY id")?;
        let rejected = read("SELECT transaction_id, data FROM ps_rejected ORDER BY transaction_id, entry_id")?;
        let keys = read("SELECT key, CAST(value AS INTEGER) FROM ps_kv WHERE key LIKE '%checkpoint_request_id'")?;
        let key = |name: &str| keys.iter().find(|row| row[0] == name).and_then(|row| row[1].as_i64());
        let model = &self.model;
        let index = self.index;
        ensure(shown == model.shown, || format!("client {index} shows {shown:?}\n but should show {:?}", model.shown))?;
        check_queue(&queue, &model.queue).map_err(|message| Stop::Failure(format!("client {index}: {message}")))?;
        let mut found = BTreeMap::<i64, Vec<Value>>::new();
        for row in rejected {
            let entry = row[1].as_str().and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default();
            found.entry(row[0].as_i64().unwrap_or(0)).or_default().push(entry);
        }
        ensure(found == model.rejected, || {
            format!("client {index} has rejected {found:?}\n but should have {:?}", model.rejected)
        })?;
        for (name, expected) in [
            ("target_checkpoint_request_id", model.target),
            ("last_seen_checkpoint_request_id", model.seen),
            ("last_applied_checkpoint_request_id", model.applied),
            ("last_requested_checkpoint_request_id", model.requested),
        ] {
            let found = key(name);
            ensure(found == expected, || format!("client {index}: {name} is {found:?}, should be {expected:?}"))?;
        }
        Ok(())
    }
}

/// What an application sees that has declared `schema`.
///
/// # Errors
/// If it cannot be read.
pub fn shown(host: &Host, schema: Schema) -> Result<Rows, HostError> {
    Ok(host.try_rows(&schema.shown(), [])?.iter().filter_map(|row| shown_row(row)).collect())
}

fn shown_row(row: &[Value]) -> Option<(Key, Row)> {
    let key = (Table::named(row[0].as_str()?)?, row[1].as_str()?.to_owned());
    Some((key, Row { name: row[2].as_str().map(str::to_owned), n: row[3].as_i64() }))
}

/// Whether the queue holds exactly these transactions, each under its own id and without gaps.
fn check_queue(rows: &[Vec<Value>], expected: &[Vec<Value>]) -> Result<(), String> {
    let mut transactions: Vec<(i64, i64, Vec<Value>)> = Vec::new();
    for row in rows {
        let (Some(transaction), Some(id)) = (row[0].as_i64(), row[1].as_i64()) else {
            return Err(format!("an entry without ids: {row:?}"));
        };
        let entry = row[2].as_str().and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default();
        match transactions.last_mut() {
            Some((current, last, entries)) if *current == transaction => {
                if *last + 1 != id {
                    return Err(format!("transaction {transaction} has a gap before entry {id}"));
                }
                *last = id;
                entries.push(entry);
            }
            _ => transactions.push((transaction, id, vec![entry])),
        }
    }
    let ids: BTreeSet<i64> = transactions.iter().map(|(transaction, _, _)| *transaction).collect();
    if ids.len() != transactions.len() {
        return Err(format!("a transaction id is used twice: {rows:?}"));
    }
    let found: Vec<Vec<Value>> = transactions.into_iter().map(|(_, _, entries)| entries).collect();
    if found != expected {
        return Err(format!("the queue holds {found:?}\n but should hold {expected:?}"));
    }
    Ok(())
}
