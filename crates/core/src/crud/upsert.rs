//! Writing rows given as JSON objects to views and tables of the schema, whose triggers record them as local writes.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{Error, Result};

use crate::connection::Database;
use crate::text::{copy, push_identifier, push_json_path};

/// The column by which an app says something about a write.
const METADATA: &str = "_metadata";

/// A view or table that rows are written to.
#[derive(Debug)]
pub(crate) struct Table {
    name: String,
    columns: Vec<String>,
}

impl Table {
    fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|name| name == column)
    }
}

/// The tables that were found so far, so that each is looked for once.
pub(crate) struct Tables<'d, 'c> {
    database: &'d Database<'c>,
    found: Vec<Table>,
}

impl<'d, 'c> Tables<'d, 'c> {
    pub(crate) fn new(database: &'d Database<'c>) -> Self {
        Self { database, found: Vec::new() }
    }

    /// The view or table called `name`.
    ///
    /// # Errors
    /// An argument error if there is none with a column `id`; errors of SQLite.
    pub(crate) fn find(&mut self, name: &str) -> Result<&Table> {
        const COLUMNS: &str = "SELECT name FROM pragma_table_info(?1, 'main')";
        let position = match self.found.iter().position(|table| table.name == name) {
            Some(position) => position,
            None => {
                let mut columns = Vec::new();
                let mut rows = self.database.query(COLUMNS, &[name.into()])?;
                while let Some(row) = rows.next()? {
                    columns.try_reserve(1)?;
                    columns.push(copy(row.text(0)?)?);
                }
                self.found.try_reserve(1)?;
                self.found.push(Table { name: copy(name)?, columns });
                self.found.len().saturating_sub(1)
            }
        };
        match self.found.get(position).filter(|table| table.has("id")) {
            Some(table) => Ok(table),
            None => Err(Error::argument(format!("there is no table {name} with a column id"))),
        }
    }
}

/// Inserts a row, or updates the columns of it that `members`, a JSON object, has. Its id is that given, else the member
/// `id`.
///
/// # Errors
/// An argument error if there is no id, or a member is no column; errors of SQLite, also those of triggers.
pub(crate) fn upsert_row(
    database: &Database<'_>,
    table: &Table,
    id: Option<&str>,
    members: &str,
    metadata: Option<&str>,
) -> Result<()> {
    let mut columns = given_columns(database, table, members)?;
    if metadata.is_some() && table.has(METADATA) {
        columns.try_reserve(1)?;
        columns.push(METADATA.into());
    }
    let found_id = match id {
        Some(id) => copy(id)?,
        None => id_of(database, table, members)?,
    };
    let mut sql = String::new();
    if exists(database, table, &found_id)? {
        if columns.is_empty() {
            return Ok(());
        }
        sql.push_str("UPDATE main.");
        push_identifier(&mut sql, &table.name);
        for (index, column) in columns.iter().enumerate() {
            sql.push_str(if index == 0 { " SET " } else { ", " });
            push_identifier(&mut sql, column);
            sql.push_str(" = ");
            push_value(&mut sql, column, metadata)?;
        }
        sql.push_str(" WHERE id = ?1");
    } else {
        sql.push_str("INSERT INTO main.");
        push_identifier(&mut sql, &table.name);
        sql.push_str("(id");
        for column in &columns {
            sql.push_str(", ");
            push_identifier(&mut sql, column);
        }
        sql.push_str(") VALUES (?1");
        for column in &columns {
            sql.push_str(", ");
            push_value(&mut sql, column, metadata)?;
        }
        sql.push(')');
    }
    let mut statement = database.cached_text(&sql)?;
    let parameters = [found_id.as_str().into(), members.into(), metadata.into()];
    let used = if metadata.is_some() && table.has(METADATA) {
        3
    } else if columns.is_empty() {
        1
    } else {
        2
    };
    statement.execute(parameters.get(..used).unwrap_or(&[]))
}

/// Deletes a row, if there is one.
///
/// # Errors
/// Errors of SQLite, also those of triggers.
pub(crate) fn delete_row(database: &Database<'_>, table: &Table, id: &str) -> Result<()> {
    let mut sql = String::from("DELETE FROM main.");
    push_identifier(&mut sql, &table.name);
    sql.push_str(" WHERE id = ?1");
    database.cached_text(&sql)?.execute(&[id.into()])
}

/// Appends where the value of a column is.
fn push_value(sql: &mut String, column: &str, metadata: Option<&str>) -> Result<()> {
    if column == METADATA && metadata.is_some() {
        sql.push_str("?3");
        return Ok(());
    }
    sql.push_str("?2 ->> ");
    push_json_path(sql, column)
}

/// The members of the object but `id`, each of which has to be a column.
fn given_columns(database: &Database<'_>, table: &Table, members: &str) -> Result<Vec<String>> {
    const KEYS: &str = "SELECT key FROM json_each(?1) WHERE key <> 'id' GROUP BY key ORDER BY min(id)";
    let mut rows = database.query(KEYS, &[members.into()])?;
    let mut columns = Vec::new();
    while let Some(row) = rows.next()? {
        let key = row.text(0)?;
        if !table.has(key) {
            return Err(Error::argument(format!("table {} has no column {key}", table.name)));
        }
        columns.try_reserve(1)?;
        columns.push(copy(key)?);
    }
    Ok(columns)
}

fn id_of(database: &Database<'_>, table: &Table, members: &str) -> Result<String> {
    const ID: &str = "SELECT ?1 ->> '$.id'";
    let mut rows = database.query(ID, &[members.into()])?;
    let id = match rows.next()? {
        Some(row) => row.optional_text(0)?.map(copy).transpose()?,
        None => None,
    };
    id.ok_or_else(|| Error::argument(format!("a row of {} needs an id", table.name)))
}

fn exists(database: &Database<'_>, table: &Table, id: &str) -> Result<bool> {
    let mut sql = String::from("SELECT 1 FROM main.");
    push_identifier(&mut sql, &table.name);
    sql.push_str(" WHERE id = ?1");
    let mut statement = database.cached_text(&sql)?;
    let mut rows = statement.query(&[id.into()])?;
    Ok(rows.next()?.is_some())
}
