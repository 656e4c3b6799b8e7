//! The on-disk formats of the internal tables and the steps between them (docs/reference/tables.md#formats-and-migrations):
//! the SQL of each is in `sql/migrations`, and where that is not enough, a function in a module of its own.
//!
//! Versions 1 to 14 are those of the published extension, ours begin at 1001. Each step that was taken has a row in
//! `ps_migration`, with the statements that undo it. Those stored statements are what undoing uses, so that a version
//! which does not know a step can still undo it; each of them removes the row of its step.
//!
//! Everything runs inside the caller's transaction: after an error the caller rolls back, and the file is as it was.

mod readable_rows;
mod v03;
mod v05;
mod v06;
mod v1001;
mod v1002;

use alloc::string::String;
use alloc::vec::Vec;

use rowtide_json::writer::{Json, write_raw};
use sqlite_nostd::ResultCode;

use crate::connection::Database;
use crate::error::{Error, ErrorKind, Result};
use crate::in_place::{pending_types, set_aside_sql, set_pending_aside_sql};
use crate::packed_sql::{self, PackedSql, Place};
use crate::schema::{ViewTrigger, data_tables, keep_trigger_removals, view_triggers};

/// One step up from the format before it, and the way back.
struct Migration {
    version: i64,
    up: Up,
    /// The statements that restore the format before, as they are stored in the file; None for the first format, as a
    /// database without internal tables is not one of ours.
    down: Option<Place>,
}

/// How a step up is taken.
enum Up {
    /// No change of the tables.
    Nothing,
    /// SQL statements.
    Sql(Place),
    /// A function.
    Code(fn(&Database<'_>, &PackedSql, Journey) -> Result<()>),
}

/// The steps up that are taken together.
#[derive(Debug, Clone, Copy)]
struct Journey {
    /// The format before the first step.
    from: i64,
    /// The format after the last one.
    to: i64,
}

/// All steps, in order. What each is for is said where it is.
const MIGRATIONS: [Migration; 18] = [
    Migration { version: 1, up: Up::Sql(packed_sql::V01_UP), down: None },
    Migration { version: 2, up: Up::Sql(packed_sql::V02_UP), down: Some(packed_sql::V02_DOWN) },
    Migration { version: 3, up: Up::Code(v03::up), down: Some(packed_sql::V03_DOWN) },
    Migration { version: 4, up: Up::Sql(packed_sql::V04_UP), down: Some(packed_sql::V04_DOWN) },
    Migration { version: 5, up: Up::Code(v05::up), down: Some(packed_sql::V05_DOWN) },
    Migration { version: 6, up: Up::Code(v06::up), down: Some(packed_sql::V06_DOWN) },
    Migration { version: 7, up: Up::Sql(packed_sql::V07_UP), down: Some(packed_sql::V07_DOWN) },
    Migration { version: 8, up: Up::Sql(packed_sql::V08_UP), down: Some(packed_sql::V08_DOWN) },
    Migration { version: 9, up: Up::Sql(packed_sql::V09_UP), down: Some(packed_sql::V09_DOWN) },
    Migration { version: 10, up: Up::Nothing, down: Some(packed_sql::V10_DOWN) },
    Migration { version: 11, up: Up::Sql(packed_sql::V11_UP), down: Some(packed_sql::V11_DOWN) },
    Migration { version: 12, up: Up::Sql(packed_sql::V12_UP), down: Some(packed_sql::V12_DOWN) },
    Migration { version: 13, up: Up::Sql(packed_sql::V13_UP), down: Some(packed_sql::V13_DOWN) },
    Migration { version: 14, up: Up::Sql(packed_sql::V14_UP), down: Some(packed_sql::V14_DOWN) },
    Migration { version: 1001, up: Up::Code(v1001::up), down: Some(packed_sql::V1001_DOWN) },
    Migration { version: 1002, up: Up::Code(v1002::up), down: Some(packed_sql::V1002_DOWN) },
    Migration { version: 1003, up: Up::Sql(packed_sql::V1003_UP), down: Some(packed_sql::V1003_DOWN) },
    Migration { version: 1004, up: Up::Sql(packed_sql::V1004_UP), down: Some(packed_sql::V1004_DOWN) },
];

/// A format that this library knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version(i64);

/// The format that the running code uses.
pub(crate) const LATEST: Version = Version(1004);

impl Version {
    /// The format with that number, None if there is none: 1 to 14, and 1001 to 1004.
    pub(crate) fn from_number(number: i64) -> Option<Self> {
        is_known(number).then_some(Self(number))
    }
}

impl core::fmt::Display for Version {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(formatter, "{}", self.0)
    }
}

fn is_known(number: i64) -> bool {
    MIGRATIONS.iter().any(|migration| migration.version == number)
}

/// Brings the internal tables to format `target`, up or down, from whatever format they are in.
///
/// Steps that this library does not know, taken by a newer or another one, are undone first, and with them the steps
/// taken after them. With nothing to do this costs two cached statements and writes nothing.
///
/// # Errors
/// A failing statement, with the step it belongs to; a step that cannot be undone.
pub(crate) fn migrate(database: &Database<'_>, target: Version) -> Result<()> {
    const CREATE: &str = "CREATE TABLE IF NOT EXISTS main.ps_migration(id INTEGER PRIMARY KEY, down_migrations TEXT)";
    database.execute(CREATE, &[])?;
    if is_at(database, target)? {
        return Ok(());
    }
    if let Some(unknown) = lowest_unknown(database)? {
        undo_while(database, |version| version >= unknown)?;
    }
    undo_while(database, |version| version > target.0)?;
    let sql = PackedSql::unpack()?;
    let journey = Journey { from: newest_applied(database)?, to: target.0 };
    for migration in MIGRATIONS.iter().filter(|step| step.version > journey.from && step.version <= journey.to) {
        apply(database, migration, &sql, journey)
            .map_err(|error| error.with_context(format_args!("Migration to format {} failed", migration.version)))?;
    }
    if target == LATEST { note_way_down_with(database, &sql) } else { Ok(()) }
}

/// Stores the part of the way down from the newest format that depends on the tables there are. To be called when these
/// have changed, or triggers of ours on views.
///
/// The triggers are dropped: they use functions that other versions do not have, while the views work everywhere, and the
/// application may have views and triggers over them. Then the data of operations are copied to them from each table. No
/// statement can find triggers or tables by itself, so each is named.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn note_way_down(database: &Database<'_>) -> Result<()> {
    note_way_down_with(database, &PackedSql::unpack()?)
}

fn note_way_down_with(database: &Database<'_>, sql: &PackedSql) -> Result<()> {
    const IS_NOTED: &str = "SELECT 1 FROM main.ps_migration WHERE id = ?1 AND down_migrations = ?2";
    const NOTE: &str = "UPDATE main.ps_migration SET down_migrations = ?2 WHERE id = ?1";
    let mut statements: Vec<String> = view_triggers(database)?.iter().map(ViewTrigger::removal).collect();
    for table in data_tables(database)?.iter().filter(|table| table.holds_operations) {
        statements.extend(keep_trigger_removals(&table.row_type));
        statements.push(set_aside_sql(sql, &table.name, &table.row_type));
    }
    for row_type in pending_types(database)? {
        statements.push(set_pending_aside_sql(sql, &row_type)?);
    }
    statements.push(sql.text(packed_sql::V1004_DOWN).into());
    let down = down_migrations_json(&mut statements.iter().flat_map(|statements| statements.split('\0')))?;
    // Asking first needs no lock.
    match database.integer(IS_NOTED, &[LATEST.0.into(), down.as_str().into()])? {
        Some(_) => Ok(()),
        None => database.execute(NOTE, &[LATEST.0.into(), down.as_str().into()]),
    }
}

/// Whether exactly the steps up to `target` were taken.
///
/// # Errors
/// Errors of SQLite, for instance because no step was ever taken.
pub(crate) fn is_at(database: &Database<'_>, target: Version) -> Result<bool> {
    let mut applied = database.query("SELECT id FROM main.ps_migration ORDER BY id", &[])?;
    for expected in MIGRATIONS.iter().filter(|step| step.version <= target.0) {
        match applied.next()? {
            Some(row) if row.integer(0) == expected.version => {}
            _ => return Ok(false),
        }
    }
    Ok(applied.next()?.is_none())
}

/// Fails unless the internal tables are in the newest format, which running code works with.
///
/// # Errors
/// A state error that says what to do; errors of SQLite.
pub(crate) fn require_latest(database: &Database<'_>) -> Result<()> {
    let format = match database.integer("SELECT max(id) FROM main.ps_migration", &[]) {
        Err(error) if error.kind() == ErrorKind::Sqlite(ResultCode::ERROR) => None,
        found => found?,
    };
    let found = match format {
        Some(format) if format == LATEST.0 => return Ok(()),
        Some(format) => alloc::format!("The internal tables are in format {format}"),
        None => String::from("There are no internal tables"),
    };
    Err(Error::state(alloc::format!(
        "{found}, and format {LATEST} is needed: call powersync_init() or powersync_replace_schema() in a transaction first."
    )))
}

/// The error to report instead of `error`, if that came of internal tables in another format.
pub(crate) fn explain(database: &Database<'_>, error: Error) -> Error {
    match error.kind() {
        ErrorKind::Sqlite(ResultCode::ERROR) => require_latest(database).err().unwrap_or(error),
        _ => error,
    }
}

/// The newest step taken, 0 without any.
fn newest_applied(database: &Database<'_>) -> Result<i64> {
    Ok(database.integer("SELECT max(id) FROM main.ps_migration", &[])?.unwrap_or(0))
}

/// The first step taken that this library does not know.
fn lowest_unknown(database: &Database<'_>) -> Result<Option<i64>> {
    let mut statement = database.prepare("SELECT id FROM main.ps_migration ORDER BY id")?;
    let mut applied = statement.query(&[])?;
    while let Some(row) = applied.next()? {
        if !is_known(row.integer(0)) {
            return Ok(Some(row.integer(0)));
        }
    }
    Ok(None)
}

/// Undoes the newest step while `is_unwanted` says so of its version.
fn undo_while(database: &Database<'_>, is_unwanted: impl Fn(i64) -> bool) -> Result<()> {
    loop {
        let version = newest_applied(database)?;
        if version == 0 || !is_unwanted(version) {
            return Ok(());
        }
        undo(database, version)
            .map_err(|error| error.with_context(format_args!("Down migration failed from {version}")))?;
        if newest_applied(database)? >= version {
            let message = alloc::format!("Down migration failed - version not updated from {version}");
            return Err(Error::new(ErrorKind::Abort, message));
        }
    }
}

/// Runs the stored statements that undo step `version`. Those that drop our views leave them, without triggers, so that
/// the application's views and triggers over them stay.
fn undo(database: &Database<'_>, version: i64) -> Result<()> {
    let statements = stored_down_migrations(database, version)?;
    let run = || {
        for statement in &statements {
            database.execute_batch(statement)?;
            if database.connection().is_autocommit() {
                return Err(Error::new(ErrorKind::Abort, "a stored statement has ended the transaction"));
            }
        }
        Ok(())
    };
    database.with_legacy_alter_table(|| database.state().keeping_views(run))
}

/// The statements in `down_migrations` of step `version`: `[{"sql": "…"}, …]`. Other members, such as the empty
/// `params` that some versions wrote, mean nothing.
fn stored_down_migrations(database: &Database<'_>, version: i64) -> Result<Vec<String>> {
    const SQL: &str = "SELECT iif(step.type = 'object', json_extract(step.value, '$.sql'), NULL) \
        FROM main.ps_migration AS migration, json_each(migration.down_migrations) AS step WHERE migration.id = ?1";
    const IS_JSON: &str = "SELECT json_valid(coalesce(down_migrations, '[]')) FROM main.ps_migration WHERE id = ?1";
    let is_json = database.integer(IS_JSON, &[version.into()])? == Some(1);
    if !is_json {
        return Err(Error::local_data(alloc::format!("ps_migration.down_migrations of id {version} is no JSON")));
    }
    let mut statements = Vec::new();
    let mut statement = database.prepare(SQL)?;
    let mut rows = statement.query(&[version.into()])?;
    while let Some(row) = rows.next()? {
        let Some(sql) = row.optional_text(0)? else {
            return Err(Error::local_data(alloc::format!(
                "ps_migration.down_migrations of id {version}: entry {} has no SQL",
                statements.len()
            )));
        };
        let mut copy = String::new();
        write_raw(&mut copy, sql)?;
        statements.push(copy);
    }
    Ok(statements)
}

/// Takes one step up and records it.
fn apply(database: &Database<'_>, migration: &Migration, sql: &PackedSql, journey: Journey) -> Result<()> {
    match migration.up {
        Up::Nothing => {}
        Up::Sql(up) => execute_all(database, sql, up)?,
        Up::Code(up) => up(database, sql, journey)?,
    }
    let down = migration.down.map(|down| down_migrations_json(&mut sql.statements(down))).transpose()?;
    let mut insert = database.prepare("INSERT INTO main.ps_migration(id, down_migrations) VALUES (?1, ?2)")?;
    insert.execute(&[migration.version.into(), down.as_deref().into()])?;
    Ok(())
}

fn execute_all(database: &Database<'_>, sql: &PackedSql, place: Place) -> Result<()> {
    sql.statements(place).try_for_each(|statements| database.execute_batch(statements))
}

/// Statements as `ps_migration.down_migrations` holds them.
fn down_migrations_json(statements: &mut dyn Iterator<Item = &str>) -> Result<String> {
    let mut json = Json::default();
    for statement in statements {
        json.raw(if json.written().is_empty() { "[" } else { "," });
        json.string("{\"sql\":", statement);
        json.raw("}");
    }
    json.raw("]");
    Ok(json.finish()?)
}
