//! Writing rows given as JSON objects to views and tables of the schema, whose triggers record them as local writes.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use rowtide_json::ObjectMembers;

use crate::connection::Database;
use crate::error::{Error, Result};
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

/// Writes rows to one table. What rows with the same members have in common is made once.
pub(crate) struct RowUpserts<'t, 'c> {
    database: &'t Database<'c>,
    table: &'t Table,
    /// SQL that gives the id of a row, and whether it exists.
    find: String,
    shape: Option<Shape>,
}

/// What rows with the same members have in common.
struct Shape {
    /// The names of all members, in their order.
    members: Vec<String>,
    has_metadata: bool,
    insert: String,
    /// None if there is nothing to update.
    update: Option<String>,
    /// How many parameters the two have: the id, the members, and the metadata.
    parameters: usize,
}

impl<'t, 'c> RowUpserts<'t, 'c> {
    pub(crate) fn new(database: &'t Database<'c>, table: &'t Table) -> Self {
        const ID: &str = "CAST(coalesce(?2, ?1 ->> '$.id') AS TEXT)";
        let mut find = format!("SELECT {ID}, EXISTS (SELECT 1 FROM main.");
        push_identifier(&mut find, &table.name);
        find.push_str(" WHERE id = ");
        find.push_str(ID);
        find.push(')');
        Self { database, table, find, shape: None }
    }

    /// Inserts a row, or updates the columns of it that `members`, a JSON object, has. Its id is that given, else the
    /// member `id`.
    ///
    /// # Errors
    /// An argument error if there is no id, or a member is no column; errors of SQLite, also those of triggers.
    pub(crate) fn upsert(&mut self, id: Option<&str>, members: &str, metadata: Option<&str>) -> Result<()> {
        let metadata = metadata.filter(|_| self.table.has(METADATA));
        let shape = match self.shape.take() {
            Some(shape) if shape.fits(members, metadata.is_some()) => shape,
            _ => Shape::new(self.database, self.table, members, metadata.is_some())?,
        };
        let shape = self.shape.insert(shape);
        let mut find = self.database.cached_text(&self.find)?;
        let mut rows = find.query(&[members.into(), id.into()])?;
        let Some(found) = rows.next()? else { return Ok(()) };
        let Some(id) = found.optional_text(0)? else {
            return Err(Error::argument(format!("a row of {} needs an id", self.table.name)));
        };
        let sql = if found.integer(1) == 0 { Some(&shape.insert) } else { shape.update.as_ref() };
        let Some(sql) = sql else { return Ok(()) };
        let parameters = [id.into(), members.into(), metadata.into()];
        self.database.cached_text(sql)?.execute(parameters.get(..shape.parameters).unwrap_or(&[]))
    }
}

impl Shape {
    fn new(database: &Database<'_>, table: &Table, members: &str, has_metadata: bool) -> Result<Self> {
        let mut columns = given_columns(database, table, members)?;
        if has_metadata {
            columns.try_reserve(1)?;
            columns.push(METADATA.into());
        }
        let (mut insert, mut values) = (String::from("INSERT INTO main."), String::from(") VALUES (?1"));
        push_identifier(&mut insert, &table.name);
        insert.push_str("(id");
        let mut update = String::from("UPDATE main.");
        push_identifier(&mut update, &table.name);
        for (index, column) in columns.iter().enumerate() {
            insert.push_str(", ");
            push_identifier(&mut insert, column);
            values.push_str(", ");
            push_value(&mut values, column, has_metadata)?;
            update.push_str(if index == 0 { " SET " } else { ", " });
            push_identifier(&mut update, column);
            update.push_str(" = ");
            push_value(&mut update, column, has_metadata)?;
        }
        insert.push_str(&values);
        insert.push(')');
        update.push_str(" WHERE id = ?1");
        let parameters = if has_metadata {
            3
        } else if columns.is_empty() {
            1
        } else {
            2
        };
        let update = (!columns.is_empty()).then_some(update);
        Ok(Self { members: names(members)?, has_metadata, insert, update, parameters })
    }

    /// Whether a row has these members, in this order.
    fn fits(&self, members: &str, has_metadata: bool) -> bool {
        let mut names = self.members.iter();
        self.has_metadata == has_metadata
            && ObjectMembers::new(members)
                .all(|member| member.is_ok_and(|(name, _)| names.next().is_some_and(|known| *known == name)))
            && names.next().is_none()
    }
}

/// The names of an object's members.
fn names(members: &str) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for member in ObjectMembers::new(members) {
        names.try_reserve(1)?;
        names.push(copy(&member?.0)?);
    }
    Ok(names)
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
fn push_value(sql: &mut String, column: &str, has_metadata: bool) -> Result<()> {
    if column == METADATA && has_metadata {
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
