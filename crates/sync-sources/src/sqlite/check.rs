//! The setup test: what of a file, its schema and the capture keeps rows from being synced, and what to do.

use rusqlite::Connection;
use sync_config::TablePattern;
use sync_engine::source::{Check, ErrorClass, SourceError};

use super::failure::Result;
use super::inner::Inner;
use super::log;
use super::registry;
use super::rows::Reader;
use super::schema::{self, Key, SCHEMA, TableInfo};
use super::values::quoted;
use crate::common::is_matched;

/// Does not change the file.
pub(crate) fn run(inner: &Inner, patterns: &[TablePattern]) -> Vec<Check> {
    let mut checks = vec![writable(inner)];
    let result = inner.read("testing the source", |connection| {
        let mut found = Vec::new();
        journal(connection, &mut found)?;
        captures(connection, &mut found)?;
        tables(connection, patterns, &mut found)?;
        Ok(found)
    });
    match result {
        Ok(found) => checks.extend(found),
        Err(error) => checks.push(failed("file", error)),
    }
    checks
}

fn fine(name: &'static str, message: impl Into<String>) -> Check {
    Check { name, ok: true, message: message.into(), fix: String::new() }
}

fn wrong(name: &'static str, message: String, fix: String) -> Check {
    Check { name, ok: false, message, fix }
}

fn failed(name: &'static str, error: SourceError) -> Check {
    wrong(name, error.message, "Make the file readable, and see what has it locked.".to_owned())
}

/// Begins a write and takes it back.
fn writable(inner: &Inner) -> Check {
    let path = inner.path.display();
    let result = inner.try_write(|connection| Ok(connection.is_readonly("main")?));
    let fix = || format!("Let the user that the service runs as write {path} and its folder.");
    match result {
        Ok(false) => fine("writable", format!("{path} can be written")),
        Ok(true) => wrong("writable", format!("{path} can only be read, and captures need to write to it"), fix()),
        Err(error) if error.class == ErrorClass::Retry => {
            wrong("writable", error.message, "End the transaction that keeps the file locked.".to_owned())
        }
        Err(error) => wrong("writable", error.message, fix()),
    }
}

fn journal(connection: &Connection, checks: &mut Vec<Check>) -> Result<()> {
    let mode: String = connection.query_row("PRAGMA main.journal_mode", [], |row| row.get(0))?;
    let mut check = fine("journal mode", format!("the journal mode is {mode}"));
    if mode != "wal" {
        check.message.push_str(": the app and the service wait for each other while one of them writes");
        check.fix = "PRAGMA journal_mode = WAL;".to_owned();
    }
    checks.push(check);
    Ok(())
}

fn captures(connection: &Connection, checks: &mut Vec<Check>) -> Result<()> {
    let meta = match log::meta(connection) {
        Ok(Some(meta)) => meta,
        Ok(None) => {
            for name in [log::LOG, log::CAPTURED] {
                if log::exists(connection, name)? {
                    checks.push(wrong("names", format!("there is a table {name} that is not ours"), rename(name)));
                }
            }
            checks.push(fine("capture", "nothing is captured yet"));
            return Ok(());
        }
        Err(super::failure::Failure::Source(error)) => {
            checks.push(wrong("names", error.message, rename(log::META)));
            return Ok(());
        }
        Err(failure) => return Err(failure),
    };
    let mut count = 0_usize;
    let is_current = log::is_current(connection, &meta)?;
    for captured in registry::all(connection)? {
        if captured.dropped_at.is_some() {
            continue;
        }
        let name = &captured.definition.table.name;
        count = count.saturating_add(1);
        let sql =
            "SELECT count(*) FROM main.sqlite_master WHERE type = 'trigger' AND tbl_name = ?1 AND name IN (?2, ?3, ?4)";
        let [insert, update, delete] = super::capture::needed_names(captured.id);
        let triggers: i64 = connection.query_row(sql, [name, &insert, &update, &delete], |row| row.get(0))?;
        if triggers < 3 {
            let message = format!("triggers of table {name} are missing: it was created again, or they were dropped");
            let fix = "Nothing: a running stream creates them, and compares all rows of the table.".to_owned();
            checks.push(wrong("triggers", message, fix));
        }
        for index in &captured.definition.unfollowed {
            let message = format!(
                "a row of table {name} that INSERT OR REPLACE or UPDATE OR REPLACE deletes because of {index} is not \
                noticed if its key is another one"
            );
            let fix = "Use ON CONFLICT … DO UPDATE instead, or run PRAGMA recursive_triggers = ON in each connection \
                that writes.";
            checks.push(wrong("replaced rows", message, fix.to_owned()));
        }
    }
    let state = if is_current { "" } else { "; the schema has changed since" };
    checks.push(fine("capture", format!("{count} tables are captured{state}")));
    Ok(())
}

fn rename(name: &str) -> String {
    format!("ALTER TABLE {name} RENAME TO …; the name is reserved.")
}

fn tables(connection: &Connection, patterns: &[TablePattern], checks: &mut Vec<Check>) -> Result<()> {
    let tables = schema::tables(connection)?;
    let kinds = schema::kinds(connection)?;
    for pattern in patterns {
        let one = std::slice::from_ref(pattern);
        if tables.iter().any(|table| is_matched(one, SCHEMA, &table.name)) {
            continue;
        }
        let name = &pattern.table;
        let kind = kinds.iter().find(|(found, _)| found == name).map(|(_, kind)| kind.as_str());
        let similar = kinds.iter().find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(found, _)| found);
        checks.push(match (kind, similar) {
            _ if pattern.is_wildcard() => fine("tables", format!("no table matches {name} yet")),
            (Some(_), _) if schema::RESERVED.iter().any(|prefix| name.starts_with(prefix)) => wrong(
                "names",
                format!("{name} is not synced: names that begin with {} are reserved", schema::RESERVED.join(", ")),
                format!("ALTER TABLE {name} RENAME TO …;"),
            ),
            (Some("table"), _) => wrong(
                "keys",
                format!("nothing identifies the rows of {name}: it has no primary key, and columns have all names of the rowid"),
                format!("Give {name} a primary key."),
            ),
            (Some(kind), _) => wrong(
                "tables",
                format!("{name} is a {kind}, whose changes cannot be captured"),
                "Sync the tables that it is made of.".to_owned(),
            ),
            (None, Some(similar)) => wrong(
                "tables",
                format!("there is no table {name}, but {similar}: names are compared exactly"),
                format!("Write {similar} in the configuration."),
            ),
            (None, None) => wrong("tables", format!("there is no table {name}"), format!("Create {name}.")),
        });
    }
    for table in tables.iter().filter(|table| is_matched(patterns, SCHEMA, &table.name)) {
        table_check(connection, table, checks)?;
    }
    Ok(())
}

fn table_check(connection: &Connection, table: &TableInfo, checks: &mut Vec<Check>) -> Result<()> {
    let name = &table.name;
    match &table.key {
        Key::Rowid => {
            let mut check = fine("keys", format!("{name} has no primary key: its rows are identified by their rowid"));
            check.message.push_str(", which VACUUM changes, so that all rows are compared after it");
            check.fix = format!("Create {name} again with a primary key.");
            checks.push(check);
        }
        Key::Integer(_) => {}
        Key::Columns(_) => {
            let nulls: Vec<String> = table.key_names().iter().map(|key| format!("{key} IS NULL")).collect();
            let from = format!("FROM main.{} WHERE {}", quoted(name), nulls.join(" OR "));
            if connection.prepare(&format!("SELECT 1 {from}"))?.exists([])? {
                let message = format!("{name} has rows with NULL in the primary key, which are left out");
                let fix = format!("DELETE {from}; or give them a key, and declare its columns NOT NULL.");
                checks.push(wrong("keys", message, fix));
            }
        }
    }
    let read = Reader::new(connection, table).and_then(|reader| reader.page(table, None, 1).map(|_| ()));
    if let Err(super::failure::Failure::Sqlite(error)) = read {
        let message = format!("{name} cannot be read: {error}");
        let fix = "Functions and collations that only the app has cannot be in keys and generated columns.".to_owned();
        checks.push(wrong("reading", message, fix));
    } else {
        checks.push(fine("reading", format!("{name} can be read")));
    }
    Ok(())
}
