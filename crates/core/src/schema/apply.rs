//! Making the database match a schema: what `powersync_replace_schema` does after the migrations.

use alloc::string::String;
use alloc::vec::Vec;

use sqlite_nostd::{ResultCode, log};

use super::definition::{Schema, Table};
use super::names::{DataTableName, TriggerKind};
use super::object::{Object, ObjectKind, in_main};
use super::plan::Plan;
use super::row_call::ArgumentLimit;
use super::trigger;
use super::view::{self, PathSupport};
use crate::connection::Database;
use crate::error::{Error, ErrorKind, Result};
use crate::text::{identifier, literal};

/// `SQLITE_LIMIT_FUNCTION_ARG`.
const FUNCTION_ARGUMENTS: i32 = 6;

/// Makes tables, views, indexes and triggers of the database `main` those of `schema` (schema, JSON tables).
///
/// What is as it should be is not touched. Rows of synced tables that the schema no longer has move to `ps_untyped`, and
/// those of new tables come from there. The internal tables must exist. It is done as a whole or, on an error, not at
/// all.
///
/// # Errors
/// An argument error if the schema cannot be had in this database; errors of SQLite.
pub fn apply(database: &Database<'_>, schema: &Schema) -> Result<()> {
    let wanted = wanted_objects(database, schema)?;
    let mut plan = Plan::new(&wanted);
    find_objects(database, &mut plan)?;
    if let Some(conflict) = plan.take_conflict() {
        return Err(conflict);
    }
    plan.unknown_tables().try_for_each(|table| check_columns(database, table))?;
    if plan.is_empty() {
        return Ok(());
    }
    database.execute_batch("SAVEPOINT powersync_schema")?;
    let result = carry_out(database, &plan);
    if result.is_err() {
        // If this fails, the whole transaction is gone, and the first error tells why.
        let _ = database.execute_batch("ROLLBACK TO powersync_schema");
    }
    let released = database.execute_batch("RELEASE powersync_schema");
    result.and(released)
}

/// All objects that `schema` needs.
fn wanted_objects(database: &Database<'_>, schema: &Schema) -> Result<Vec<Object>> {
    let limit = ArgumentLimit::of_connection(database.connection().limit(FUNCTION_ARGUMENTS));
    let paths = path_support(database, schema);
    let mut wanted = Vec::with_capacity(schema.tables.len() * 6);
    for table in &schema.tables {
        if table.direct {
            return Err(Error::argument(alloc::format!("table {:?}: direct tables are not supported", table.name)));
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
        if let Some(kind) = ObjectKind::parse(row.text(0)?) {
            plan.found(kind, row.text(1)?, row.text(2)?, row.text(3)?);
        }
    }
    Ok(())
}

/// A table in an unexpected form serves if it has the columns that we use.
fn check_columns(database: &Database<'_>, table: &Object) -> Result<()> {
    let query = alloc::format!("SELECT id, data FROM main.{}", identifier(&table.name));
    match database.prepare(&query) {
        Err(error) if *error.kind() == ErrorKind::Sqlite(ResultCode::ERROR) => Err(Error::argument(alloc::format!(
            "cannot use table {:?}: the database has one of that name that is not managed by PowerSync",
            table.name
        ))),
        Err(error) => Err(error),
        Ok(_) => Ok(()),
    }
}

/// Drops what is not needed, then makes what is missing.
fn carry_out(database: &Database<'_>, plan: &Plan<'_>) -> Result<()> {
    let mut foreign_triggers = Vec::new();
    for view in plan.replaced_views() {
        collect_foreign_triggers(database, &view.name, &mut foreign_triggers)?;
    }
    for kind in [ObjectKind::Trigger, ObjectKind::View, ObjectKind::Index, ObjectKind::Table] {
        for name in plan.to_drop(kind) {
            if kind == ObjectKind::Table {
                keep_rows(database, name)?;
            }
            let kind = kind.name();
            database.execute_batch(&alloc::format!("DROP {kind} main.{}", identifier(name)))?;
        }
    }
    for kind in [ObjectKind::Table, ObjectKind::Index, ObjectKind::View, ObjectKind::Trigger] {
        for object in plan.to_create(kind) {
            database.execute_batch(&object.creation())?;
            if kind == ObjectKind::Table {
                take_rows(database, &object.name)?;
            }
        }
    }
    foreign_triggers.iter().try_for_each(|sql| restore_trigger(database, sql))
}

/// Moves the rows of a data table to `ps_untyped`. Its rows are newer than those there (trap 24).
fn keep_rows(database: &Database<'_>, data_table: &str) -> Result<()> {
    if let Some(DataTableName { row_type, local_only: false }) = DataTableName::parse(data_table) {
        database.execute_batch(&alloc::format!(
            "INSERT OR REPLACE INTO main.ps_untyped(type, id, data) SELECT {}, id, data FROM main.{}",
            literal(row_type),
            identifier(data_table)
        ))?;
    }
    Ok(())
}

/// Moves rows from `ps_untyped` to their new data table.
fn take_rows(database: &Database<'_>, data_table: &str) -> Result<()> {
    // Rows in `ps_untyped` are synced ones. In a local-only table they would be lost to the sync.
    if let Some(DataTableName { row_type, local_only: false }) = DataTableName::parse(data_table) {
        let (row_type, data_table) = (literal(row_type), identifier(data_table));
        database.execute_batch(&alloc::format!(
            "INSERT INTO main.{data_table}(id, data) SELECT id, data FROM main.ps_untyped WHERE type = {row_type}; \
             DELETE FROM main.ps_untyped WHERE type = {row_type}"
        ))?;
    }
    Ok(())
}

/// Collects statements that make the application's own triggers on `view` again, which are dropped together with it.
fn collect_foreign_triggers(database: &Database<'_>, view: &str, statements: &mut Vec<String>) -> Result<()> {
    let mut statement = database.cached(
        "SELECT name, sql, 0 FROM main.sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE \
         UNION ALL \
         SELECT name, sql, 1 FROM temp.sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE",
    )?;
    let mut rows = statement.query(&[view.into()])?;
    while let Some(row) = rows.next()? {
        let (name, sql, is_temporary) = (row.text(0)?, row.text(1)?, row.integer(2) != 0);
        if is_temporary {
            statements.push(sql.replacen("CREATE TRIGGER ", "CREATE TEMP TRIGGER ", 1));
        } else if !TriggerKind::is_trigger_of(name, view) {
            statements.push(in_main(ObjectKind::Trigger, sql));
        }
    }
    Ok(())
}

/// Makes an application's trigger again. One that does not fit the new view is left out, which is not a reason to refuse
/// the schema.
fn restore_trigger(database: &Database<'_>, sql: &str) -> Result<()> {
    match database.execute_batch(sql) {
        Err(error) if *error.kind() == ErrorKind::Sqlite(ResultCode::ERROR) => {
            log(ResultCode::ERROR, &alloc::format!("powersync_replace_schema: trigger not restored: {error}"));
            Ok(())
        }
        result => result,
    }
}
