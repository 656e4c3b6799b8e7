//! The triggers on JSON tables that keep what was downloaded when somebody changes a row
//! (docs/reference/tables.md#data-in-place): a write through the view, or the application itself.
//!
//! REPLACE deletes rows without a trigger, unless `recursive_triggers` is on. Through the view that is noticed there.

use alloc::format;
use alloc::string::{String, ToString};

use crate::collections::Names;
use crate::connection::Database;
use crate::error::Result;
use crate::schema::definition::names::DataTableName;
use crate::schema::objects::{Object, ObjectKind};
use crate::text::{identifier, literal};

/// How the names begin, and the events.
const KINDS: [(&str, &str); 2] = [("ps_keep_update_", "UPDATE"), (DELETE, "DELETE")];
const DELETE: &str = "ps_keep_delete_";

/// Both triggers of the synced JSON table for a type.
pub(in crate::schema) fn triggers(row_type: &str) -> impl Iterator<Item = Object> + '_ {
    KINDS.into_iter().map(move |(prefix, event)| {
        let name = format!("{prefix}{row_type}");
        let on = DataTableName { row_type, local_only: false }.to_string();
        let sql = format!(
            "{}{} BEFORE {event} ON {} WHEN OLD.rowid>>34 BEGIN\nSELECT powersync_keep_row({},OLD.id,OLD.rowid);\nEND",
            ObjectKind::Trigger.create(),
            identifier(&name),
            identifier(&on),
            literal(row_type),
        );
        Object { kind: ObjectKind::Trigger, name, table: on, sql }
    })
}

/// Whether `name` is that of such a trigger on `table`.
pub(in crate::schema) fn is_keep_trigger(name: &str, table: &str) -> bool {
    let Some(DataTableName { row_type, local_only: false }) = DataTableName::parse(table) else { return false };
    KINDS.iter().any(|(prefix, _)| name.strip_prefix(prefix) == Some(row_type))
}

/// The JSON tables that have such triggers.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn guarded_tables(database: &Database<'_>) -> Result<Names> {
    const SQL: &str =
        "SELECT name, tbl_name FROM main.sqlite_schema WHERE type = 'trigger' AND name GLOB 'ps_keep_delete_*'";
    let mut rows = database.query(SQL, &[])?;
    let mut names = Names::default();
    while let Some(row) = rows.next()? {
        if let (Ok(name), Ok(table)) = (row.text(0), row.text(1))
            && is_keep_trigger(name, table)
        {
            names.insert(table);
        }
    }
    Ok(names)
}

/// Empties the synced JSON table for a type.
///
/// With triggers, SQLite deletes row by row. So where there are many rows, the triggers are made again.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn empty_table(database: &Database<'_>, table: &str, row_type: &str) -> Result<()> {
    let is_guarded = guarded_tables(database)?.contains(table);
    let table = identifier(table);
    let has_many = format!("SELECT 1 FROM main.{table} LIMIT 1 OFFSET 1000");
    let has_many = is_guarded && database.made_integer(&has_many, &[])?.is_some();
    if has_many {
        removals(row_type).try_for_each(|sql| database.execute_batch(&sql))?;
    }
    database.execute_batch(&format!("DELETE FROM main.{table}"))?;
    if has_many {
        triggers(row_type).try_for_each(|trigger| database.execute_batch(&trigger.creation()))?;
    }
    Ok(())
}

/// The statements that drop the triggers of the table for a type.
pub(crate) fn removals(row_type: &str) -> impl Iterator<Item = String> + '_ {
    KINDS
        .iter()
        .map(move |(prefix, _)| format!("DROP TRIGGER IF EXISTS main.{}", identifier(&format!("{prefix}{row_type}"))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_exact_names_are_ours() {
        assert!(is_keep_trigger("ps_keep_update_a", "ps_data__a") && is_keep_trigger("ps_keep_delete_a", "ps_data__a"));
        assert!(!is_keep_trigger("ps_keep_update_a", "ps_data__b"));
        assert!(!is_keep_trigger("ps_keep_update_a", "ps_data_local__a"));
        assert!(!is_keep_trigger("ps_keep_a", "ps_data__a"));
    }

    #[test]
    fn names_are_quoted() {
        let made: alloc::vec::Vec<Object> = triggers("it's").collect();
        assert_eq!(made.len(), 2);
        assert_eq!(
            made[1].sql,
            r#"CREATE TRIGGER "ps_keep_delete_it's" BEFORE DELETE ON "ps_data__it's" WHEN OLD.rowid>>34 BEGIN
SELECT powersync_keep_row('it''s',OLD.id,OLD.rowid);
END"#
        );
        assert!(made.iter().all(|object| is_keep_trigger(&object.name, &object.table)));
        assert!(removals("it's").all(|sql| sql.ends_with("_it's\"")));
    }
}
