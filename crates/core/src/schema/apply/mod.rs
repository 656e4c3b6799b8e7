//! Making the database match a schema: what `powersync_replace_schema` does after the migrations.

pub(in crate::schema) mod applied;
pub(in crate::schema) mod changed_columns;
pub(in crate::schema) mod fingerprint;
pub(in crate::schema) mod known;
pub(in crate::schema) mod moved_rows;
pub(in crate::schema) mod plan;
pub(in crate::schema) mod taken_table;
pub(in crate::schema) mod unusual_table;

use alloc::string::String;
use alloc::vec::Vec;

use sqlite_nostd::{ResultCode, log};

use crate::collections::{ByName, Names};
use crate::connection::Database;
use crate::error::{ErrorKind, Result};
use crate::in_place::set_type_aside;
use crate::schema::apply::changed_columns::change_columns;
use crate::schema::apply::moved_rows::{copy_rows, keep_rows, stage_rows, take_rows, unstage_rows};
use crate::schema::apply::plan::Plan;
use crate::schema::apply::unusual_table::{UnusualTables, check_unusual_table};
use crate::schema::definition::names::TriggerKind;
use crate::schema::definition::{Schema, Table};
use crate::schema::objects::data_table::{DataTable, tables_in_another_form};
use crate::schema::objects::direct_table::{self, is_direct_index};
use crate::schema::objects::keep_trigger::{self, is_keep_trigger};
use crate::schema::objects::row_call::ArgumentLimit;
use crate::schema::objects::table_trigger::{self, RowObjects};
use crate::schema::objects::view::{self, PathSupport};
use crate::schema::objects::view_trigger;
use crate::schema::objects::{Object, ObjectKind, in_main, object_texts};
use crate::text::identifier;

/// What is known of downloaded rows after the schema was applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub(crate) enum StoredRows {
    /// Nothing had to change.
    Untouched,
    /// Tables hold what was published.
    Complete,
    /// A direct table was given columns, or rows of one were kept without what it had no columns for, or damaged rows
    /// became empty: all downloaded rows have to be published again.
    Incomplete,
}

/// Makes tables, views, indexes and triggers of the database `main` those of `schema`
/// (docs/reference/schema.md#when-the-schema-changes).
///
/// What is as it should be is not touched. Rows of synced tables that the schema no longer has move to `ps_untyped`,
/// and those of new tables come from there. The internal tables must exist. The caller undoes everything if it fails.
///
/// # Errors
/// An argument error if this database cannot have the schema; errors of SQLite.
pub(crate) fn apply(database: &Database<'_>, schema: &Schema) -> Result<StoredRows> {
    let wanted = wanted_objects(database, schema)?;
    let mut plan = Plan::new(&wanted)?;
    find_objects(database, &mut plan)?;
    if let Some(conflict) = plan.take_conflict() {
        return Err(conflict);
    }
    plan.unknown_tables().try_for_each(|table| check_unusual_table(database, table))?;
    if plan.is_empty() { Ok(StoredRows::Untouched) } else { carry_out(database, schema, &plan) }
}

/// Names of the objects that [`apply`] would make, change or drop, or why it would fail.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn differences(database: &Database<'_>, schema: &Schema) -> Result<Names> {
    let wanted = wanted_objects(database, schema)?;
    let mut plan = Plan::new(&wanted)?;
    find_objects(database, &mut plan)?;
    let mut names = Names::default();
    for kind in [ObjectKind::Table, ObjectKind::View, ObjectKind::Index, ObjectKind::Trigger] {
        let created = plan.to_create(kind).map(|object| object.name.as_str());
        names.extend(&Names::of(created.chain(plan.to_drop(kind))));
    }
    let tables = plan.dropped_tables().iter().map(|table| table.name.as_str());
    names.extend(&Names::of(tables.chain(plan.altered_tables().map(|object| object.name.as_str()))));
    if let Some(conflict) = plan.take_conflict() {
        names.insert(&alloc::format!("{conflict}"));
    }
    Ok(names)
}

/// All objects that `schema` needs.
fn wanted_objects(database: &Database<'_>, schema: &Schema) -> Result<Vec<Object>> {
    let limit = ArgumentLimit::of(database);
    let objects = RowObjects::of(database);
    let paths = path_support(database, schema);
    let unusual = tables_in_another_form(database)?;
    let mut wanted = Vec::with_capacity(schema.tables.len() * 6);
    for table in &schema.tables {
        if table.direct {
            wanted.push(direct_table::table(table));
            wanted.extend(table.indexes.iter().map(|index| direct_table::index(table, index)));
            wanted.extend(table_trigger::triggers(table, objects)?);
            continue;
        }
        wanted.push(view::data_table(table));
        for index in &table.indexes {
            wanted.extend(view::index(table, index, paths)?);
        }
        wanted.push(view::view(table, paths)?);
        let may_hold_operations = !unusual.contains(&table.data_table());
        wanted.extend(view_trigger::triggers(table, limit, may_hold_operations)?);
        if may_hold_operations && !table.options.local_only {
            wanted.extend(keep_trigger::triggers(&table.name));
        }
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
    let mut rows =
        database.query("SELECT type, name, tbl_name, sql FROM main.sqlite_schema WHERE sql IS NOT NULL", &[])?;
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
    let foreign = foreign_objects(database, plan)?;
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
    let altered = Names::of(plan.altered_tables().map(|table| table.name.as_str()));
    for table in schema.tables.iter().filter(|table| table.direct && altered.contains(&table.name)) {
        if change_columns(database, table)? && !table.options.local_only {
            stored = StoredRows::Incomplete;
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

/// The tables to make, in the order in which the schema has them.
struct NewTables<'o> {
    /// None where one is made.
    tables: Vec<Option<NewTable<'o>>>,
    /// Positions by what [`DataTable::rows_key`] gives.
    by_rows: ByName<Vec<usize>>,
}

impl<'o> NewTables<'o> {
    fn of(plan: &Plan<'o>) -> Result<Self> {
        let mut new = Self { tables: Vec::new(), by_rows: ByName::default() };
        for object in plan.to_create(ObjectKind::Table) {
            let Some(table) = DataTable::of(object) else {
                debug_assert!(false, "a table that we create is not known as one of ours");
                continue;
            };
            let key = table.rows_key();
            let index = new.by_rows.find(&key).map_or_else(|| new.by_rows.insert(&key, Vec::new()), Ok)?;
            debug_assert!(index < new.by_rows.len(), "what was found or inserted is not there");
            if let Some(positions) = new.by_rows.get_mut(index) {
                positions.push(new.tables.len());
            }
            new.tables.push(Some(NewTable { object, table, staged: None }));
        }
        Ok(new)
    }

    /// The first one that is not created yet and continues with the rows of `old`.
    fn continuing(&mut self, old: &DataTable) -> Option<&mut Option<NewTable<'o>>> {
        let positions = self.by_rows.get(self.by_rows.find(&old.rows_key())?)?;
        let is_left = |position: &&usize| self.tables.get(**position).is_some_and(Option::is_some);
        let position = *positions.iter().find(is_left)?;
        self.tables.get_mut(position)
    }
}

/// Drops tables and makes missing ones, so that every row goes to where it belongs.
fn replace_tables(database: &Database<'_>, plan: &Plan<'_>) -> Result<StoredRows> {
    let mut stored = StoredRows::Complete;
    let mut missing = NewTables::of(plan)?;
    let mut taken = Names::default();
    for old in plan.dropped_tables() {
        taken.insert(&old.name.to_ascii_lowercase());
    }
    // The new table can be made first, unless its name is still taken.
    let is_free = |new: &NewTable<'_>| !taken.contains(&new.table.name.to_ascii_lowercase());
    for old in plan.dropped_tables() {
        if old.holds_operations {
            set_type_aside(database, &old.name, &old.row_type)?;
        }
        let new = missing.continuing(old);
        match new {
            Some(new) if new.as_ref().is_some_and(is_free) => {
                if let Some(new) = new.take() {
                    database.execute_batch(&new.object.creation())?;
                    copy_rows(database, old, &new.table)?;
                }
            }
            Some(Some(new)) if old.local_only => new.staged = Some(stage_rows(database, old)?),
            _ if !old.local_only => keep_rows(database, old)?,
            _ => {}
        }
        if old.is_direct && !old.local_only {
            stored = StoredRows::Incomplete;
        }
        database.execute_batch(&alloc::format!("DROP TABLE main.{}", identifier(&old.name)))?;
    }
    for new in missing.tables.into_iter().flatten() {
        database.execute_batch(&new.object.creation())?;
        match &new.staged {
            Some(staged) => unstage_rows(database, staged, &new.table)?,
            None if take_rows(database, &new.table)? == StoredRows::Incomplete => stored = StoredRows::Incomplete,
            None => {}
        }
    }
    Ok(stored)
}

/// Statements that make the application's own triggers and indexes again, those on views and tables that are dropped
/// and made again.
fn foreign_objects(database: &Database<'_>, plan: &Plan<'_>) -> Result<Vec<String>> {
    let (mut replaced, mut statements) = (ByName::default(), Vec::new());
    let respelled = plan.respelled()?;
    for name in plan.replaced().map(|object| object.name.as_str()).chain(respelled) {
        let lower = name.to_ascii_lowercase();
        if replaced.find(&lower).is_none() {
            replaced.insert(&lower, name)?;
        }
    }
    if replaced.is_empty() {
        return Ok(statements);
    }
    let mut rows = database.query(
        "SELECT type, name, sql, tbl_name, 0 FROM main.sqlite_schema WHERE type IN ('trigger', 'index') \
            AND sql IS NOT NULL \
         UNION ALL \
         SELECT type, name, sql, tbl_name, 1 FROM temp.sqlite_schema WHERE type = 'trigger'",
        &[],
    )?;
    while let Some(row) = rows.next()? {
        let Some([kind, name, sql, table]) = object_texts(&row)? else { continue };
        let position = replaced.find(&table.to_ascii_lowercase());
        let Some(table) = position.and_then(|position| replaced.get(position)) else { continue };
        match ObjectKind::parse(kind) {
            // SQLite stores them without the word that makes them temporary.
            _ if row.integer(4) != 0 => {
                let definition = sql.strip_prefix(ObjectKind::Trigger.create());
                statements.extend(definition.map(|rest| alloc::format!("CREATE TEMP TRIGGER {rest}")));
            }
            Some(kind)
                if !TriggerKind::is_trigger_of(name, table)
                    && !is_keep_trigger(name, table)
                    && !is_direct_index(name, sql) =>
            {
                statements.push(in_main(kind, sql));
            }
            _ => {}
        }
    }
    Ok(statements)
}

/// Makes an object of the application again. One that does not fit the new view or table is left out, which is not a
/// reason to refuse the schema.
fn restore(database: &Database<'_>, sql: &str) -> Result<()> {
    match database.execute_batch(sql) {
        Err(error) if error.kind() == ErrorKind::Sqlite(ResultCode::ERROR) => {
            log(ResultCode::ERROR, &alloc::format!("powersync_replace_schema: not restored: {error}"));
            Ok(())
        }
        result => result,
    }
}
