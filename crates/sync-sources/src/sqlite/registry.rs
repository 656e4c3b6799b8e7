//! Which tables are captured, as the file remembers it.

use rusqlite::{Connection, Row};

use super::failure::Result;
use super::schema::TableInfo;
use crate::error::configuration;

/// A table that is captured, or was.
#[derive(Clone, Debug)]
pub(crate) struct Captured {
    pub(crate) id: i64,
    pub(crate) generation: u32,
    pub(crate) definition: Definition,
    /// Where the log says that it is gone.
    pub(crate) dropped_at: Option<i64>,
}

/// What is stored of a table.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(crate) struct Definition {
    pub(crate) table: TableInfo,
    /// Unique indexes through which a replaced row is not noticed.
    pub(crate) unfollowed: Vec<String>,
}

/// All of them, in the order in which they were captured.
pub(crate) fn all(connection: &Connection) -> Result<Vec<Captured>> {
    let sql = "SELECT id, generation, definition, dropped_at FROM main._sync_table ORDER BY id";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([])?;
    let mut captured = Vec::new();
    while let Some(row) = rows.next()? {
        captured.push(read(row)?);
    }
    Ok(captured)
}

fn read(row: &Row<'_>) -> Result<Captured> {
    let definition: String = row.get(2)?;
    let damaged = |_| configuration("the source's table _sync_table is damaged: remove the capture and begin again");
    Ok(Captured {
        id: row.get(0)?,
        generation: row.get(1)?,
        definition: serde_json::from_str(&definition).map_err(damaged)?,
        dropped_at: row.get(3)?,
    })
}

/// Adds a table, and returns its number.
pub(crate) fn add(connection: &Connection, table: &TableInfo, generation: u32) -> Result<i64> {
    let sql = "INSERT INTO main._sync_table(name, generation) VALUES (?1, ?2)";
    connection.execute(sql, (&table.name, generation))?;
    Ok(connection.last_insert_rowid())
}

/// Describes a table.
pub(crate) fn define(connection: &Connection, id: i64, definition: &Definition) -> Result<()> {
    let text = serde_json::to_string(definition).unwrap_or_default();
    connection.execute("UPDATE main._sync_table SET definition = ?2 WHERE id = ?1", (id, text))?;
    Ok(())
}

/// Remembers that a table is gone until everybody has seen that.
pub(crate) fn mark_dropped(connection: &Connection, id: i64, at: i64) -> Result<()> {
    connection.execute("UPDATE main._sync_table SET dropped_at = ?2 WHERE id = ?1", [id, at])?;
    Ok(())
}

/// The next generation of a name. Numbers are kept of names, too, since entries of gone tables are deleted.
pub(crate) fn next_generation(connection: &Connection, name: &str) -> Result<u32> {
    let key = format!("generation {name}");
    let sql = "SELECT value FROM main._sync_meta WHERE key = ?1";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([&key])?;
    let last: Option<u32> = rows.next()?.map(|row| row.get(0)).transpose()?;
    let next = last.unwrap_or(0).saturating_add(1);
    let sql = match last {
        None => "INSERT INTO main._sync_meta(key, value) VALUES (?1, ?2)",
        Some(_) => "UPDATE main._sync_meta SET value = ?2 WHERE key = ?1",
    };
    connection.execute(sql, (&key, next))?;
    Ok(next)
}
