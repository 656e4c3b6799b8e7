//! What the compiler knows besides the configuration.

use std::collections::BTreeMap;

/// Options of [`crate::compile`].
#[derive(Clone, Debug)]
pub struct CompileOptions {
    /// The schema of tables named without one: `public` for PostgreSQL, the database for MySQL and MongoDB.
    pub default_schema: String,
    /// The tables of the source, for warnings about names that it does not have.
    pub source_schema: Option<SourceSchema>,
    /// Looks up single rows where a request already knows the value (see `Plan`). Off only to compare.
    pub push_down: bool,
}

impl Default for CompileOptions {
    fn default() -> Self {
        Self { default_schema: "public".to_owned(), source_schema: None, push_down: true }
    }
}

/// Tables of a source: (schema, table) to columns.
#[derive(Clone, Debug, Default)]
pub struct SourceSchema {
    /// By schema and table.
    pub tables: BTreeMap<(String, String), Vec<SourceColumn>>,
}

/// A column of the source.
#[derive(Clone, Debug)]
pub struct SourceColumn {
    /// Its name.
    pub name: String,
    /// How its values arrive.
    pub kind: ColumnKind,
}

/// How values of a column arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// As integers or reals.
    Number,
    /// As texts.
    Text,
    /// Anything else.
    Other,
}
