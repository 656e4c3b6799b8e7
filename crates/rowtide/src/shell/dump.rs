//! `.dump`: a database as SQL, which `sqlite3` turns into one again.
//!
//! Views and triggers come last, when all rows are there, so that no trigger runs while rows are inserted. `sqlite3` needs
//! none of the extension's functions for that: SQLite looks them up only when a view is read or a trigger runs. With the
//! extension loaded, an app can use the copy.

use std::io::Write;

use anyhow::Result;
use rusqlite::Connection;
use rusqlite::types::ValueRef;

use super::values::{literal, name};

/// Writes all objects, or those of the tables and views whose name is like `pattern`.
pub(super) fn write(connection: &Connection, pattern: Option<&str>, out: &mut dyn Write) -> Result<()> {
    // One state of the database, whatever others write meanwhile.
    let begins = connection.is_autocommit();
    if begins {
        connection.execute_batch("BEGIN")?;
    }
    let result = write_all(connection, pattern, out);
    if begins {
        connection.execute_batch("COMMIT")?;
    }
    result
}

fn write_all(connection: &Connection, pattern: Option<&str>, out: &mut dyn Write) -> Result<()> {
    writeln!(out, "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;")?;
    let sql = "SELECT name, sql FROM sqlite_schema WHERE type = 'table' AND sql NOT NULL \
        AND (?1 IS NULL OR name LIKE ?1) ORDER BY tbl_name = 'sqlite_sequence', rowid";
    let mut statement = connection.prepare(sql)?;
    let mut tables = statement.query([pattern])?;
    let mut has_virtual_tables = false;
    while let Some(row) = tables.next()? {
        let (table, sql): (String, String) = (row.get(0)?, row.get(1)?);
        match kind(&table, &sql) {
            Kind::Virtual => {
                // It would make its shadow tables, which come as tables.
                if !std::mem::replace(&mut has_virtual_tables, true) {
                    writeln!(out, "PRAGMA writable_schema=ON;")?;
                }
                let (text, sql) = (literal(ValueRef::Text(table.as_bytes())), literal(ValueRef::Text(sql.as_bytes())));
                writeln!(
                    out,
                    "INSERT INTO sqlite_schema(type,name,tbl_name,rootpage,sql)VALUES('table',{text},{text},0,{sql});"
                )?;
            }
            Kind::Sequence => {
                writeln!(out, "DELETE FROM sqlite_sequence;")?;
                rows(connection, &table, out)?;
            }
            Kind::Statistics => {
                writeln!(out, "ANALYZE sqlite_schema;")?;
                rows(connection, &table, out)?;
            }
            Kind::Internal => {}
            Kind::Table => {
                writeln!(out, "{}", terminated(&if_not_there(&sql)))?;
                rows(connection, &table, out)?;
            }
        }
    }
    others(connection, pattern, out)?;
    if has_virtual_tables {
        writeln!(out, "PRAGMA writable_schema=OFF;")?;
    }
    let version: i64 = connection.query_row("PRAGMA user_version", [], |row| row.get(0))?;
    if version != 0 && pattern.is_none() {
        writeln!(out, "PRAGMA user_version={version};")?;
    }
    writeln!(out, "COMMIT;")?;
    Ok(())
}

enum Kind {
    Table,
    Virtual,
    Sequence,
    Statistics,
    /// SQLite makes it.
    Internal,
}

fn kind(table: &str, sql: &str) -> Kind {
    let starts = |text: &str, with: &str| text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with));
    match table {
        "sqlite_sequence" => Kind::Sequence,
        "sqlite_stat1" => Kind::Statistics,
        _ if starts(table, "sqlite_") => Kind::Internal,
        _ if starts(sql, "CREATE VIRTUAL TABLE") => Kind::Virtual,
        _ => Kind::Table,
    }
}

/// Shadow tables may be there already, depending on what made the virtual table.
fn if_not_there(sql: &str) -> String {
    match sql.strip_prefix("CREATE TABLE '").or_else(|| sql.strip_prefix("CREATE TABLE \"")) {
        Some(rest) => {
            let quote = sql.chars().nth("CREATE TABLE ".len()).unwrap_or('"');
            format!("CREATE TABLE IF NOT EXISTS {quote}{rest}")
        }
        None => sql.to_owned(),
    }
}

/// The rows of a table, without columns that are computed.
fn rows(connection: &Connection, table: &str, out: &mut dyn Write) -> Result<()> {
    let columns = "SELECT name, hidden FROM pragma_table_xinfo(?)";
    let columns: rusqlite::Result<Vec<(String, i64)>> =
        connection.prepare(columns)?.query_map([table], |row| Ok((row.get(0)?, row.get(1)?)))?.collect();
    let columns = columns?;
    let stored: Vec<String> =
        columns.iter().filter(|(_, hidden)| *hidden == 0).map(|(column, _)| name(column)).collect();
    if stored.is_empty() {
        return Ok(());
    }
    let named = if stored.len() < columns.len() { format!("({})", stored.join(",")) } else { String::new() };
    let mut statement = connection.prepare(&format!("SELECT {} FROM {}", stored.join(","), name(table)))?;
    let mut rows = statement.query([])?;
    let target = name(table);
    while let Some(row) = rows.next()? {
        let values: rusqlite::Result<Vec<String>> =
            (0..stored.len()).map(|column| row.get_ref(column).map(literal)).collect();
        writeln!(out, "INSERT INTO {target}{named} VALUES({});", values?.join(","))?;
    }
    Ok(())
}

/// Indexes, views and triggers. A trigger needs its view.
fn others(connection: &Connection, pattern: Option<&str>, out: &mut dyn Write) -> Result<()> {
    let sql = "SELECT sql FROM sqlite_schema WHERE type <> 'table' AND sql NOT NULL \
        AND (?1 IS NULL OR tbl_name LIKE ?1 OR name LIKE ?1) \
        ORDER BY CASE type WHEN 'index' THEN 0 WHEN 'view' THEN 1 ELSE 2 END, rowid";
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query([pattern])?;
    while let Some(row) = rows.next()? {
        let sql: String = row.get(0)?;
        writeln!(out, "{}", terminated(&sql))?;
    }
    Ok(())
}

/// What ends with a comment needs its semicolon on another line.
pub(super) fn terminated(sql: &str) -> String {
    let end = if sql.lines().last().is_some_and(|line| line.contains("--")) { "\n;" } else { ";" };
    format!("{sql}{end}")
}
