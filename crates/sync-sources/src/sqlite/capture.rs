//! The triggers that log which rows are written.
//!
//! A trigger only inserts, with no function and no constraint that could fail, so that it never stops a write. Keys are
//! logged as values, not as text: texts with NUL, blobs and reals stay exact, and no version of SQLite lacks anything.

use rusqlite::Connection;
use sync_engine::source::SourceError;

use super::conflict::{Conflict, conflicts};
use super::failure::Result;
use super::log;
use super::schema::{Key, PREFIX, TableInfo};
use super::values::quoted;
use crate::error::configuration;

/// A trigger: its name and its statement.
struct Trigger {
    name: String,
    sql: String,
}

/// The names of all triggers that a capture can have.
pub(crate) fn names(id: i64) -> [String; 5] {
    ["insert", "update", "delete", "before_insert", "before_update"].map(|event| format!("{PREFIX}{id}_{event}"))
}

/// The names of those that each capture has.
pub(crate) fn needed_names(id: i64) -> [String; 3] {
    let [insert, update, delete, ..] = names(id);
    [insert, update, delete]
}

/// Creates the triggers of a table, and returns the unique indexes through which a replaced row is not noticed.
pub(crate) fn create(connection: &Connection, id: i64, table: &TableInfo) -> Result<Vec<String>> {
    log::widen(connection, table.key_width())?;
    let (found, mut unfollowed) = conflicts(table);
    // Other triggers of the table may use functions that only the app has; then nothing can be tried.
    let can_try = compiles(connection, table);
    for trigger in after(id, table) {
        connection.execute_batch(&trigger.sql)?;
    }
    if can_try && !compiles(connection, table) {
        return Err(cannot_capture(table).into());
    }
    let (cut, plain): (Vec<&Conflict>, Vec<&Conflict>) = found.iter().partition(|conflict| conflict.is_cut);
    let all: Vec<&Conflict> = found.iter().collect();
    // What is cut out of statements is only used if it can be tried: a trigger must not stop a write.
    let first = can_try.then(|| (all.clone(), Vec::new()));
    for (followed, left) in first.into_iter().chain([(plain, cut), (Vec::new(), all)]) {
        let triggers = if followed.is_empty() { Vec::new() } else { before(id, table, &followed) };
        let created = triggers.iter().try_for_each(|trigger| connection.execute_batch(&trigger.sql));
        if created.is_ok() && (!can_try || compiles(connection, table)) {
            unfollowed.extend(left.into_iter().map(|conflict| conflict.name.clone()));
            break;
        }
        for trigger in triggers {
            connection.execute_batch(&format!("DROP TRIGGER IF EXISTS main.{}", quoted(&trigger.name)))?;
        }
    }
    Ok(unfollowed)
}

/// Removes the triggers of a capture, on whichever table they are now.
pub(crate) fn drop_triggers(connection: &Connection, id: i64) -> Result<()> {
    for name in names(id) {
        connection.execute_batch(&format!("DROP TRIGGER IF EXISTS main.{}", quoted(&name)))?;
    }
    Ok(())
}

/// Logs all rows, as if each was written.
pub(crate) fn log_all(connection: &Connection, id: i64, table: &TableInfo) -> Result<()> {
    let names = table.key_names();
    let is_there: Vec<String> = names.iter().map(|name| format!("{name} IS NOT NULL")).collect();
    let sql = format!(
        "INSERT INTO main.{}({}) SELECT {id}, {}, {} FROM main.{} WHERE {}",
        log::LOG,
        log_columns(table),
        log::ROW,
        names.join(", "),
        quoted(&table.name),
        is_there.join(" AND ")
    );
    connection.execute(&sql, [])?;
    Ok(())
}

fn after(id: i64, table: &TableInfo) -> Vec<Trigger> {
    let [insert, update, delete, ..] = names(id);
    let new = log_row(id, table, "NEW");
    let old = log_row(id, table, "OLD");
    let other_key = format!("NOT ({})", same_key(table, "OLD.", "NEW."));
    let trigger = |name, event, body: String| trigger(table, name, event, &body);
    vec![
        trigger(insert, "AFTER INSERT", format!("{new};")),
        trigger(update, "AFTER UPDATE", format!("{old} WHERE {other_key}; {new};")),
        trigger(delete, "AFTER DELETE", format!("{old};")),
    ]
}

/// Log what a write may replace. An update is asked only if it changes what must be unique, so that others cost little.
fn before(id: i64, table: &TableInfo, conflicts: &[&Conflict]) -> Vec<Trigger> {
    let [.., insert, update] = names(id);
    let keys = table.key_names();
    let is_other = |row: &str| format!("NOT ({})", same_key(table, "", row));
    let body = |row: &str, is_update: bool| {
        let one = |conflict: &&Conflict| {
            let changed = conflict.changed.as_ref().filter(|_| is_update);
            let changed = changed.map(|changed| format!("({changed}) AND ")).unwrap_or_default();
            format!(
                "INSERT INTO {}({}) SELECT {id}, {}, {} FROM {} WHERE {changed}{} AND {};",
                log::LOG,
                log_columns(table),
                log::ROW,
                keys.join(", "),
                quoted(&table.name),
                conflict.condition,
                is_other(row)
            )
        };
        conflicts.iter().map(one).collect::<Vec<_>>().join(" ")
    };
    let trigger = |name, event, body: String| trigger(table, name, event, &body);
    vec![trigger(insert, "BEFORE INSERT", body("NEW.", false)), trigger(update, "BEFORE UPDATE", body("OLD.", true))]
}

fn trigger(table: &TableInfo, name: String, event: &str, body: &str) -> Trigger {
    let on = quoted(&table.name);
    let sql = format!("CREATE TRIGGER main.{} {event} ON {on} BEGIN {body} END", quoted(&name));
    Trigger { name, sql }
}

/// `INSERT … SELECT` of one key.
fn log_row(id: i64, table: &TableInfo, row: &str) -> String {
    let keys: Vec<String> = table.key_names().iter().map(|name| format!("{row}.{name}")).collect();
    format!("INSERT INTO {}({}) SELECT {id}, {}, {}", log::LOG, log_columns(table), log::ROW, keys.join(", "))
}

fn log_columns(table: &TableInfo) -> String {
    let keys = (1..=table.key_width()).map(|number| format!("k{number}"));
    ["tbl".to_owned(), "op".to_owned()].into_iter().chain(keys).collect::<Vec<_>>().join(", ")
}

/// Whether two rows have the same key of the same types, by bytes.
fn same_key(table: &TableInfo, a: &str, b: &str) -> String {
    let is_exact = matches!(table.key, Key::Rowid | Key::Integer(_));
    let same = |name: String| match is_exact {
        true => format!("{a}{name} = {b}{name}"),
        false => format!("{a}{name} COLLATE BINARY IS {b}{name} AND typeof({a}{name}) = typeof({b}{name})"),
    };
    table.key_names().into_iter().map(same).collect::<Vec<_>>().join(" AND ")
}

/// Whether SQLite can compile writes to the table, with all its triggers.
fn compiles(connection: &Connection, table: &TableInfo) -> bool {
    let name = quoted(&table.name);
    let column = table.columns.iter().find(|column| !column.is_generated).map(|column| quoted(&column.name));
    let update = column.map(|column| format!("UPDATE main.{name} SET {column} = {column}"));
    let statements =
        [Some(format!("INSERT INTO main.{name} DEFAULT VALUES")), update, Some(format!("DELETE FROM main.{name}"))];
    statements.into_iter().flatten().all(|sql| connection.prepare(&sql).is_ok())
}

fn cannot_capture(table: &TableInfo) -> SourceError {
    configuration(format!("triggers on table {} cannot be created: it cannot be synced", table.name))
}
