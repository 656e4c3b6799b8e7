//! Fills an SQLite source with what an SQL script creates, and goes back to that.
//!
//! The script runs on a file of its own, since it may have transactions itself, as the output of `sqlite3 app.db .dump` has.
//! What it has created is then copied in one transaction, so that clients see it at once or not at all.

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, TransactionBehavior};

use crate::sql::quoted;

/// How long a program that writes to the source is waited for.
const BUSY: Duration = Duration::from_secs(5);

/// Creates the file if it does not exist, and runs the script for it if it has no tables yet.
///
/// # Errors
/// The file cannot be written, or the script fails.
pub(super) fn prepare(path: &Path, script: Option<&Path>) -> Result<(), String> {
    let failed = |error: rusqlite::Error| format!("Opening the source {}: {error}", path.display());
    let connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    connection.query_row("PRAGMA journal_mode = WAL", [], |_| Ok(())).map_err(failed)?;
    match script {
        Some(script) if objects(&connection, "main", Kind::Table).map_err(failed)?.is_empty() => reset(path, script),
        _ => Ok(()),
    }
}

/// Makes the tables, rows, indexes, views and triggers those of the script, in one transaction.
///
/// # Errors
/// The file cannot be written, or the script fails. Then nothing is changed.
pub(super) fn reset(path: &Path, script: &Path) -> Result<(), String> {
    let sql = std::fs::read_to_string(script).map_err(|error| format!("Reading {}: {error}", script.display()))?;
    let folder = tempfile::tempdir().map_err(|error| format!("Creating a temporary folder: {error}"))?;
    let seed = folder.path().join("seed.db");
    // This file is read once and thrown away: it need not outlive a crash, and waits for the disk would be most of a start.
    let fast = "PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY";
    let run = Connection::open(&seed).and_then(|connection| {
        connection.execute_batch(fast)?;
        connection.execute_batch(&sql)
    });
    run.map_err(|error| format!("Running {}: {error}", script.display()))?;
    replace(path, &seed).map_err(|error| format!("Resetting the source {}: {error}", path.display()))
}

fn replace(path: &Path, seed: &Path) -> rusqlite::Result<()> {
    let mut connection = Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    connection.busy_timeout(BUSY)?;
    // All rows are replaced, in any order.
    connection.execute_batch("PRAGMA foreign_keys = OFF")?;
    connection.execute("ATTACH ?1 AS seed", [seed.to_string_lossy()])?;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    // The script's rows are as its triggers have left them.
    drop_others(&transaction, Kind::Trigger, &[])?;
    let wanted = |kind| objects(&transaction, "seed", kind);
    let tables = wanted(Kind::Table)?;
    for kind in [Kind::View, Kind::Index] {
        drop_others(&transaction, kind, &wanted(kind)?)?;
    }
    drop_others(&transaction, Kind::Table, &tables)?;
    create_missing(&transaction, Kind::Table, &tables)?;
    for table in &tables {
        copy_rows(&transaction, &table.name)?;
    }
    for kind in [Kind::Index, Kind::View, Kind::Trigger] {
        create_missing(&transaction, kind, &wanted(kind)?)?;
    }
    transaction.commit()
}

#[derive(Clone, Copy)]
enum Kind {
    Table,
    Index,
    View,
    Trigger,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::Index => "index",
            Self::View => "view",
            Self::Trigger => "trigger",
        }
    }
}

/// A table, index, view or trigger.
#[derive(PartialEq, Eq)]
struct Object {
    name: String,
    sql: String,
}

/// Those of the app: not SQLite's own, not those of the capture of changes, and not those of the write path.
fn objects(connection: &Connection, schema: &str, kind: Kind) -> rusqlite::Result<Vec<Object>> {
    let sql = format!(
        "SELECT name, sql FROM {schema}.sqlite_master WHERE type = ?1 AND sql IS NOT NULL
            AND name NOT GLOB 'sqlite_*' AND name NOT GLOB '_sync_*' AND name NOT GLOB '_rowtide_*' ORDER BY rowid"
    );
    let mut statement = connection.prepare(&sql)?;
    statement.query_map([kind.name()], |row| Ok(Object { name: row.get(0)?, sql: row.get(1)? }))?.collect()
}

fn drop_others(connection: &Connection, kind: Kind, kept: &[Object]) -> rusqlite::Result<()> {
    for object in objects(connection, "main", kind)?.iter().filter(|object| !kept.contains(object)) {
        connection.execute_batch(&format!("DROP {} main.{}", kind.name(), quoted(&object.name)))?;
    }
    Ok(())
}

/// Their texts name no database, so they are created in the main one.
fn create_missing(connection: &Connection, kind: Kind, wanted: &[Object]) -> rusqlite::Result<()> {
    let present = objects(connection, "main", kind)?;
    for object in wanted.iter().filter(|object| !present.contains(object)) {
        connection.execute_batch(&object.sql)?;
    }
    Ok(())
}

fn copy_rows(connection: &Connection, table: &str) -> rusqlite::Result<()> {
    let columns = "SELECT name FROM pragma_table_xinfo(?1, 'seed') WHERE hidden = 0 ORDER BY cid";
    let mut columns = connection.prepare(columns)?;
    let columns: rusqlite::Result<Vec<String>> = columns.query_map([table], |row| row.get(0))?.collect();
    let columns = columns?.iter().map(|column| quoted(column)).collect::<Vec<_>>().join(", ");
    let name = quoted(table);
    connection.execute_batch(&format!(
        "DELETE FROM main.{name};
         INSERT INTO main.{name} ({columns}) SELECT {columns} FROM seed.{name}"
    ))?;
    let counts = "SELECT count(*) FROM seed.sqlite_master WHERE name = 'sqlite_sequence'";
    if connection.query_row(counts, [], |row| row.get::<_, i64>(0))? > 0 {
        connection.execute("DELETE FROM main.sqlite_sequence WHERE name = ?1", [table])?;
        let sql = "INSERT INTO main.sqlite_sequence SELECT * FROM seed.sqlite_sequence WHERE name = ?1";
        connection.execute(sql, [table])?;
    }
    Ok(())
}
