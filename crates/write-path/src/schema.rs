//! The tables of a database, which rules are checked against.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::plan::CLIENT_KEY;

/// The SQL of a database.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// SQLite
    Sqlite,
    /// PostgreSQL
    Postgres,
    /// Convex, which evaluates nothing.
    Convex,
}

impl Dialect {
    /// The column that has the ids of clients, unless a rule says another one.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Sqlite | Self::Postgres => CLIENT_KEY,
            // Convex makes the ids of documents itself.
            Self::Convex => "uuid",
        }
    }
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
#[derive(Clone, Debug, Default)]
pub struct Table {
    /// The schema that it is in.
    pub schema: String,
    /// Its name there.
    pub name: String,
    /// Whether the database decides by row who may do what.
    pub has_row_security: bool,
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
    /// Its type; none in databases where each value has its own.
    pub column_type: Option<ColumnType>,
}

/// The type of a column, or of a value that the database computes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ColumnType {
    /// Its name in SQL, quoted, with its schema. Of a domain, that of what it is based on.
    pub name: String,
    /// What it is.
    pub kind: TypeKind,
}

/// What types there are, as far as it matters for reading and comparing values.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the names are those of SQL")]
pub enum TypeKind {
    Boolean,
    Integer,
    /// With a fraction.
    Number,
    Text,
    Bytes,
    Time,
    Json,
    Jsonb,
    Array(Arc<ColumnType>),
    Composite,
    Range(Arc<ColumnType>),
    /// Several ranges.
    Multirange(Arc<ColumnType>),
    Other,
}

impl ColumnType {
    /// A type that each PostgreSQL database has.
    pub(crate) fn known(name: &str, kind: TypeKind) -> Self {
        Self { name: format!("pg_catalog.{name}"), kind }
    }
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
        self.column(column).is_some()
    }

    pub(crate) fn column(&self, name: &str) -> Option<&Column> {
        self.columns.iter().find(|known| known.name == name)
    }

    /// Whether a statement can give the column a value.
    pub(crate) fn is_writable(&self, column: &str) -> bool {
        self.column(column).is_some_and(|known| !known.is_generated)
    }
}
