//! The SQL of direct tables and of their indexes, and recognising them (schema, Direct tables).

use alloc::format;
use alloc::string::String;

use super::definition::{Index, Table};
use super::object::{Object, ObjectKind};
use crate::text::{identifier, push_identifier};

const SYNCED: &str = "/* ps-managed */";
const LOCAL: &str = "/* ps-managed local-only */";

/// The table.
pub(super) fn table(table: &Table) -> Object {
    let mut sql = String::from(ObjectKind::Table.create());
    push_identifier(&mut sql, &table.name);
    sql.push_str("(id TEXT PRIMARY KEY NOT NULL ");
    sql.push_str(if table.options.local_only { LOCAL } else { SYNCED });
    for column in &table.columns {
        sql.push_str(", ");
        sql.push_str(&column_definition(&column.name));
    }
    sql.push_str(") STRICT");
    Object { kind: ObjectKind::Table, name: table.name.clone(), table: table.name.clone(), sql }
}

/// A column as CREATE TABLE and ALTER TABLE have it.
pub(super) fn column_definition(name: &str) -> String {
    format!("{} ANY", identifier(name))
}

/// Whether the table `name`, made by `sql`, is a direct one: None if not, else whether it is local-only.
///
/// The mark counts in the definition of the column `id` only, which has to come first. An application may have such a
/// comment anywhere else.
pub fn is_local_only_direct_table(name: &str, sql: &str) -> Option<bool> {
    let rest = sql.strip_prefix(ObjectKind::Table.create())?;
    let rest = rest.strip_prefix(identifier(name).as_str()).or_else(|| rest.strip_prefix(name))?;
    let columns = rest.trim_start().strip_prefix('(')?.trim_start();
    let id = columns.strip_prefix("\"id\"").or_else(|| columns.strip_prefix("id"))?;
    let (before, comment) = id.split_at_checked(id.find('/')?)?;
    let is_plain = |character: char| character.is_ascii_alphabetic() || character.is_ascii_whitespace();
    let is_definition = before.starts_with(|first: char| first.is_ascii_whitespace()) && before.chars().all(is_plain);
    match comment {
        _ if !is_definition => None,
        _ if comment.starts_with(SYNCED) => Some(false),
        _ if comment.starts_with(LOCAL) => Some(true),
        _ => None,
    }
}

/// An index over columns of the table.
pub(super) fn index(table: &Table, index: &Index) -> Object {
    let name = table.index_name(index);
    let mut sql = index_start(&name);
    push_identifier(&mut sql, &table.name);
    sql.push('(');
    for (position, column) in index.columns.iter().enumerate() {
        if position > 0 {
            sql.push_str(", ");
        }
        push_identifier(&mut sql, &column.name);
        if !column.ascending {
            sql.push_str(" DESC");
        }
    }
    sql.push(')');
    Object { kind: ObjectKind::Index, name, table: table.name.clone(), sql }
}

/// Whether `sql` is that of an index made by us or a published version on a direct table.
pub(super) fn is_direct_index(name: &str, sql: &str) -> bool {
    sql.starts_with(&index_start(name))
}

fn index_start(name: &str) -> String {
    format!("{}{} {SYNCED} ON ", ObjectKind::Index.create(), identifier(name))
}
