//! What the child processes of [`crate::processes`] do: all of them use one file, and each repeats what was refused
//! with SQLITE_BUSY until it succeeds.
//!
//! A child reads commands and writes results as JSON lines. A writer and a reader get one command and go on alone; they
//! report what they did as they do it, so that one that is killed has said what it has committed.

use std::cell::Cell;
use std::io::{self, BufRead, Write};
use std::path::Path;

use rowtide_testkit::Host;
use rowtide_testkit::host::HostError;
use rowtide_testkit::random::Random;
use serde_json::{Value, json};

use crate::rows::{Schema, Table};

/// Tables that a writer inserts into in each transaction, in this order.
pub const WRITTEN: [Table; 4] = [Table::Items, Table::Direct, Table::Raw, Table::Items];

/// The ids of the rows of a writer's transaction.
pub fn written_id(writer: u64, transaction: u64, row: usize) -> String {
    format!("w{writer}-{transaction}-{row}")
}

/// Serves commands from standard input on a connection to `path` until the input ends.
///
/// # Errors
/// What SQLite reports, but for SQLITE_BUSY.
pub fn serve(path: &Path) -> Result<(), HostError> {
    let worker = Worker::open(path)?;
    for line in io::stdin().lock().lines() {
        let command: Value = line.ok().and_then(|line| serde_json::from_str(&line).ok()).unwrap_or_default();
        let result = match command["do"].as_str() {
            Some("control") => worker.control(&command)?,
            Some("transaction") => worker.statements(&command)?,
            Some("query") => worker.retried(|host| host.try_rows(command["sql"].as_str().unwrap_or("?"), []))?.into(),
            Some("write") => worker.write(&command)?,
            Some("read") => worker.read(&command)?,
            _ => Value::Null,
        };
        worker.say(json!({"result": result}));
    }
    Ok(())
}

/// SQLITE_BUSY and its extended codes.
fn is_busy(error: &HostError) -> bool {
    error.code & 0xff == 5
}

struct Worker {
    host: Host,
    /// How often it was refused since it last reported.
    refused: Cell<u64>,
}

impl Worker {
    fn open(path: &Path) -> Result<Self, HostError> {
        let connection = rusqlite::Connection::open(path)?;
        // Every meeting of two processes is to be seen.
        connection.busy_timeout(std::time::Duration::ZERO)?;
        let worker = Self { host: Host::try_load_into(connection)?, refused: Cell::new(0) };
        worker.retried(|host| host.try_execute("PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF"))?;
        let schema = Schema::First.json().to_string();
        worker.retried(|host| host.try_transaction("SELECT powersync_replace_schema(?)", [&schema]))?;
        Ok(worker)
    }

    /// One line to the parent, with the number of refusals. There is no parent any more if this fails, and then it does
    /// not matter.
    fn say(&self, mut value: Value) {
        value["refused"] = self.refused.take().into();
        let mut output = io::stdout().lock();
        let _ = writeln!(output, "{value}").and_then(|()| output.flush());
    }

    /// Repeats `work` while it is refused; a transaction that it leaves open is rolled back.
    fn retried<T>(&self, mut work: impl FnMut(&Host) -> Result<T, HostError>) -> Result<T, HostError> {
        loop {
            let result = work(&self.host);
            if result.is_err() && !self.host.connection().is_autocommit() {
                self.host.try_execute("ROLLBACK")?;
            }
            match result {
                Err(error) if is_busy(&error) => {
                    self.refused.set(self.refused.get() + 1);
                    std::thread::yield_now();
                }
                other => return other,
            }
        }
    }

    /// Runs `work` in a transaction. One in three begins as a reader, which can be refused in the middle.
    fn in_transaction<T>(
        &self,
        number: u64,
        mut work: impl FnMut(&Host) -> Result<T, HostError>,
    ) -> Result<T, HostError> {
        let begin = if number.is_multiple_of(3) { "BEGIN; SELECT count(*) FROM ps_kv" } else { "BEGIN IMMEDIATE" };
        self.retried(|host| {
            host.try_execute(begin)?;
            let result = work(host)?;
            host.try_execute("COMMIT")?;
            Ok(result)
        })
    }

    fn control(&self, command: &Value) -> Result<Value, HostError> {
        let operation = command["operation"].as_str().unwrap_or_default();
        let number = command["number"].as_u64().unwrap_or(0);
        self.in_transaction(number, |host| match &command["payload"] {
            Value::String(text) => host.try_control_within(operation, text.as_str()),
            Value::Number(number) => host.try_control_within(operation, number.as_i64().unwrap_or(0)),
            _ => host.try_control_within(operation, ()),
        })
    }

    fn statements(&self, command: &Value) -> Result<Value, HostError> {
        let statements = command["statements"].as_array().cloned().unwrap_or_default();
        self.in_transaction(1, |host| {
            statements.iter().map(|sql| host.try_rows(sql.as_str().unwrap_or("?"), []).map(Value::from)).collect()
        })
    }

    /// Commits transactions `from` to `to`, and reports each.
    fn write(&self, command: &Value) -> Result<Value, HostError> {
        let number = |name: &str| command[name].as_u64().unwrap_or(0);
        let writer = number("writer");
        for transaction in number("from")..number("to") {
            self.in_transaction(transaction, |host| {
                for (row, table) in WRITTEN.iter().enumerate() {
                    let sql = format!("INSERT OR REPLACE INTO {}(id, name, n) VALUES (?, 'written', ?)", table.name());
                    host.try_rows(&sql, (written_id(writer, transaction, row), transaction.cast_signed()))?;
                }
                Ok(())
            })?;
            self.say(json!({"committed": transaction}));
        }
        Ok(Value::Null)
    }

    /// Reads what the others do until the service's last checkpoint is there: of each transaction all rows or none, and
    /// of the service's rows one checkpoint, never an older one than before.
    fn read(&self, command: &Value) -> Result<Value, HostError> {
        let mut random = Random::new(command["seed"].as_u64().unwrap_or(1));
        let (mut newest, mut seen) = (0, 0);
        while newest < LAST_CHECKPOINT {
            let (partly, checkpoints) = self.retried(|host| {
                host.try_execute("BEGIN")?;
                let partly = host.try_rows(PARTLY_SHOWN, [])?;
                if random.chance(30) {
                    std::thread::yield_now();
                }
                let checkpoints = host.try_rows("SELECT DISTINCT n FROM notes WHERE id GLOB 's*'", [])?;
                host.try_execute("COMMIT")?;
                Ok((partly, checkpoints))
            })?;
            let checkpoint = checkpoints.first().and_then(|row| row[0].as_i64()).unwrap_or(0);
            if !partly.is_empty() || checkpoints.len() > 1 || checkpoint < newest {
                return Ok(json!({"wrong": {"partly": partly, "checkpoints": checkpoints, "before": newest}}));
            }
            seen += u64::from(checkpoint > newest);
            newest = checkpoint;
        }
        Ok(json!({"seen": seen}))
    }
}

/// The number in the service's rows at which a reader ends.
pub const LAST_CHECKPOINT: i64 = 1_000_000_000;

/// Writers' transactions of which some rows are shown, but not all.
const PARTLY_SHOWN: &str = "SELECT rtrim(rtrim(id, '0123456789'), '-') AS batch, count(*) FROM
    (SELECT id FROM items UNION ALL SELECT id FROM direct UNION ALL SELECT id FROM raw)
    WHERE id GLOB 'w*' GROUP BY 1 HAVING count(*) <> 4";
