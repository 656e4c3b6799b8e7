//! The SQL of data tables, of the views over them, and of their indexes (schema, JSON tables).
//!
//! For ordinary column names it is, byte for byte, what published versions make, so that neither side replaces the
//! other's views.

use alloc::format;
use alloc::string::String;

use super::definition::{Column, Index, IndexColumn, Table};
use super::names::{DELETED, METADATA};
use super::object::{Object, ObjectKind};
use crate::error::Result;
use crate::text::{literal, push_identifier, push_json_path};

/// How a view of ours ends, by which every version knows its views.
pub(super) const VIEW_MARKER: &str = " -- powersync-auto-generated";

/// How the list of columns of a data table is written.
pub(super) const DATA_TABLE_COLUMNS: &str = "(id TEXT PRIMARY KEY NOT NULL, data TEXT)";

/// How an expression of ours begins, in views and indexes.
const COLUMN_VALUE_START: &str = "CAST(json_extract(data, ";

/// How the connection's SQLite finds members whose name contains a quote.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum QuoteInPath {
    /// JSON paths can escape a quote.
    Escaped,
    /// JSON paths cannot name such a member (before SQLite 3.45): views look it up among all members, and indexes
    /// cannot have it.
    Unsupported,
}

impl QuoteInPath {
    fn allows(self, name: &str) -> bool {
        self == Self::Escaped || !name.contains('"')
    }
}

/// The table that holds the rows' JSON.
pub(super) fn data_table(table: &Table) -> Object {
    let name = table.data_table();
    let mut sql = String::from(ObjectKind::Table.create());
    push_identifier(&mut sql, &name);
    sql.push_str(DATA_TABLE_COLUMNS);
    Object { kind: ObjectKind::Table, table: name.clone(), name, sql }
}

/// The view that SQL reads and writes.
pub(super) fn view(table: &Table, quote: QuoteInPath) -> Result<Object> {
    let metadata: &[&str] = if table.options.include_metadata { &[METADATA, DELETED] } else { &[] };
    let mut sql = String::with_capacity(128 + table.columns.len() * 72);
    sql.push_str(ObjectKind::View.create());
    push_identifier(&mut sql, table.view_name());
    sql.push_str(VIEW_COLUMNS_START);
    for name in table.columns.iter().map(|column| column.name.as_str()).chain(metadata.iter().copied()) {
        sql.push_str(", ");
        push_identifier(&mut sql, name);
    }
    sql.push_str(VIEW_SELECT);
    for column in &table.columns {
        sql.push_str(", ");
        if quote.allows(&column.name) {
            push_column_value(&mut sql, &column.name, &column.column_type)?;
        } else {
            push_member_lookup(&mut sql, column);
        }
    }
    for _ in metadata {
        sql.push_str(", NULL");
    }
    sql.push_str(" FROM ");
    push_identifier(&mut sql, &table.data_table());
    sql.push_str(VIEW_MARKER);
    let name = String::from(table.view_name());
    Ok(Object { kind: ObjectKind::View, table: name.clone(), name, sql })
}

const VIEW_COLUMNS_START: &str = "(\"id\"";
const VIEW_SELECT: &str = ") AS SELECT id";

/// Whether `sql` is that of a view made by us or a published version, named `name`: it has our mark, and our form over
/// one of our data tables. An application's view may have either by chance, but not both.
pub(super) fn is_our_view(name: &str, sql: &str) -> bool {
    let mut start = String::from(ObjectKind::View.create());
    push_identifier(&mut start, name);
    start.push_str(VIEW_COLUMNS_START);
    let body = sql.strip_prefix(start.as_str()).and_then(|rest| rest.strip_suffix(VIEW_MARKER));
    body.is_some_and(|body| {
        let source = body.rsplit_once(" FROM \"").map(|(_, source)| source);
        body.contains(VIEW_SELECT)
            && source.is_some_and(|source| source.starts_with("ps_data__") || source.starts_with("ps_data_local__"))
    })
}

/// An index over the same expressions as the view's columns; None if SQLite cannot index one of them.
pub(super) fn index(table: &Table, index: &Index, quote: QuoteInPath) -> Result<Option<Object>> {
    if !index.columns.iter().all(|column| quote.allows(&column.name)) {
        return Ok(None);
    }
    let name = table.index_name(index);
    let data_table = table.data_table();
    let mut sql = index_start(&name, &data_table);
    for (position, column) in index.columns.iter().enumerate() {
        if position > 0 {
            sql.push_str(", ");
        }
        push_column_value(&mut sql, &column.name, indexed_type(table, column))?;
        if !column.ascending {
            sql.push_str(" DESC");
        }
    }
    sql.push(')');
    Ok(Some(Object { kind: ObjectKind::Index, name, table: data_table, sql }))
}

/// Whether `sql` is that of an index made by us or a published version on the data table `data_table`.
pub(super) fn is_our_index(name: &str, data_table: &str, sql: &str) -> bool {
    let is_named_so = name.strip_prefix(data_table).is_some_and(|rest| rest.starts_with("__"));
    let columns = sql.strip_prefix(index_start(name, data_table).as_str());
    is_named_so && columns.is_some_and(|columns| columns.starts_with(COLUMN_VALUE_START))
}

fn index_start(name: &str, data_table: &str) -> String {
    let mut sql = String::from(ObjectKind::Index.create());
    push_identifier(&mut sql, name);
    sql.push_str(" ON ");
    push_identifier(&mut sql, data_table);
    sql.push('(');
    sql
}

/// An index helps only if its expression is the view's.
fn indexed_type<'t>(table: &'t Table, indexed: &'t IndexColumn) -> &'t str {
    let of_column = || table.columns.iter().find(|column| column.name == indexed.name);
    indexed.column_type.as_deref().or_else(|| of_column().map(|column| column.column_type.as_str())).unwrap_or("text")
}

fn push_column_value(sql: &mut String, name: &str, column_type: &str) -> Result<()> {
    sql.push_str(COLUMN_VALUE_START);
    push_json_path(sql, name)?;
    sql.push_str(") as ");
    sql.push_str(column_type);
    sql.push(')');
    Ok(())
}

fn push_member_lookup(sql: &mut String, column: &Column) {
    let name = literal(&column.name);
    let lookup = format!("CAST((SELECT value FROM json_each(data) WHERE key = {name}) as {})", column.column_type);
    sql.push_str(&lookup);
}
