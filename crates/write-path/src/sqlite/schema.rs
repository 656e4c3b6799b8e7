//! The tables of the file.

use std::collections::BTreeMap;

use rusqlite::Connection;

use super::PREFIX;
use crate::schema::{Column, Dialect, Schema, Table};

/// What names of tables that are not the app's begin with: SQLite's, the source's, ours.
const RESERVED: [&str; 3] = ["sqlite_", "_sync_", PREFIX];

/// All tables that clients could write.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<Schema> {
    // Before the tables: if they change meanwhile, they are read again.
    let version = version(connection)?;
    let sql = "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table'";
    let mut statement = connection.prepare(sql)?;
    let names = statement.query_map([], |row| row.get::<_, String>(0))?;
    let mut tables = BTreeMap::new();
    for name in names {
        let name = name?;
        if !RESERVED.iter().any(|prefix| name.starts_with(prefix)) {
            let table = table(connection, &name)?;
            tables.insert(name, table);
        }
    }
    Ok(Schema { dialect: Dialect::Sqlite, default_schema: "main".to_owned(), version, tables })
}

/// Another number whenever the tables have changed.
pub(super) fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.prepare_cached("PRAGMA schema_version")?.query_row([], |row| row.get(0))
}

fn table(connection: &Connection, name: &str) -> rusqlite::Result<Table> {
    let mut statement =
        connection.prepare_cached("SELECT name, hidden, pk FROM pragma_table_xinfo(?1, 'main') WHERE hidden <> 1")?;
    let mut rows = statement.query([name])?;
    let (mut columns, mut primary) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let column = Column { name: row.get(0)?, is_generated: row.get::<_, i64>(1)? > 1, column_type: None };
        if row.get::<_, i64>(2)? > 0 {
            primary.push(column.name.clone());
        }
        columns.push(column);
    }
    let mut unique = unique_columns(connection, name)?;
    if let [only] = primary.as_slice()
        && !unique.contains(only)
    {
        unique.push(only.clone());
    }
    let (schema, name) = ("main".to_owned(), name.to_owned());
    Ok(Table { schema, name, has_row_security: false, columns, unique })
}

/// The columns that have a unique index of their own. Expressions have no name.
fn unique_columns(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let sql = "SELECT max(i.name) FROM pragma_index_list(?1, 'main') l, pragma_index_info(l.name, 'main') i
        WHERE l.\"unique\" AND NOT l.partial GROUP BY l.name HAVING count(*) = 1 AND max(i.name) IS NOT NULL";
    let mut statement = connection.prepare_cached(sql)?;
    let names = statement.query_map([table], |row| row.get(0))?;
    names.collect()
}

/// Whether a constraint of the table makes SQLite delete the rows that a new one conflicts with. No check would see them.
pub(super) fn replaces(connection: &Connection, table: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT sql FROM main.sqlite_master WHERE type = 'table' AND name = ?1";
    let sql: String = connection.query_row(sql, [table], |row| row.get(0))?;
    let words: Vec<String> = sql.split_ascii_whitespace().map(str::to_ascii_uppercase).collect();
    Ok(words.windows(3).any(|words| match words {
        [on, conflict, replace] => on.ends_with("ON") && conflict == "CONFLICT" && replace.starts_with("REPLACE"),
        _ => false,
    }))
}
