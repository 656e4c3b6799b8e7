//! The tables of the file: columns, keys and unique indexes.

use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use sync_engine::row::{Column, SourceTable};

use super::failure::Result;
use super::values::quoted;
use crate::common::physical_id;

/// What names of our tables and triggers begin with.
pub(crate) const PREFIX: &str = "_sync_";

/// What names of tables begin with that are no app's: SQLite's, ours, and those of the service's write path.
pub(crate) const RESERVED: [&str; 3] = ["sqlite_", PREFIX, "_rowtide_"];

/// The schema of all tables.
pub(crate) const SCHEMA: &str = "main";

/// A table as the file has it. Two are equal if capturing and reading them is the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct TableInfo {
    pub(crate) name: String,
    /// All that `SELECT *` shows.
    pub(crate) columns: Vec<ColumnInfo>,
    pub(crate) key: Key,
    /// A name of the rowid that no column has; none if there is no rowid.
    pub(crate) rowid: Option<String>,
    /// Other than that of the primary key.
    pub(crate) unique: Vec<UniqueIndex>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ColumnInfo {
    pub(crate) name: String,
    pub(crate) type_name: String,
    /// What NULL becomes in an `OR REPLACE` statement: SQL of the default of a column that is NOT NULL.
    pub(crate) replaces_null: Option<String>,
    pub(crate) is_generated: bool,
}

/// What identifies a row.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Key {
    /// There is no primary key.
    Rowid,
    /// `INTEGER PRIMARY KEY`: the number of the column.
    Integer(usize),
    /// Another primary key.
    Columns(Vec<KeyColumn>),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeyColumn {
    pub(crate) column: usize,
    /// By which values are equal.
    pub(crate) collation: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct UniqueIndex {
    pub(crate) name: String,
    pub(crate) parts: Vec<IndexPart>,
    pub(crate) is_partial: bool,
    /// Its statement; none if it is part of the table's.
    pub(crate) sql: Option<String>,
}

/// A column by its name, or an expression.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IndexPart {
    pub(crate) column: Option<String>,
    pub(crate) collation: String,
}

impl TableInfo {
    /// As the service sees it. A table whose key is the rowid has that as its first column.
    pub(crate) fn source_table(&self, generation: u32) -> SourceTable {
        let column = |column: &ColumnInfo| Column { name: column.name.clone(), type_name: column.type_name.clone() };
        let mut columns: Vec<Column> = self.columns.iter().map(column).collect();
        let key = match &self.key {
            Key::Rowid => {
                let name = self.rowid.clone().unwrap_or_default();
                columns.insert(0, Column { name, type_name: "INTEGER".to_owned() });
                vec![0]
            }
            Key::Integer(column) => vec![*column],
            Key::Columns(key) => key.iter().map(|key| key.column).collect(),
        };
        let names = key.iter().filter_map(|column| columns.get(*column)).map(|column| column.name.as_str());
        SourceTable {
            physical_id: physical_id(&self.name, names, generation),
            schema: SCHEMA.to_owned(),
            name: self.name.clone(),
            columns,
            key,
            is_schemaless: false,
        }
    }

    /// The names of the key columns, quoted.
    pub(crate) fn key_names(&self) -> Vec<String> {
        let name = |column: &usize| self.columns.get(*column).map(|column| quoted(&column.name));
        match &self.key {
            Key::Rowid => self.rowid.iter().map(|rowid| quoted(rowid)).collect(),
            Key::Integer(column) => name(column).into_iter().collect(),
            Key::Columns(key) => key.iter().filter_map(|key| name(&key.column)).collect(),
        }
    }

    /// The key columns for comparisons and for the order of rows.
    pub(crate) fn key_terms(&self) -> Vec<String> {
        let names = self.key_names();
        match &self.key {
            Key::Columns(key) => {
                let term = |(name, key): (String, &KeyColumn)| format!("{name} COLLATE {}", quoted(&key.collation));
                names.into_iter().zip(key).map(term).collect()
            }
            _ => names,
        }
    }

    /// How many values a key has.
    pub(crate) fn key_width(&self) -> usize {
        match &self.key {
            Key::Rowid | Key::Integer(_) => 1,
            Key::Columns(key) => key.len(),
        }
    }

    /// Whether two values of the key can be equal to its index and be another key: texts that differ in case, 1 and 1.0.
    pub(crate) fn has_inexact_key(&self) -> bool {
        let Key::Columns(key) = &self.key else { return false };
        key.iter().any(|key| {
            let type_name = self.columns.get(key.column).map_or("", |column| column.type_name.as_str());
            !key.collation.eq_ignore_ascii_case("BINARY") || !has_affinity(type_name)
        })
    }
}

/// Whether a type makes numbers that are equal the same.
fn has_affinity(type_name: &str) -> bool {
    let type_name = type_name.to_ascii_uppercase();
    let is_none = type_name.is_empty() || type_name == "ANY";
    let is_blob =
        type_name.contains("BLOB") && !["INT", "CHAR", "CLOB", "TEXT"].iter().any(|part| type_name.contains(part));
    !is_none && !is_blob
}

/// The cookie that changes with the schema.
pub(crate) fn version(connection: &Connection) -> Result<i64> {
    Ok(connection.query_row("PRAGMA main.schema_version", [], |row| row.get(0))?)
}

/// What a name in the file is, as far as it is no table to be synced.
pub(crate) fn kinds(connection: &Connection) -> Result<Vec<(String, String)>> {
    let sql = "SELECT name, type FROM pragma_table_list WHERE schema = 'main' ORDER BY name";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// All tables that can be synced: no views, no virtual tables and what belongs to them, none with a reserved name.
pub(crate) fn tables(connection: &Connection) -> Result<Vec<TableInfo>> {
    let sql = "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' ORDER BY name";
    let mut statement = connection.prepare_cached(sql)?;
    let names = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, bool>(1)?)))?;
    let mut tables = Vec::new();
    for found in names {
        let (name, is_without_rowid) = found?;
        if RESERVED.iter().any(|prefix| name.starts_with(prefix)) {
            continue;
        }
        tables.extend(table(connection, name, is_without_rowid)?);
    }
    Ok(tables)
}

/// A table; none if nothing identifies its rows, because columns have taken all names of the rowid.
fn table(connection: &Connection, name: String, is_without_rowid: bool) -> Result<Option<TableInfo>> {
    let mut columns = Vec::new();
    let mut primary: Vec<(i64, usize)> = Vec::new();
    let sql = "SELECT name, type, \"notnull\", dflt_value, pk, hidden FROM pragma_table_xinfo(?1, 'main') ORDER BY cid";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([&name])?;
    while let Some(row) = rows.next()? {
        let hidden: i64 = row.get(5)?;
        if hidden == 1 {
            continue;
        }
        let place: i64 = row.get(4)?;
        if place > 0 {
            primary.push((place, columns.len()));
        }
        let default: Option<String> = if row.get(2)? { row.get(3)? } else { None };
        let type_name = row.get::<_, Option<String>>(1)?.unwrap_or_default();
        columns.push(ColumnInfo { name: row.get(0)?, type_name, replaces_null: default, is_generated: hidden > 1 });
    }
    primary.sort_unstable();
    let is_free = |alias: &&str| !columns.iter().any(|column| column.name.eq_ignore_ascii_case(alias));
    let alias = ["rowid", "_rowid_", "oid"].into_iter().find(is_free).map(str::to_owned);
    let rowid = alias.filter(|_| !is_without_rowid);
    let (unique, primary_index) = indexes(connection, &name)?;
    let key = match (primary.as_slice(), primary_index) {
        ([], _) if rowid.is_some() => Key::Rowid,
        ([], _) => return Ok(None),
        ([(_, column)], None) => Key::Integer(*column),
        (_, index) => {
            let parts = index.map(|index| index.parts).unwrap_or_default();
            let collation = |name: &str| {
                let part = parts.iter().find(|part| part.column.as_deref() == Some(name));
                part.map_or_else(|| "BINARY".to_owned(), |part| part.collation.clone())
            };
            let column = |column: usize| {
                let name = columns.get(column).map_or("", |column| column.name.as_str());
                KeyColumn { column, collation: collation(name) }
            };
            Key::Columns(primary.iter().map(|(_, place)| column(*place)).collect())
        }
    };
    Ok(Some(TableInfo { name, columns, key, rowid, unique }))
}

/// The unique indexes of a table, that of its primary key apart.
fn indexes(connection: &Connection, table: &str) -> Result<(Vec<UniqueIndex>, Option<UniqueIndex>)> {
    let sql = "SELECT l.name, l.origin, l.partial, s.sql FROM pragma_index_list(?1, 'main') l
        LEFT JOIN main.sqlite_master s ON s.type = 'index' AND s.name = l.name WHERE l.\"unique\" ORDER BY l.name";
    let mut statement = connection.prepare_cached(sql)?;
    let mut rows = statement.query([table])?;
    let (mut unique, mut primary) = (Vec::new(), None);
    while let Some(row) = rows.next()? {
        let name: String = row.get(0)?;
        let is_primary = row.get::<_, String>(1)? == "pk";
        let parts = parts(connection, &name)?;
        let index = UniqueIndex { name, parts, is_partial: row.get(2)?, sql: row.get(3)? };
        if is_primary {
            primary = Some(index);
        } else {
            unique.push(index);
        }
    }
    Ok((unique, primary))
}

fn parts(connection: &Connection, index: &str) -> Result<Vec<IndexPart>> {
    let sql = "SELECT name, coll FROM pragma_index_xinfo(?1, 'main') WHERE key ORDER BY seqno";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([index], |row| {
        let collation = row.get::<_, Option<String>>(1)?.unwrap_or_else(|| "BINARY".to_owned());
        Ok(IndexPart { column: row.get(0)?, collation })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
