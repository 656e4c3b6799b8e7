//! Which rows an `OR REPLACE` statement deletes. SQLite fires no triggers for them unless the writing connection has
//! `recursive_triggers`, so a trigger that runs before the write looks for them.
//!
//! A row that is replaced by one with the same key needs nothing: that key is logged by the write itself. Others are
//! found through what must be unique: a unique index, a primary key for which other values are equal, the rowid.
//! It does not matter if more rows are found than will be replaced: a logged key says to look at the row, no more.

use super::index_sql;
use super::schema::{ColumnInfo, Key, TableInfo, UniqueIndex};
use super::values::quoted;

/// How one thing that must be unique is compared: a condition on rows of the table, with the row to be written as `NEW`.
#[derive(Clone, Debug)]
pub(crate) struct Conflict {
    /// The index.
    pub(crate) name: String,
    pub(crate) condition: String,
    /// Whether an update, from `OLD` to `NEW`, can meet another row at all; none if that is not known.
    pub(crate) changed: Option<String>,
    /// Whether the condition has SQL of the index's own statement.
    pub(crate) is_cut: bool,
}

/// All of a table, and the indexes for which there is no condition.
pub(crate) fn conflicts(table: &TableInfo) -> (Vec<Conflict>, Vec<String>) {
    let (mut found, mut unknown) = (Vec::new(), Vec::new());
    if table.has_inexact_key() {
        let pairs = || table.key_terms().into_iter().zip(table.key_names());
        let terms: Vec<String> = pairs().map(|(term, name)| format!("{term} = NEW.{name}")).collect();
        let changed: Vec<String> = pairs().map(|(term, name)| format!("NEW.{term} IS NOT OLD.{name}")).collect();
        found.push(Conflict {
            name: "the primary key".to_owned(),
            condition: terms.join(" AND "),
            changed: Some(changed.join(" OR ")),
            is_cut: false,
        });
    }
    if let (Key::Columns(_), Some(rowid)) = (&table.key, &table.rowid) {
        let condition = format!("{rowid} = NEW.{rowid}");
        let changed = Some(format!("NEW.{rowid} <> OLD.{rowid}"));
        found.push(Conflict { name: "the rowid".to_owned(), condition, changed, is_cut: false });
    }
    for index in &table.unique {
        match condition(table, index) {
            Some(condition) => {
                let is_cut = index.is_partial || index.parts.iter().any(|part| part.column.is_none());
                let changed = (!is_cut).then(|| changed(index));
                found.push(Conflict { name: index.name.clone(), condition, changed, is_cut });
            }
            None => unknown.push(index.name.clone()),
        }
    }
    (found, unknown)
}

fn condition(table: &TableInfo, index: &UniqueIndex) -> Option<String> {
    let cut = index.sql.as_deref().and_then(index_sql::parse);
    let mut terms = Vec::new();
    for (number, part) in index.parts.iter().enumerate() {
        let collation = quoted(&part.collation);
        terms.push(match &part.column {
            Some(name) => {
                let column = table.columns.iter().find(|column| column.name == *name)?;
                format!("{} COLLATE {collation} = {}", quoted(name), new_value(column))
            }
            None => {
                // The same expression over the row to be written: its columns get the names of the table's.
                let expression = cut.as_ref()?.parts.get(number)?;
                let columns = table.columns.iter();
                let columns = columns.map(|column| format!("{} AS {}", new_value(column), quoted(&column.name)));
                let columns: Vec<String> = columns.collect();
                format!(
                    "({expression}\n) COLLATE {collation} = (SELECT ({expression}\n) FROM (SELECT {}))",
                    columns.join(", ")
                )
            }
        });
    }
    if index.is_partial {
        terms.push(format!("({}\n)", cut?.condition?));
    }
    Some(terms.join(" AND "))
}

/// For an index of columns alone.
fn changed(index: &UniqueIndex) -> String {
    let names = index.parts.iter().filter_map(|part| part.column.as_deref().zip(Some(quoted(&part.collation))));
    let terms = names.map(|(name, collation)| (quoted(name), collation));
    let terms = terms.map(|(name, collation)| format!("NEW.{name} COLLATE {collation} IS NOT OLD.{name}"));
    terms.collect::<Vec<_>>().join(" OR ")
}

/// The value that will be written.
fn new_value(column: &ColumnInfo) -> String {
    let name = quoted(&column.name);
    match &column.replaces_null {
        Some(default) => format!("ifnull(NEW.{name}, ({default}))"),
        None => format!("NEW.{name}"),
    }
}
