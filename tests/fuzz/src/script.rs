//! Sessions as text, one step a line: a word and what belongs to it. They are what the targets about a whole client
//! take as input, because text can be read, cut, doubled and spliced line by line.
//!
//! | step | does |
//! | --- | --- |
//! | `line <JSON>` | gives a sync line |
//! | `bytes <hexadecimal digits>` | gives a line as BSON |
//! | `complete`, `partial <priority>` | announces the checksums that are stored, and completes that checkpoint |
//! | `write <n>` | one of [`LOCAL_WRITES`] |
//! | `uploaded` | empties the upload queue |
//! | `schema <n>` | one of [`SCHEMAS`] |
//! | `clear <flags>`, `resync <clear>` | those functions |
//! | `down <format>` | migrates down to a format, and up again |
//! | `rollback` | the next call of `powersync_control` succeeds, but its transaction does not |
//! | `set <table>.<column> <n> <value>` | changes a row of an internal table |
//! | `copy <table> <n>`, `delete <table> <n>` | doubles or deletes one |
//! | any other word | that operation of `powersync_control`, with the rest as its payload: nothing is NULL, an integer is an integer, and `'` makes text of it |

use rowtide_testkit::Host;
use rowtide_testkit::host::HostError;
use serde_json::{Value, json};

/// Steps of a script that are run.
const MOST_STEPS: usize = 60;

/// Writes of an application. Most are refused where a schema does not have their table.
pub(crate) const LOCAL_WRITES: &[&str] = &[
    "INSERT INTO lists (id, name) VALUES ('w1', 'mine')",
    "UPDATE lists SET name = coalesce(name, '') || '!'",
    "DELETE FROM lists WHERE id = (SELECT min(id) FROM lists)",
    "INSERT OR REPLACE INTO todos (id, list_id, done) VALUES ('t1', 'w1', 1)",
    "UPDATE todos SET done = NULL WHERE id = (SELECT max(id) FROM todos)",
    "INSERT INTO events (id, kind) VALUES ('e1', 'click')",
    "UPDATE lists SET id = NULL",
    "INSERT INTO notes (id, content) VALUES ('n1', 'text') ON CONFLICT DO UPDATE SET content = content || '.'",
    "DELETE FROM notes",
    "INSERT OR REPLACE INTO tags (id, label) VALUES ('g1', 2)",
    "UPDATE tags SET label = label || 'x'",
    "SAVEPOINT s; INSERT INTO lists (id, name) VALUES ('w2', 'gone'); ROLLBACK TO s;
     INSERT INTO lists (id, name) VALUES ('w3', 'kept'); RELEASE s",
    "BEGIN; INSERT INTO lists (id) VALUES ('w4'); INSERT INTO drafts (id, body) VALUES ('d1', 'x'); COMMIT",
    "UPDATE lists SET _deleted = TRUE, _metadata = 'why' WHERE id = 'w1'",
];

/// Schemas that an application may have, one after the other.
pub(crate) const SCHEMAS: &[&str] = &[
    r#"{"tables":[
        {"name":"lists","columns":[{"name":"name","type":"text"}],"include_metadata":true,"include_old":true},
        {"name":"todos","columns":[{"name":"list_id","type":"text"},{"name":"done","type":"integer"}],
         "indexes":[{"name":"by_list","columns":[{"name":"list_id","ascending":false,"type":"text"}]}]},
        {"name":"events","columns":[{"name":"kind","type":"text"}],"insert_only":true},
        {"name":"drafts","columns":[{"name":"body","type":"text"}],"local_only":true},
        {"name":"tags","columns":[{"name":"label","type":"text"}],"direct":true}],
      "raw_tables":[{"name":"notes","table_name":"notes","clear":"DELETE FROM notes"}]}"#,
    r#"{"tables":[
        {"name":"lists","columns":[{"name":"name","type":"text"},{"name":"size","type":"integer"}]},
        {"name":"todos","columns":[{"name":"done","type":"real"},{"name":"list_id","type":"text"}],"direct":true},
        {"name":"tags","columns":[{"name":"label","type":"text"},{"name":"color","type":"text"}],"direct":true},
        {"name":"drafts","columns":[{"name":"body","type":"text"}]}],
      "raw_tables":[{"name":"notes","put":{"sql":"INSERT OR REPLACE INTO notes(id, content, rest) VALUES (?, ?, ?)",
        "params":["Id",{"Column":"content"},"Rest"]},"delete":{"sql":"DELETE FROM notes WHERE id = ?","params":["Id"]}}]}"#,
    r#"{"tables":[]}"#,
];

/// One of `choices` by a number in a script.
fn choice<T: Copy>(choices: &[T], number: &str) -> T {
    choices[number.trim().parse::<usize>().unwrap_or(0) % choices.len()]
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Step<'s> {
    /// Gives a sync line as JSON.
    Line(&'s str),
    /// Calls `powersync_control`.
    Control(&'s str, rusqlite::types::Value),
    /// Completes a checkpoint over what is stored: of a priority, or as a whole.
    Complete(Option<i64>),
    /// Runs SQL.
    Sql(String),
    /// Rolls the next call of `powersync_control` back.
    Rollback,
}

/// The steps of a script; those beyond a bound are left out.
pub(crate) fn steps(script: &str) -> Vec<Step<'_>> {
    script.lines().filter(|line| !line.is_empty()).take(MOST_STEPS).map(step).collect()
}

fn step(line: &str) -> Step<'_> {
    let (word, rest) = line.split_once(' ').unwrap_or((line, ""));
    match word {
        "line" => Step::Line(rest),
        "bytes" => Step::Control("line_binary", rusqlite::types::Value::Blob(unhex(rest))),
        "complete" => Step::Complete(None),
        "partial" => Step::Complete(Some(rest.parse().unwrap_or(3))),
        "write" => Step::Sql(choice(LOCAL_WRITES, rest).to_owned()),
        "uploaded" => Step::Sql("DELETE FROM ps_crud".to_owned()),
        "schema" => {
            Step::Sql(format!("BEGIN; SELECT powersync_replace_schema({}); COMMIT", quote(choice(SCHEMAS, rest))))
        }
        "clear" => Step::Sql(format!("BEGIN; SELECT powersync_clear({}); COMMIT", integer(rest))),
        "resync" => Step::Sql(format!("BEGIN; SELECT powersync_trigger_resync({}); COMMIT", integer(rest))),
        "down" => Step::Sql(format!(
            "BEGIN; SELECT powersync_test_migration({}); SELECT powersync_init(); COMMIT",
            integer(rest).clamp(10, 14)
        )),
        "rollback" => Step::Rollback,
        "set" | "copy" | "delete" => Step::Sql(damage(word, rest).unwrap_or_default()),
        _ => Step::Control(word, payload(rest)),
    }
}

fn integer(text: &str) -> i64 {
    text.trim().parse().unwrap_or(0)
}

fn payload(text: &str) -> rusqlite::types::Value {
    match (text, text.parse::<i64>()) {
        ("", _) => rusqlite::types::Value::Null,
        (_, Ok(integer)) => integer.into(),
        _ => text.strip_prefix('\'').unwrap_or(text).to_owned().into(),
    }
}

fn unhex(digits: &str) -> Vec<u8> {
    let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|pair| u8::from_str_radix(pair, 16).ok());
    digits.as_bytes().chunks(2).map_while(byte).collect()
}

fn quote(text: &str) -> String {
    rowtide_testkit::versions::quote(text)
}

/// The tables that may be damaged. Not `ps_migration`: what it says is run.
const TABLES: &[&str] = &[
    "ps_kv",
    "ps_buckets",
    "ps_operations",
    "ps_row_operations",
    "ps_updated_rows",
    "ps_updated_rows_limit",
    "ps_untyped",
    "ps_crud",
    "ps_tx",
    "ps_sync_state",
    "ps_stream_subscriptions",
    "ps_checkpoint",
    "ps_data__lists",
    "ps_data__todos",
    "tags",
];

/// The statement that damages a row; None if the step names no table that may be damaged.
fn damage(word: &str, rest: &str) -> Option<String> {
    let mut parts = rest.splitn(3, ' ');
    let (place, number) = (parts.next()?, integer(parts.next()?).clamp(0, 1000));
    let (table, column) = place.split_once('.').unwrap_or((place, ""));
    let table = TABLES.iter().find(|known| **known == table)?;
    if !column.chars().all(|c| c.is_ascii_alphanumeric() || c == '_') {
        return None;
    }
    // Tables without a rowid are identified by their whole keys.
    let key = match *table {
        "ps_row_operations" => "(row_type, row_id, operation)",
        "ps_updated_rows_limit" => "id",
        _ => "rowid",
    };
    let columns = key.trim_matches(['(', ')']);
    let row = format!("{key} = (SELECT {columns} FROM {table} LIMIT 1 OFFSET {number})");
    match word {
        "set" => Some(format!("UPDATE OR REPLACE {table} SET {column} = {} WHERE {row}", literal(parts.next()?))),
        "delete" => Some(format!("DELETE FROM {table} WHERE {row}")),
        _ => Some(format!("INSERT OR REPLACE INTO {table} SELECT * FROM {table} WHERE {row}")),
    }
}

/// An SQL literal for a value of a script: `NULL`, a number, or text.
fn literal(value: &str) -> String {
    match value.strip_prefix("x'").map(unhex) {
        Some(bytes) => format!("x'{}'", rowtide_testkit::values::hex(&bytes)),
        None if value == "NULL" || value.parse::<i64>().is_ok() => value.to_owned(),
        None => match value.parse::<f64>() {
            Ok(real) if real.is_finite() => format!("{real:e}"),
            _ => quote(&value.replace('\0', "")),
        },
    }
}

/// A client that runs scripts.
#[derive(Debug)]
pub(crate) struct Client {
    /// The database.
    pub host: Host,
    rolls_back: bool,
}

impl Client {
    /// A client with the first schema, and with the raw table that belongs to it.
    pub(crate) fn new() -> Self {
        let host = crate::open();
        host.execute("CREATE TABLE notes(id TEXT PRIMARY KEY, content TEXT, rest TEXT) STRICT");
        host.transaction("SELECT powersync_replace_schema(?)", [SCHEMAS[0]]);
        host.transaction("UPDATE ps_kv SET value = '11111111-2222-4333-8444-555555555555' WHERE key = 'client_id'", []);
        let trigger = json!({ "name": "notes", "table_name": "notes" }).to_string();
        for write in ["INSERT", "UPDATE", "DELETE"] {
            let sql = "SELECT powersync_create_raw_table_crud_trigger(?1, 'notes_' || ?2, ?2)";
            host.rows_with(sql, [trigger.as_str(), write]);
        }
        Self { host, rolls_back: false }
    }

    /// Runs a step; `as_binary` gives lines as BSON where they can be written so. What it gives is the results of the
    /// calls of `powersync_control`, in an array.
    ///
    /// # Errors
    /// What SQLite reports; the transaction is rolled back.
    pub(crate) fn run(&mut self, step: &Step<'_>, as_binary: bool) -> Result<Value, HostError> {
        match step {
            Step::Line(text) => self.line(text, as_binary),
            Step::Control(operation, payload) => self.control(operation, payload.clone()),
            Step::Complete(priority) => self.complete(*priority, as_binary),
            Step::Sql(sql) => self.sql(sql),
            Step::Rollback => {
                self.rolls_back = true;
                Ok(Value::Null)
            }
        }
    }

    fn sql(&self, sql: &str) -> Result<Value, HostError> {
        let result = self.host.try_execute(sql);
        if !self.host.connection().is_autocommit() {
            self.host.try_execute("ROLLBACK")?;
        }
        result.map(|()| Value::Null)
    }

    fn control(&mut self, operation: &str, payload: rusqlite::types::Value) -> Result<Value, HostError> {
        if !std::mem::take(&mut self.rolls_back) {
            return self.host.try_control(operation, payload).map(|result| json!([result]));
        }
        let undone = HostError { code: 0, message: String::new() };
        let result = self.host.in_transaction(|host| {
            host.try_rows("SELECT powersync_control(?, ?)", rusqlite::params![operation, payload])?;
            Err::<Value, _>(undone.clone())
        });
        if result == Err(undone) { Ok(Value::Null) } else { result }
    }

    fn line(&mut self, text: &str, as_binary: bool) -> Result<Value, HostError> {
        match serde_json::from_str::<Value>(text) {
            Ok(value) if value.is_object() && as_binary && !crate::expected_line::depends_on_encoding(&value) => {
                self.control("line_binary", rowtide_testkit::bson::encode(&value).into())
            }
            // Written again, no member is there twice, which only JSON distinguishes from once.
            Ok(value) => self.control("line_text", value.to_string().into()),
            Err(_) => self.control("line_text", text.to_owned().into()),
        }
    }

    fn complete(&mut self, priority: Option<i64>, as_binary: bool) -> Result<Value, HostError> {
        let buckets = self.host.try_rows(
            "SELECT name, (add_checksum + op_checksum) & 0xffffffff, last_op, id % 4 FROM ps_buckets ORDER BY name",
            [],
        )?;
        let last_op_id = buckets.iter().filter_map(|bucket| bucket[2].as_i64()).fold(0, i64::max).to_string();
        let describe =
            |bucket: &Vec<Value>| json!({ "bucket": bucket[0], "checksum": bucket[1], "priority": bucket[3] });
        let buckets: Vec<Value> = buckets.iter().map(describe).collect();
        let checkpoint = json!({ "checkpoint": { "last_op_id": last_op_id, "buckets": buckets } });
        let complete = match priority {
            None => json!({ "checkpoint_complete": { "last_op_id": last_op_id } }),
            Some(priority) => {
                json!({ "partial_checkpoint_complete": { "last_op_id": last_op_id, "priority": priority } })
            }
        };
        let announced = self.line(&checkpoint.to_string(), as_binary)?;
        Ok(json!([announced, self.line(&complete.to_string(), as_binary)?]))
    }
}
