//! The schema of clients: which tables and columns a configuration gives them.
//!
//! Names come from the plan. Types, and the columns of `SELECT *`, come from the source.

mod types;

use serde::Serialize;
use sync_config::{Output, Plan, RowEvaluator, TablePattern};

use crate::row::SourceTable;
use crate::source::{Source, SourceError};

/// How many rows of a table are read for columns without a type.
const SAMPLE: usize = 1_000;

/// What clients can have, as `powersync_replace_schema` takes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ClientSchema {
    /// Tables in the order of the configuration.
    pub tables: Vec<ClientTable>,
}

/// A table on the client. Its column `id` is not listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClientTable {
    /// Its name.
    pub name: String,
    /// Its columns.
    pub columns: Vec<ClientColumn>,
}

/// A column on the client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ClientColumn {
    /// Its name.
    pub name: String,
    /// Its type.
    #[serde(rename = "type")]
    pub column_type: ColumnType,
}

/// The type of a column on the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[allow(missing_docs, reason = "the names are those of SQL")]
pub enum ColumnType {
    Text,
    Integer,
    Real,
}

/// A table of the source, with the types of its columns.
#[derive(Clone, Debug)]
pub struct TypedTable {
    table: SourceTable,
    /// None for blobs, which are not synced.
    types: Vec<Option<ColumnType>>,
}

/// What the schema of clients cannot say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SchemaGap {
    /// `SELECT *` from this table, whose columns only the source knows.
    Star(String),
    /// The names of the tables that this pattern is for, which only the source knows.
    Wildcard(String),
    /// The source does not have this table.
    NoTable(String),
}

impl std::fmt::Display for SchemaGap {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Star(table) => {
                write!(formatter, "the columns of SELECT * from {table} are not known without the source")
            }
            Self::Wildcard(table) => {
                write!(formatter, "the tables that {table} is for are not known without the source")
            }
            Self::NoTable(table) => write!(formatter, "the source does not have the table {table}"),
        }
    }
}

/// The tables of a source with the types of their columns. Columns without a declared type have that of the first rows.
///
/// # Errors
/// The source cannot be read.
pub fn typed_tables(source: &dyn Source) -> Result<Vec<TypedTable>, SourceError> {
    let tables = source.schema()?;
    Ok(tables.into_iter().map(|table| typed(source, table)).collect())
}

fn typed(source: &dyn Source, table: SourceTable) -> TypedTable {
    let is_untyped = table.columns.iter().any(|column| column.type_name.is_empty());
    // Some sources read only tables that they follow. Then the types are not known.
    let sample = is_untyped.then(|| source.snapshot_chunk(&table, None, SAMPLE).ok()).flatten();
    let rows = sample.map(|chunk| chunk.rows).unwrap_or_default();
    let is_postgres = source.describe().kind == "postgres";
    let column_type = |(at, column): (usize, &crate::row::Column)| match column.type_name.as_str() {
        "" => types::of_values(&rows, at),
        name if is_postgres => types::of_postgres(name),
        name => types::of_name(name),
    };
    let types = table.columns.iter().enumerate().map(column_type).collect();
    TypedTable { table, types }
}

/// The schema of clients, and what it cannot say. `source` is what [`typed_tables`] gives, if there is a source.
pub fn client_schema(plan: &Plan, source: Option<&[TypedTable]>) -> (ClientSchema, Vec<SchemaGap>) {
    let mut building = Building { source, schema: ClientSchema::default(), gaps: Vec::new() };
    for evaluator in &plan.evaluators {
        building.add(evaluator);
    }
    (building.schema, building.gaps)
}

struct Building<'a> {
    source: Option<&'a [TypedTable]>,
    schema: ClientSchema,
    gaps: Vec<SchemaGap>,
}

impl Building<'_> {
    fn add(&mut self, evaluator: &RowEvaluator) {
        let pattern = &evaluator.program.table;
        let Some(source) = self.source else {
            match (&evaluator.output_table, pattern.is_wildcard()) {
                (None, true) => self.gap(SchemaGap::Wildcard(named(pattern))),
                (name, _) => {
                    let name = name.clone().unwrap_or_else(|| pattern.table.clone());
                    self.columns(&name, evaluator, None);
                }
            }
            return;
        };
        let is_it = |table: &&TypedTable| pattern.suffix(None, &table.table.schema, &table.table.name).is_some();
        let tables: Vec<&TypedTable> = source.iter().filter(is_it).collect();
        if tables.is_empty() && !pattern.is_wildcard() {
            self.gap(SchemaGap::NoTable(named(pattern)));
        }
        for table in tables {
            let name = evaluator.output_table.clone().unwrap_or_else(|| table.table.name.clone());
            self.columns(&name, evaluator, Some(table));
        }
    }

    /// Adds the columns of an evaluator to those that the table has from others.
    fn columns(&mut self, name: &str, evaluator: &RowEvaluator, table: Option<&TypedTable>) {
        let at = self.schema.tables.iter().position(|known| known.name == name).unwrap_or_else(|| {
            self.schema.tables.push(ClientTable { name: name.to_owned(), columns: Vec::new() });
            self.schema.tables.len().saturating_sub(1)
        });
        let mut found: Vec<(String, Option<ColumnType>)> = Vec::new();
        for output in &evaluator.outputs {
            match (output, table) {
                (Output::Star { legacy }, Some(table)) => {
                    for (column, column_type) in table.table.columns.iter().zip(&table.types) {
                        if !(*legacy && column.name.starts_with('_')) {
                            found.push((column.name.clone(), *column_type));
                        }
                    }
                }
                (Output::Star { .. }, None) => self.gap(SchemaGap::Star(named(&evaluator.program.table))),
                (Output::Column { name, expr }, _) => found.push((name.clone(), types::of_expr(expr, table))),
            }
        }
        let Some(columns) = self.schema.tables.get_mut(at).map(|table| &mut table.columns) else { return };
        for (name, column_type) in found {
            let Some(column_type) = column_type.filter(|_| name != "id") else { continue };
            match columns.iter_mut().find(|column| column.name == name) {
                Some(column) => column.column_type = types::both(column.column_type, column_type),
                None => columns.push(ClientColumn { name, column_type }),
            }
        }
    }

    fn gap(&mut self, gap: SchemaGap) {
        if !self.gaps.contains(&gap) {
            self.gaps.push(gap);
        }
    }
}

fn named(pattern: &TablePattern) -> String {
    format!("{}.{}", pattern.schema, pattern.table)
}
