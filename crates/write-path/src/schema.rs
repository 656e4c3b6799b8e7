//! The tables of a database, which rules are checked against.

use std::collections::BTreeMap;

/// The SQL of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite
    Sqlite,
}

/// A database as rules see it.
#[derive(Clone, Debug)]
pub struct Schema {
    /// Its SQL.
    pub dialect: Dialect,
    /// The schema of tables that are named without one.
    pub default_schema: String,
    /// Another number whenever tables, constraints or triggers have changed.
    pub version: i64,
    /// The tables that clients could write; those of the database and of the service itself are not among them. Those of
    /// the default schema by their name alone, others as `schema.table`.
    pub tables: BTreeMap<String, Table>,
}

/// A table.
#[derive(Clone, Debug)]
pub struct Table {
    /// Its columns.
    pub columns: Vec<Column>,
    /// The columns that are unique alone.
    pub unique: Vec<String>,
}

/// A column.
#[derive(Clone, Debug)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Whether the database computes it.
    pub is_generated: bool,
}

impl Schema {
    /// The table of a name, with or without the default schema, and its name in `tables`.
    pub(crate) fn find(&self, name: &str) -> Option<(&str, &Table)> {
        let is_default = |schema: &str| schema == self.default_schema;
        let short = name.split_once('.').filter(|(schema, _)| is_default(schema)).map(|(_, table)| table);
        let found = self.tables.get_key_value(name).or_else(|| self.tables.get_key_value(short?));
        found.map(|(name, table)| (name.as_str(), table))
    }
}

impl Table {
    pub(crate) fn has(&self, column: &str) -> bool {
        self.columns.iter().any(|known| known.name == column)
    }

    /// Whether a statement can give the column a value.
    pub(crate) fn is_writable(&self, column: &str) -> bool {
        self.columns.iter().any(|known| known.name == column && !known.is_generated)
    }
}
