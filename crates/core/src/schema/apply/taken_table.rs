//! Putting another table in the place of a data table: when the first download is published, when nearly all rows of a table
//! go, and when an earlier version has made it.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use sqlite_nostd::ResultCode;

use crate::connection::Database;
use crate::error::{ErrorKind, Result};
use crate::schema::apply::applied::schema_version;
use crate::schema::definition::names::DataTableName;
use crate::schema::objects::data_table::DataTable;
use crate::schema::objects::keep_trigger::{is_keep_trigger, triggers};
use crate::schema::objects::view::DOWNLOADED_TABLE_COLUMNS;
use crate::schema::objects::{ObjectKind, in_main, object_texts};
use crate::text::identifier;

/// If the rest of a table is a smaller part than this of what goes, it is copied.
const LEAST_GONE: usize = 4;

/// A change of tables after which the applied schema is still known to be applied.
pub(crate) struct TableChange(Option<i64>);

impl TableChange {
    /// Begins the change.
    ///
    /// # Errors
    /// Errors of SQLite.
    pub(crate) fn begin(database: &Database<'_>) -> Result<Self> {
        schema_version(database).map(Self)
    }

    /// Ends the change.
    ///
    /// # Errors
    /// Errors of SQLite.
    pub(crate) fn finish(self, database: &Database<'_>) -> Result<()> {
        const SQL: &str = "UPDATE main.ps_schema SET schema_version = ?2 WHERE schema_version = ?1";
        match (self.0, schema_version(database)?) {
            (Some(before), Some(now)) if before != now => database.execute(SQL, &[before.into(), now.into()]),
            _ => Ok(()),
        }
    }
}

/// The name of the table for rows of a type.
pub(crate) fn data_table_name(row_type: &str) -> String {
    alloc::string::ToString::to_string(&DataTableName { row_type, local_only: false })
}

/// Whether the application has triggers on the table for a type, which are to see each row.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn has_foreign_triggers(database: &Database<'_>, row_type: &str) -> Result<bool> {
    const SQL: &str = "SELECT name FROM main.sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE \
        UNION ALL SELECT '' FROM temp.sqlite_schema WHERE type = 'trigger' AND tbl_name = ?1 COLLATE NOCASE";
    let table = data_table_name(row_type);
    let mut rows = database.query(SQL, &[table.as_str().into()])?;
    while let Some(row) = rows.next()? {
        if !row.text(0).is_ok_and(|name| is_keep_trigger(name, &table)) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Whether the table for a type is in a form of ours, to which nothing was added.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn is_in_our_form(database: &Database<'_>, row_type: &str) -> Result<bool> {
    const SQL: &str = "SELECT sql FROM main.sqlite_schema WHERE type = 'table' AND name = ?1";
    let table = data_table_name(row_type);
    let mut rows = database.query(SQL, &[table.as_str().into()])?;
    let Some(row) = rows.next()? else { return Ok(false) };
    Ok(row.text(0).is_ok_and(|sql| DataTable::parse(&table, sql).is_some()))
}

/// What became of the table for a type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken {
    /// The other one is in its place.
    Yes,
    /// Nothing has changed: the application reads from the connection, so that no table can be dropped.
    Locked,
}

/// Puts the table `by` in the place of the one for a type, whose rows go. If several rows of it have one id,
/// `make_unique` is called, after which none may.
///
/// # Errors
/// Errors of SQLite, after which everything has to be rolled back; those of `make_unique`.
pub(crate) fn take_place(
    database: &Database<'_>,
    row_type: &str,
    by: &str,
    make_unique: &mut dyn FnMut() -> Result<()>,
) -> Result<Taken> {
    let table = data_table_name(row_type);
    let (name, by) = (identifier(&table), identifier(by));
    let indexes = indexes(database, &table)?;
    match database.execute_batch(&format!("DROP TABLE main.{name}")) {
        Err(error) if is_code(error.kind(), ResultCode::LOCKED) => return Ok(Taken::Locked),
        dropped => dropped?,
    }
    let key = key_sql(row_type, &by);
    match database.execute_batch(&key) {
        Err(error) if is_code(error.kind(), ResultCode::CONSTRAINT) => {
            make_unique()?;
            database.execute_batch(&key)?;
        }
        made => made?,
    }
    database.with_legacy_alter_table(|| database.execute_batch(&format!("ALTER TABLE main.{by} RENAME TO {name}")))?;
    indexes.iter().try_for_each(|sql| database.execute_batch(sql))?;
    // No row was written, and who watches the table is to look at it.
    database.execute_batch(&format!(
        "UPDATE main.{name} SET data = data WHERE rowid = (SELECT min(rowid) FROM main.{name})"
    ))?;
    triggers(row_type).try_for_each(|trigger| database.execute_batch(&trigger.creation()))?;
    Ok(Taken::Yes)
}

/// Gives a table of another version, which is empty, the form in which downloaded data are stored once, if nothing of the
/// application's is in the way. True if it has that form now.
///
/// # Errors
/// Errors of SQLite, after which everything has to be rolled back.
pub(crate) fn renew(database: &Database<'_>, table: &DataTable) -> Result<bool> {
    if table.holds_operations || table.local_only || table.is_direct {
        return Ok(false);
    }
    replace(database, &table.row_type, &mut |_| Ok(()))
}

/// Takes rows out of the table for a type by putting one with all others in its place: those with the rowids `gone`, which are
/// sorted. False, and nothing is done, unless they are nearly all of it and nobody else is to see each row go.
///
/// # Errors
/// Errors of SQLite, after which everything has to be rolled back.
pub(crate) fn keep_rest(database: &Database<'_>, row_type: &str, gone: &[i64]) -> Result<bool> {
    let table = identifier(&data_table_name(row_type));
    let mut all = database.prepare(&format!("SELECT rowid FROM main.{table} ORDER BY rowid"))?;
    let most = i64::try_from(gone.len().saturating_add(gone.len() / LEAST_GONE)).unwrap_or(i64::MAX);
    if database.count_up_to(&table, most.saturating_add(1))? > most {
        return Ok(false);
    }
    let change = TableChange::begin(database)?;
    let is_replaced = replace(database, row_type, &mut |staged| {
        let mut copy = database.prepare(&format!(
            "INSERT INTO main.{staged}(rowid, id, data) SELECT rowid, id, data FROM main.{table} WHERE rowid = ?1"
        ))?;
        let (mut rows, mut next) = (all.query(&[])?, gone.iter().peekable());
        while let Some(row) = rows.next()? {
            if next.next_if_eq(&&row.integer(0)).is_none() {
                copy.execute(&[row.integer(0).into()])?;
            }
        }
        // Who watches the table is to look at it.
        database.execute_batch(&format!("DELETE FROM main.{table} WHERE rowid = {}", gone.first().unwrap_or(&0)))
    })?;
    change.finish(database)?;
    Ok(is_replaced)
}

/// Puts a table that `fill` fills, which is given its quoted name, in the place of the one for a type. False, and nothing is
/// done, if that has anything of the application's: rows that refer to others would go with all of these.
fn replace(database: &Database<'_>, row_type: &str, fill: &mut dyn FnMut(&str) -> Result<()>) -> Result<bool> {
    const HAS_REFERENCES: &str = "SELECT 1 FROM main.sqlite_schema WHERE sql LIKE '%REFERENCES%' LIMIT 1";
    if database.integer(HAS_REFERENCES, &[])?.is_some()
        || has_foreign_triggers(database, row_type)?
        || !is_in_our_form(database, row_type)?
    {
        return Ok(false);
    }
    let staged = format!("ps_staged_{}", data_table_name(row_type));
    let quoted = identifier(&staged);
    database.execute_batch(&format!("CREATE TABLE main.{quoted}{DOWNLOADED_TABLE_COLUMNS}"))?;
    fill(&quoted)?;
    match take_place(database, row_type, &staged, &mut || Ok(()))? {
        Taken::Yes => Ok(true),
        Taken::Locked => database.execute_batch(&format!("DROP TABLE main.{quoted}")).map(|()| false),
    }
}

/// Does `append`, which inserts many rows into the table for a type, without its key, which is then made again: sorted, so
/// that it is written in sequence. Some tables have a key that cannot be dropped.
///
/// # Errors
/// Errors of SQLite, after which everything has to be rolled back; those of `append`.
pub(crate) fn append_without_key(
    database: &Database<'_>,
    row_type: &str,
    append: &mut dyn FnMut() -> Result<()>,
) -> Result<()> {
    const HAS_KEY: &str = "SELECT 1 FROM main.sqlite_schema WHERE type = 'index' AND name = ?1 AND tbl_name = ?2";
    let (table, key) = (data_table_name(row_type), key_name(row_type));
    let has_key = database.integer(HAS_KEY, &[key.as_str().into(), table.as_str().into()])?.is_some();
    let is_dropped = has_key
        && match database.execute_batch(&format!("DROP INDEX main.{}", identifier(&key))) {
            // The application reads from the connection.
            Err(error) if is_code(error.kind(), ResultCode::LOCKED) => false,
            dropped => dropped.map(|()| true)?,
        };
    append()?;
    if is_dropped { database.execute_batch(&key_sql(row_type, &identifier(&table))) } else { Ok(()) }
}

fn key_name(row_type: &str) -> String {
    format!("ps_key__{row_type}")
}

/// The SQL that makes the key of `table`, which is quoted.
fn key_sql(row_type: &str, table: &str) -> String {
    format!("CREATE UNIQUE INDEX main.{} ON {table}(id)", identifier(&key_name(row_type)))
}

fn is_code(kind: ErrorKind, wanted: ResultCode) -> bool {
    matches!(kind, ErrorKind::Sqlite(code) if code.primary() == wanted)
}

/// Statements that make the indexes of a table again, but for its key.
fn indexes(database: &Database<'_>, table: &str) -> Result<Vec<String>> {
    const SQL: &str = "SELECT 'index', name, tbl_name, sql FROM main.sqlite_schema \
        WHERE type = 'index' AND tbl_name = ?1 COLLATE NOCASE AND sql IS NOT NULL AND name NOT GLOB 'ps_key__*'";
    let mut rows = database.query(SQL, &[table.into()])?;
    let mut statements = Vec::new();
    while let Some(row) = rows.next()? {
        if let Some([_, _, _, sql]) = object_texts(&row)? {
            statements.push(in_main(ObjectKind::Index, sql));
        }
    }
    Ok(statements)
}
