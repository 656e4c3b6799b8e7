//! A copy of the database for new clients: `powersync_export` (docs/reference/functions.md#powersync_export).
//!
//! The copy is made in a temporary database, where everything that belongs to this client is deleted. What is left is
//! written to the file in one transaction, with the mark of an export in it. So the file holds nothing or a whole export
//! at any time, whatever fails: an application could open anything else as a client with this one's id.

use alloc::format;
use alloc::string::String;

use sqlite_nostd::{Connection, Missing, OwnConnection, ResultCode};

use crate::connection::Database;
use crate::error::{Error, ErrorKind, Result};
use crate::packed_sql::{self, PackedSql};
use crate::schema::data_tables;
use crate::text;

/// What happens to rows of local-only tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum LocalRows {
    /// The copy has none.
    LeftOut,
    /// They are copied.
    Included,
}

/// Writes a copy to the file `path`, which must not exist or be empty, and gives its size in bytes.
///
/// # Errors
/// An argument error if the file exists; errors of SQLite.
pub(crate) fn export(database: &Database<'_>, path: &str, local_rows: LocalRows) -> Result<i64> {
    // Before all the work.
    match OwnConnection::open(path, Missing::Fail) {
        Ok(target) => require_empty(target.connection())?,
        Err(error) if error.code().primary() == ResultCode::CANTOPEN => {}
        Err(error) => return Err(Error::from(error).with_context("opening the file to be written")),
    }
    let copy = copy_aside(database, local_rows)?;
    let target = OwnConnection::open(path, Missing::Create);
    let target = target.map_err(|error| Error::from(error).with_context("opening the file to be written"))?;
    require_empty(target.connection())?;
    let written = copy.connection().copy_to(&target, database.connection());
    written.map_err(|error| Error::from(error).with_context("writing the file"))?;
    Ok(pragma(copy.connection(), "PRAGMA page_count")?.saturating_mul(pragma(copy.connection(), "PRAGMA page_size")?))
}

/// Fails if the database of `target` has anything in it.
fn require_empty(target: Connection<'_>) -> Result<()> {
    match pragma(target, "PRAGMA page_count") {
        Ok(0) => Ok(()),
        Err(error) if error.kind() != ErrorKind::Sqlite(ResultCode::NOTADB) => {
            Err(error.with_context("opening the file to be written"))
        }
        _ => Err(Error::argument("there is a file of that name already")),
    }
}

/// The integer that a pragma gives.
fn pragma(connection: Connection<'_>, sql: &str) -> Result<i64> {
    let mut statement = connection.prepare(sql)?;
    let mut rows = statement.query(&[])?;
    Ok(rows.next()?.map_or(0, |row| row.integer(0)))
}

/// Makes the copy in a temporary database.
fn copy_aside(database: &Database<'_>, local_rows: LocalRows) -> Result<OwnConnection> {
    // As long as this statement is not at its end, everything that the connection reads is of one state.
    let mut snapshot = database.prepare("SELECT 1 FROM main.sqlite_schema")?;
    let mut snapshot = snapshot.query(&[])?;
    snapshot.next()?;
    let changes = changes(database, local_rows)?;
    let copy = OwnConnection::open_temporary()?;
    let copied = database.connection().copy_to(&copy, database.connection());
    copied.map_err(|error| Error::from(error).with_context("copying the database"))?;
    drop(snapshot);
    let changed = copy.connection().execute_batch(&changes);
    changed.map_err(|error| Error::from(error).with_context("preparing the copy"))?;
    Ok(copy)
}

/// The SQL that makes a copy an export.
fn changes(database: &Database<'_>, local_rows: LocalRows) -> Result<String> {
    let packed = PackedSql::unpack()?;
    // What is deleted here must not be left in free pages of the file.
    let mut sql = format!(
        "PRAGMA secure_delete = ON; PRAGMA foreign_keys = OFF; BEGIN; {};
UPDATE main.ps_stream_subscriptions SET expires_at = NULL;
INSERT INTO main.ps_kv(key, value) VALUES ('powersync_export', 1);",
        packed.text(packed_sql::FORGET_CLIENT)
    );
    let tables = data_tables(database)?;
    for table in tables.iter().filter(|table| table.local_only && local_rows == LocalRows::LeftOut) {
        sql.push_str(&format!("DELETE FROM main.{};", text::identifier(&table.name)));
    }
    sql.push_str("COMMIT");
    Ok(sql)
}
