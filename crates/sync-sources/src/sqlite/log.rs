//! Our tables in the file: the log of written keys, what is captured, and what identifies the log.
//!
//! A position is a `seq` of the log, which never comes twice: `AUTOINCREMENT` remembers the largest one when rows are
//! deleted. The log begins at the time, in microseconds, and goes on from the time whenever a stream begins or rows are
//! deleted. So a position of another log, or of a backup's future, is recognized: it is before `first` or after the head.

use rusqlite::{Connection, OptionalExtension};

use super::failure::Result;
use super::file::Identity;
use super::schema;
use crate::common::now;
use crate::error::configuration;

pub(crate) const LOG: &str = "_sync_log";
pub(crate) const META: &str = "_sync_meta";
pub(crate) const CAPTURED: &str = "_sync_table";

/// `op` of a row that was written: look at it.
pub(crate) const ROW: i64 = 0;
/// `op` of a table that has other columns, or that appeared.
pub(crate) const DEFINED: i64 = 1;
/// `op` of a table that is gone.
pub(crate) const DROPPED: i64 = 2;

/// What our tables are like, for a later version that changes them.
const FORMAT: i64 = 1;

/// The rowid of the row `format`. The table has neither a primary key nor an index, so `VACUUM` gives it another one, as
/// to rows of the app's tables that are identified by their rowid.
const CANARY: i64 = 1 << 40;

/// What is known of the log.
#[derive(Clone, Debug)]
pub(crate) struct Meta {
    /// Of the file when the log was last used.
    pub(crate) identity: Identity,
    /// What came up to here is forgotten.
    pub(crate) first: u64,
    /// The version of the schema for which the captures are right.
    pub(crate) schema: i64,
}

/// Reads it; none if there is no log.
pub(crate) fn meta(connection: &Connection) -> Result<Option<Meta>> {
    if !exists(connection, META)? {
        return Ok(None);
    }
    let taken = || configuration(format!("the source has a table {META} of its own: rename it, the name is reserved"));
    let mut statement = connection.prepare_cached("SELECT key, value FROM main._sync_meta").map_err(|_| taken())?;
    let mut rows = statement.query([])?;
    let (mut identity, mut first, mut schema, mut format) = (None, None, None, None);
    while let Some(row) = rows.next()? {
        match row.get_ref(0)?.as_str().unwrap_or_default() {
            "file" => identity = row.get::<_, Option<String>>(1)?,
            "first" => first = row.get::<_, Option<i64>>(1)?,
            "schema" => schema = row.get::<_, Option<i64>>(1)?,
            "format" => format = row.get::<_, Option<i64>>(1)?,
            _ => {}
        }
    }
    match (format, identity, first, schema) {
        (Some(FORMAT), Some(identity), Some(first), Some(schema)) => {
            Ok(Some(Meta { identity: Identity(identity), first: unsigned(first), schema }))
        }
        (Some(FORMAT), ..) | (None, ..) => Err(taken().into()),
        (Some(format), ..) => Err(configuration(format!(
            "the source's {META} has format {format}, which this version does not know: use the version that made it"
        ))
        .into()),
    }
}

/// Whether there is a table, view or index with this name.
pub(crate) fn exists(connection: &Connection, name: &str) -> Result<bool> {
    let sql = "SELECT 1 FROM main.sqlite_master WHERE name = ?1 AND type <> 'trigger'";
    Ok(connection.prepare_cached(sql)?.exists([name])?)
}

/// Creates our tables in a file that has none.
pub(crate) fn create(connection: &Connection, identity: &Identity) -> Result<Meta> {
    for name in [LOG, META, CAPTURED] {
        if exists(connection, name)? {
            let message = format!("the source has a table {name} of its own: rename it, the name is reserved");
            return Err(configuration(message).into());
        }
    }
    connection.execute_batch(
        "CREATE TABLE main._sync_meta(key, value);
        CREATE TABLE main._sync_log(seq INTEGER PRIMARY KEY AUTOINCREMENT, tbl, op, k1);
        CREATE TABLE main._sync_table(id INTEGER PRIMARY KEY AUTOINCREMENT, name, generation, definition, dropped_at)",
    )?;
    connection.execute(
        "INSERT INTO main._sync_meta(rowid, key, value) VALUES (?1, 'format', ?2), (?1 + 1, 'file', ?3),
        (?1 + 2, 'first', 0), (?1 + 3, 'schema', -1)",
        (CANARY, FORMAT, &identity.0),
    )?;
    begin_again(connection, identity, 0)?;
    Ok(Meta { identity: identity.clone(), first: head(connection)?, schema: -1 })
}

/// Makes all positions up to now, and up to another one, those of a log that is lost.
pub(crate) fn begin_again(connection: &Connection, identity: &Identity, beyond: u64) -> Result<()> {
    advance(connection, beyond.saturating_add(1))?;
    connection.execute("DELETE FROM main._sync_log", [])?;
    connection.execute("DELETE FROM main._sync_table WHERE dropped_at IS NOT NULL", [])?;
    set_meta(connection, "first", signed(head(connection)?))?;
    connection.execute("UPDATE main._sync_meta SET value = ?1 WHERE key = 'file'", [&identity.0])?;
    Ok(())
}

/// Sets the next position to the time, and at least to this one.
pub(crate) fn advance(connection: &Connection, least: u64) -> Result<()> {
    let least = signed(least.max(now()));
    let updated =
        connection.execute("UPDATE main.sqlite_sequence SET seq = max(seq, ?1) WHERE name = '_sync_log'", [least])?;
    if updated == 0 {
        // The app has deleted the row, so that the log would begin at 1 again.
        let sql = "INSERT INTO main.sqlite_sequence(name, seq) VALUES ('_sync_log', ?1)";
        connection.execute(sql, [least])?;
    }
    Ok(())
}

/// The last position.
pub(crate) fn head(connection: &Connection) -> Result<u64> {
    let sql = "SELECT seq FROM main.sqlite_sequence WHERE name = '_sync_log'";
    let head: Option<i64> = connection.prepare_cached(sql)?.query_row([], |row| row.get(0)).optional()?;
    Ok(unsigned(head.unwrap_or(0)))
}

pub(crate) fn set_meta(connection: &Connection, key: &str, value: i64) -> Result<()> {
    connection.execute("UPDATE main._sync_meta SET value = ?2 WHERE key = ?1 AND value IS NOT ?2", (key, value))?;
    Ok(())
}

/// Whether `VACUUM` has given other rowids to rows since this was last asked.
pub(crate) fn rowids_have_changed(connection: &Connection) -> Result<bool> {
    let sql = "UPDATE main._sync_meta SET rowid = ?1 WHERE key = 'format' AND rowid <> ?1";
    Ok(connection.execute(sql, [CANARY])? > 0)
}

/// Gives the log as many columns as a key has.
pub(crate) fn widen(connection: &Connection, width: usize) -> Result<()> {
    let sql = "SELECT count(*) FROM pragma_table_xinfo('_sync_log', 'main')";
    let columns: i64 = connection.query_row(sql, [], |row| row.get(0))?;
    let has = usize::try_from(columns).unwrap_or(0).saturating_sub(3);
    for number in has.saturating_add(1)..=width {
        connection.execute_batch(&format!("ALTER TABLE main._sync_log ADD COLUMN k{number}"))?;
    }
    Ok(())
}

/// Logs something about a table.
pub(crate) fn note(connection: &Connection, id: i64, op: i64) -> Result<i64> {
    connection.execute("INSERT INTO main._sync_log(tbl, op) VALUES (?1, ?2)", [id, op])?;
    Ok(connection.last_insert_rowid())
}

/// Takes everything of ours out of the file. Only an empty `sqlite_sequence` can stay, which SQLite lets nobody remove.
pub(crate) fn remove(connection: &Connection) -> Result<()> {
    if meta(connection)?.is_none() {
        return Ok(());
    }
    let sql = "SELECT name FROM main.sqlite_master WHERE type = 'trigger' AND name GLOB '_sync_[0-9]*_*' AND sql GLOB '*_sync_log*'";
    let names: Vec<String> =
        connection.prepare(sql)?.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    for name in names {
        connection.execute_batch(&format!("DROP TRIGGER main.{}", super::values::quoted(&name)))?;
    }
    for name in [LOG, CAPTURED, META] {
        connection.execute_batch(&format!("DROP TABLE IF EXISTS main.{name}"))?;
    }
    Ok(())
}

/// Whether the captures are right for the schema as it is.
pub(crate) fn is_current(connection: &Connection, meta: &Meta) -> Result<bool> {
    Ok(schema::version(connection)? == meta.schema)
}

pub(crate) fn signed(position: u64) -> i64 {
    i64::try_from(position).unwrap_or(i64::MAX)
}

pub(crate) fn unsigned(position: i64) -> u64 {
    u64::try_from(position).unwrap_or(0)
}
