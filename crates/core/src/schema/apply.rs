//! Making the database match a schema: what `powersync_replace_schema` does after the migrations.

use alloc::string::String;
use alloc::vec::Vec;

use sqlite_nostd::{ResultCode, log};

use super::changed_columns::change_columns;
use super::data_table::DataTable;
use super::definition::{Schema, Table};
use super::direct::{self, is_direct_index};
use super::moved_rows::{copy_rows, keep_rows, stage_rows, take_rows, unstage_rows};
use super::names::TriggerKind;
use super::object::{Object, ObjectKind, in_main, object_texts};
use super::plan::Plan;
use super::row_call::ArgumentLimit;
use super::table_trigger::{self, RowObjects};
use super::trigger;
use super::unusual_table::{UnusualTables, check_unusual_table};
use super::view::{self, PathSupport};
use crate::connection::Database;
use crate::error::{ErrorKind, Result};
use crate::text::identifier;

/// What is known of downloaded rows after the schema was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum StoredRows {
    /// Nothing had to change.
    Untouched,
    /// Tables hold what was published.
    Complete,
    /// A direct table was given columns, or rows of one were kept without what it had no columns for, or damaged rows
    /// became empty: all downloaded rows have to be published again.
    Incomplete,
}

/// Makes tables, views, indexes and triggers of the database `main` those of `schema` (schema, JSON tables).
///
/// What is as it should be is not touched. Rows of synced tables that the schema no longer has move to `ps_untyped`, and
/// those of new tables come from there. The internal tables must exist. The caller undoes everything if it fails.
///
/// # Errors
/// An argument error if the schema cannot be had in this database; errors of SQLite.
pub fn apply(database: &Database<'_>, schema: &Schema) -> Result<StoredRows> {
    let wanted = wanted_objects(database, schema)?;
    let mut plan = Plan::new(&wanted)?;
    find_objects(database, &mut plan)?;
    if let Some(conflict) = plan.take_conflict() {
        return Err(conflict);
    }
    plan.unknown_tables().try_for_each(|table| check_unusual_table(database, table))?;
    if plan.is_empty() { Ok(StoredRows::Untouched) } else { carry_out(database, schema, &plan) }
}

/// All objects that `schema` needs.
fn wanted_objects(database: &Database<'_>, schema: &Schema) -> Result<Vec<Object>> {
    let limit = ArgumentLimit::of(database);
    let objects = RowObjects::of(database);
    let paths = path_support(database, schema);
    let mut wanted = Vec::with_capacity(schema.tables.len() * 6);
    for table in &schema.tables {
        if table.direct {
            wanted.push(direct::table(table));
            wanted.extend(table.indexes.iter().map(|index| direct::index(table, index)));
            wanted.extend(table_trigger::triggers(table, objects)?);
            continue;
        }
        wanted.push(view::data_table(table));
        for index in &table.indexes {
            wanted.extend(view::index(table, index, paths)?);
        }
        wanted.push(view::view(table, paths)?);
        wanted.extend(trigger::triggers(table, limit)?);
    }
    Ok(wanted)
}

/// Asks SQLite what its JSON paths can name, as far as the schema depends on it.
fn path_support(database: &Database<'_>, schema: &Schema) -> PathSupport {
    let has = |is_special: fn(&str) -> bool| {
        let indexed =
            |table: &'_ Table| table.indexes.iter().flat_map(|index| &index.columns).any(|of| is_special(&of.name));
        let shown = |table: &'_ Table| table.columns.iter().any(|column| is_special(&column.name));
        schema.tables.iter().any(|table| shown(table) || indexed(table))
    };
    // A path that is not understood is an error.
    let finds = |sql| matches!(database.integer(sql, &[]), Ok(Some(1)));
    PathSupport {
        quotes: !has(|name| name.contains('"')) || finds(r#"SELECT json_extract('{"a\"b":1}', '$."a\"b"')"#),
        empty_names: !has(str::is_empty) || finds(r#"SELECT json_extract('{"":1}', '$.""')"#),
    }
}

/// Shows all objects of the database to `plan`.
fn find_objects(database: &Database<'_>, plan: &mut Plan<'_>) -> Result<()> {
    let mut statement =
        database.cached("SELECT type, name, tbl_name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL")?;
    let mut rows = statement.query(&[])?;
    while let Some(row) = rows.next()? {
        let Some([kind, name, table, sql]) = object_texts(&row)? else { continue };
        if let Some(kind) = ObjectKind::parse(kind) {
            plan.found(kind, name, table, sql);
        }
    }
    Ok(())
}

/// Drops what is not needed, then makes what is missing.
fn carry_out(database: &Database<'_>, schema: &Schema, plan: &Plan<'_>) -> Result<StoredRows> {
    // Rows are moved, not written.
    let _moving = database.state().enter_sync_operation();
    let mut foreign = Vec::new();
    for name in plan.replaced().map(|object| object.name.as_str()).chain(plan.respelled()) {
        collect_foreign_objects(database, name, &mut foreign)?;
    }
    let unusual = UnusualTables::of(database, plan)?;
    unusual.release(database)?;
    for kind in [ObjectKind::Trigger, ObjectKind::View, ObjectKind::Index] {
        for name in plan.to_drop(kind) {
            let kind = kind.name();
            database.execute_batch(&alloc::format!("DROP {kind} main.{}", identifier(name)))?;
        }
    }
    let mut stored = replace_tables(database, plan)?;
    unusual.adopt(database)?;
    create(database, plan, ObjectKind::View)?;
    for altered in plan.altered_tables() {
        let is_altered = |table: &&Table| table.direct && table.name == altered.name;
        for table in schema.tables.iter().filter(is_altered) {
            if change_columns(database, table)? && !table.options.local_only {
                stored = StoredRows::Incomplete;
            }
        }
    }
    create(database, plan, ObjectKind::Index)?;
    create(database, plan, ObjectKind::Trigger)?;
    foreign.iter().try_for_each(|sql| restore(database, sql))?;
    Ok(stored)
}

fn create(database: &Database<'_>, plan: &Plan<'_>, kind: ObjectKind) -> Result<()> {
    plan.to_create(kind).try_for_each(|object| database.execute_batch(&object.creation()))
}

/// A table to make.
struct NewTable<'o> {
    object: &'o Object,
    table: DataTable,
    /// A table that holds its rows until then.
    staged: Option<String>,
}

/// Drops tables and makes missing ones, so that every row goes to where it belongs.
fn replace_tables(database: &Database<'_>, plan: &Plan<'_>) -> Result<StoredRows> {
    let mut stored = StoredRows::Complete;
    let new_table = |object| Some(NewTable { object, table: DataTable::of(object)?, staged: None });
    let mut missing: Vec<NewTable<'_>> = plan.to_create(ObjectKind::Table).filter_map(new_table).collect();
    for old in plan.dropped_tables() {
        let position = missing.iter().position(|new| new.table.continues(old));
        // The new table can be made first, unless its name is still taken.
        let is_free = |new: &NewTable<'_>| !plan.dropped_tables().iter().any(|old| old.has_name_of(&new.table));
        match position.and_then(|position| Some((position, missing.get_mut(position)?))) {
            Some((position, new)) if is_free(new) => {
                database.execute_batch(&new.object.creation())?;
                copy_rows(database, old, &new.table)?;
                missing.swap_remove(position);
            }
            Some((_, new)) if old.local_only => new.staged = Some(stage_rows(database, old)?),
            _ if !old.local_only => keep_rows(database, old)?,
            _ => {}
        }
        if old.is_direct && !old.local_only {
            stored = StoredRows::Incomplete;
        }
        database.execute_batch(&alloc::format!("DROP TABLE main.{}", identifier(&old.name)))?;
    }
    for new in missing {
        database.execute_batch(&new.object.creation())?;
        match &new.staged {
            Some(staged) => unstage_rows(database, staged, &new.table)?,
            None if take_rows(database, &new.table)? == StoredRows::Incomplete => stored = StoredRows::Incomplete,
            None => {}
        }
    }
    Ok(stored)
}

/// Collects statements that make the application's own triggers and indexes on `table` again, a view or table that is
/// dropped and made again.
fn collect_foreign_objects(database: &Database<'_>, table: &str, statements: &mut Vec<String>) -> Result<()> {
    let mut statement = database.cached(
        "SELECT type, name, sql, 0 FROM main.sqlite_schema WHERE type IN ('trigger', 'index') AND sql IS NOT NULL \
            AND tbl_name = ?1 COLLATE NOCASE \
         UNION ALL \
         SELECT type, name, sql, 1 FROM temp.sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE",
    )?;
    let mut rows = statement.query(&[table.into()])?;
    while let Some(row) = rows.next()? {
        let Some([kind, name, sql]) = object_texts(&row)? else { continue };
        match ObjectKind::parse(kind) {
            // SQLite stores them without the word that makes them temporary.
            _ if row.integer(3) != 0 => {
                let definition = sql.strip_prefix(ObjectKind::Trigger.create());
                statements.extend(definition.map(|rest| alloc::format!("CREATE TEMP TRIGGER {rest}")));
            }
            Some(kind) if !TriggerKind::is_trigger_of(name, table) && !is_direct_index(name, sql) => {
                statements.push(in_main(kind, sql));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Makes an object of the application again. One that does not fit the new view or table is left out, which is not a
/// reason to refuse the schema.
fn restore(database: &Database<'_>, sql: &str) -> Result<()> {
    match database.execute_batch(sql) {
        Err(error) if *error.kind() == ErrorKind::Sqlite(ResultCode::ERROR) => {
            log(ResultCode::ERROR, &alloc::format!("powersync_replace_schema: not restored: {error}"));
            Ok(())
        }
        result => result,
    }
}
