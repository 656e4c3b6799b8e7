//! Calls of the functions of the upload queue and of `powersync_upsert` with any arguments: one that fails changes nothing,
//! one that succeeds leaves a consistent database, and entries are only lost by being completed or discarded.
//!
//! An input has one call a line: the function's name without `powersync_`, a space, and its arguments with `|` between
//! them. A decimal number is given as an integer, `null` as NULL, and anything else as text.

use rowtide_testkit::Host;
use rowtide_testkit::invariants::assert_consistent;
use rusqlite::types::Value as SqlValue;
use serde_json::{Value, json};

use crate::invariants::assert_refusal;

/// The functions, each with the numbers of arguments that it takes.
const FUNCTIONS: &[(&str, [usize; 2])] = &[
    ("crud_results", [2, 2]),
    ("crud_next", [1, 2]),
    ("crud_complete", [1, 2]),
    ("crud_reject", [3, 4]),
    ("crud_retry", [1, 1]),
    ("crud_discard", [1, 1]),
    ("upsert", [2, 2]),
    ("explain", [2, 2]),
];

/// Calls after which no more are made.
const MOST_CALLS: usize = 20;

/// Runs the target.
pub(crate) fn run(input: &[u8]) {
    let input = String::from_utf8_lossy(input);
    let host = filled();
    for line in input.lines().take(MOST_CALLS) {
        let (name, arguments) = line.split_once(' ').unwrap_or((line, ""));
        let (name, counts) = *FUNCTIONS.iter().find(|(known, _)| *known == name).unwrap_or(&FUNCTIONS[0]);
        let mut arguments: Vec<SqlValue> = arguments.split('|').map(argument).take(counts[1]).collect();
        arguments.resize(arguments.len().max(counts[0]), SqlValue::Null);
        call(&host, name, arguments);
    }
    assert_consistent(&host);
    host.try_close().expect("nothing keeps the connection from closing");
}

fn argument(text: &str) -> SqlValue {
    match text.parse::<i64>() {
        Ok(integer) => integer.into(),
        Err(_) if text == "null" => SqlValue::Null,
        Err(_) => SqlValue::Text(text.to_owned()),
    }
}

/// A database with tables of all kinds, five queued transactions, one of them without an id, and a rejected one.
fn filled() -> Host {
    let host = crate::open();
    let text = |name: &str| json!({"name": name, "type": "text"});
    let columns = || json!([text("name"), {"name": "size", "type": "integer"}]);
    host.replace_schema(&json!({"tables": [
        {"name": "lists", "columns": columns(), "include_old": true, "include_metadata": true},
        {"name": "direct", "columns": columns(), "direct": true, "ignore_empty_update": true},
        {"name": "events", "columns": columns(), "insert_only": true},
        {"name": "drafts", "columns": columns(), "local_only": true},
    ]}));
    for sql in [
        "INSERT INTO lists(id, name) VALUES ('l1', 'a'), ('l2', 'b')",
        "UPDATE lists SET size = 1, _metadata = 'm'",
        "INSERT INTO direct(id, name) VALUES ('d1', 'a')",
        "INSERT INTO events(id, name) VALUES ('e1', 'a')",
        "INSERT INTO ps_crud(data) VALUES ('{\"op\":\"DELETE\",\"type\":\"lists\",\"id\":\"l9\"}')",
        "INSERT INTO ps_rejected(transaction_id, entry_id, at, data)
            VALUES (100, 100, 1, '{\"op\":\"PATCH\",\"type\":\"lists\",\"id\":\"l1\",\"data\":{\"name\":\"c\"}}')",
    ] {
        host.execute(sql);
    }
    host
}

fn call(host: &Host, name: &str, arguments: Vec<SqlValue>) {
    let marks = vec!["?"; arguments.len()].join(", ");
    let (before, entries) = (dump(host), count(host));
    host.execute("BEGIN IMMEDIATE");
    let called = host.try_rows(&format!("SELECT powersync_{name}({marks})"), rusqlite::params_from_iter(arguments));
    match called {
        Err(error) => {
            assert_refusal(&error);
            assert_eq!(dump(host), before, "{name} failed and changed something: {error}");
            host.execute("ROLLBACK");
        }
        Ok(rows) => {
            host.execute("COMMIT");
            check(host, name, &rows[0][0], entries);
        }
    }
}

/// Checks a result, given how many entries were queued or rejected before.
fn check(host: &Host, name: &str, result: &Value, entries: i64) {
    // SQLite reads it: what is copied as it was given may have numbers and escapes that serde_json refuses.
    let read = |path: &str| host.value_with("SELECT ?1 ->> ?2", [result.as_str().unwrap_or_default(), path]);
    let lost = entries - count(host);
    match name {
        "crud_complete" => assert_eq!(read("$.removed"), lost),
        "crud_results" => {
            assert!(lost >= read("$.completed").as_i64().expect("a number"), "{result}");
            assert_eq!(read("$.empty"), host.value("SELECT count(*) = 0 FROM ps_crud"), "{result}");
        }
        "crud_next" => {
            assert_eq!(read("$.more").as_i64().map(|more| more & !1), Some(0), "{result}");
            assert_eq!(lost, 0);
        }
        "crud_reject" | "crud_retry" | "explain" => assert_eq!(lost, 0),
        "crud_discard" => assert!(lost > 0),
        _ => assert!(lost <= 0 && result.is_i64(), "{result}"),
    }
}

/// Entries that are queued or rejected.
fn count(host: &Host) -> i64 {
    let count = host.value("SELECT (SELECT count(*) FROM ps_crud) + (SELECT count(*) FROM ps_rejected)");
    count.as_i64().expect("a number")
}

fn dump(host: &Host) -> Vec<Value> {
    const TABLES: [&str; 8] = [
        "ps_crud",
        "ps_rejected",
        "ps_kv",
        "ps_tx",
        "ps_updated_rows",
        "ps_data__lists",
        "ps_data_local__drafts",
        "direct",
    ];
    TABLES.iter().map(|table| host.table(&format!("SELECT * FROM {table}"))).collect()
}
