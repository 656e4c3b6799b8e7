//! Why data do not arrive and rows look as they do: the state of a file and its iteration as one JSON object, with what is wrong and what to do
//! about it (docs/reference/functions.md#powersync_diagnose).
//!
//! Everything is read by SQL, once per call, so statements are not cached. No row data are read.

mod explain;
mod problems;
mod repair;
mod tables;
mod verify;

use alloc::format;
use alloc::string::String;

use rowtide_json::writer::Json;
use sqlite_nostd::{Parameter, ResultCode};

pub(crate) use explain::explain;

use crate::bucket_storage::{StoreMemory, visit_damaged_request_ids};
use crate::connection::Database;
use crate::error::{Error, ErrorKind, Result};
use crate::migrations::{LATEST, Version};
use crate::packed_sql::{self, PackedSql};
use crate::schema::{KnownSchemas, differences, tables_without_view};
use crate::version::VERSION;
use problems::{Problem, Problems};
use repair::{Fix, Repair};

/// The JSON object. `iteration` is that of the running iteration, which is connected or not. `verifies` has all that is
/// stored checked too.
///
/// # Errors
/// Errors of SQLite other than those of a damaged file; out of memory.
pub(crate) fn diagnose(
    database: &Database<'_>,
    schemas: &KnownSchemas,
    iteration: Option<&str>,
    verifies: bool,
) -> Result<String> {
    // While it is open, all others see the same snapshot.
    let mut snapshot = database.prepare("SELECT 1 FROM main.sqlite_schema")?;
    let mut rows = snapshot.query(&[])?;
    rows.next()?;
    let sql = PackedSql::unpack()?;
    Ok(report(database, &sql, schemas, iteration, verifies, None)?.json.finish()?)
}

/// Repairs the problems with a code, or of all with `all`, and with a subject if that is given. Returns which were
/// repaired and which are left, as JSON. What fails is undone.
///
/// # Errors
/// An argument error for an unknown code; errors of SQLite; out of memory.
pub(crate) fn repair(
    database: &Database<'_>,
    memory: &StoreMemory,
    schemas: &KnownSchemas,
    iteration: Option<&str>,
    code: &str,
    subject: Option<&str>,
) -> Result<String> {
    let repair = Repair::new(database, memory, schemas, code, subject)?;
    let sql = PackedSql::unpack()?;
    database.in_savepoint(|| {
        let mut problems = report(database, &sql, schemas, iteration, true, Some(repair))?.problems;
        let left = problems.take()?;
        let repaired = problems.repair.map_or_else(|| Ok(String::new()), Repair::finish)?;
        Ok(format!("{{\"repaired\":{repaired},\"left\":{left}}}"))
    })
}

/// Looks at everything, and adds it to the report or repairs it.
fn report<'c>(
    database: &'c Database<'c>,
    sql: &'c PackedSql,
    schemas: &KnownSchemas,
    iteration: Option<&str>,
    verifies: bool,
    repair: Option<Repair<'c>>,
) -> Result<Report<'c>> {
    let format = format(database)?;
    let is_current = Version::from_number(format) == Some(LATEST);
    let repairs = repair.is_some();
    let (json, problems) = (Json::with_room(), Problems::new(repair));
    let mut report = Report { database, sql, is_current, json, problems };
    report.problems.add_format(format)?;
    report.json.raw("{\"versions\":");
    report.json_of(sql.text(packed_sql::VERSIONS), &[VERSION.into(), format.into()])?;
    report.part("client_id", "null", CLIENT_ID)?;
    report.part("gate", "null", sql.text(packed_sql::GATE_STATE))?;
    report.json.json(",\"iteration\":", iteration.unwrap_or("null"));
    report.part("last_attempt", "null", ATTEMPT)?;
    report.part("buckets", "[]", sql.text(packed_sql::BUCKETS))?;
    report.part("subscriptions", "[]", sql.text(packed_sql::SUBSCRIPTIONS))?;
    tables::write(&mut report, schemas)?;
    report.part("sync_times", "[]", SYNC_TIMES)?;
    report.part("rejected", "0", REJECTED)?;
    report.find_problems(schemas, iteration.is_some())?;
    report.json.raw(",\"problems\":");
    report.write_problems(repairs)?;
    if verifies {
        verify::write(&mut report, schemas)?;
        report.write_problems(repairs)?;
        report.json.raw("}");
    }
    report.json.raw("}");
    Ok(report)
}

/// The format of the internal tables, 0 without any.
fn format(database: &Database<'_>) -> Result<i64> {
    const EXISTS: &str = "SELECT 1 FROM main.sqlite_schema WHERE type = 'table' AND name = 'ps_migration'";
    if database.integer(EXISTS, &[])?.is_none() {
        return Ok(0);
    }
    Ok(database.integer("SELECT max(id) FROM main.ps_migration", &[])?.unwrap_or(0))
}

const CLIENT_ID: &str = "SELECT json_quote((SELECT value FROM main.ps_kv WHERE key = 'client_id'))";

const ATTEMPT: &str = "SELECT json(detail) FROM main.ps_diagnostics WHERE kind = 'attempt'";

const SYNC_TIMES: &str = "SELECT json_group_array(json_object('priority', priority, 'last_synced_at', last_synced_at)) \
    FROM main.ps_sync_state ORDER BY priority";

const REJECTED: &str = "SELECT count(DISTINCT transaction_id) FROM main.ps_rejected";

/// A diagnosis that is being made.
struct Report<'c> {
    database: &'c Database<'c>,
    sql: &'c PackedSql,
    /// Whether the internal tables are in the newest format. Otherwise they are not read.
    is_current: bool,
    json: Json,
    problems: Problems<'c>,
}

impl Report<'_> {
    /// Adds the member `name`: the JSON that `sql` gives, or `otherwise`.
    fn part(&mut self, name: &str, otherwise: &str, sql: &str) -> Result<()> {
        self.json.raw(&format!(",\"{name}\":"));
        let length = self.json.written().len();
        if self.is_current
            && let Err(error) = self.json_of(sql, &[])
        {
            self.tolerate(name, error)?;
        }
        if self.json.written().len() == length {
            self.json.raw(otherwise);
        }
        Ok(())
    }

    /// Adds what `sql` gives, nothing if it gives no row.
    fn json_of(&mut self, sql: &str, parameters: &[Parameter<'_>]) -> Result<()> {
        let mut statement = self.database.prepare(sql)?;
        let mut rows = statement.query(parameters)?;
        if let Some(row) = rows.next()? {
            self.json.raw(row.optional_text(0)?.unwrap_or("null"));
        }
        Ok(())
    }

    /// Makes a problem of an error that damaged data give.
    fn tolerate(&mut self, subject: &str, error: Error) -> Result<()> {
        match error.kind() {
            ErrorKind::LocalData | ErrorKind::Sqlite(ResultCode::ERROR | ResultCode::CORRUPT) => {
                self.problems.add_invalid(subject, &error)
            }
            _ => Err(error),
        }
    }

    /// Adds the problems that stored data show.
    fn find_problems(&mut self, schemas: &KnownSchemas, has_iteration: bool) -> Result<()> {
        if !self.is_current {
            return Ok(());
        }
        if let Err(error) = self.find_differences(schemas) {
            self.tolerate("sqlite_schema", error)?;
        }
        let sql = self.sql;
        self.find("problems", sql.text(packed_sql::PROBLEMS), &[i64::from(has_iteration).into()], Fix::Nothing)?;
        const FORGET: &str =
            "powersync_repair() with this code forgets it. Nothing is uploaded or downloaded until then.";
        let problems = &mut self.problems;
        visit_damaged_request_ids(self.database, &mut |key, error| {
            let (code, text) = ("stored-data-invalid", format!("{error}"));
            problems.add(&Problem { code, subject: Some(key), text: &text, remedy: FORGET, fix: Fix::RequestId })
        })?;
        self.find_queue_entries("id = (SELECT min(id) FROM main.ps_crud)")
    }

    /// Adds the entries of the upload queue that meet a condition and that no SDK can upload.
    fn find_queue_entries(&mut self, condition: &str) -> Result<()> {
        let sql = self.sql.filled(packed_sql::QUEUE_ENTRIES, &[("condition", condition)]);
        self.find("ps_crud", &sql, &[], Fix::Nothing)
    }

    /// Adds views and other objects that are not as the schema has them.
    fn find_differences(&mut self, schemas: &KnownSchemas) -> Result<()> {
        const CHANGED: &str = "It is missing, or not as the schema has it.";
        const NO_VIEW: &str = "No view shows the table, or something has changed the view.";
        const REPAIR: &str = "powersync_repair() with this code, or powersync_replace_schema(), makes it again.";
        let Some(schema) = schemas.applied.schema(self.database)? else {
            for name in tables_without_view(self.database)? {
                self.add_difference(&name, NO_VIEW, REPAIR, Fix::Nothing)?;
            }
            let sql = self.sql;
            return self.find("sqlite_schema", sql.text(packed_sql::VIEW_TRIGGERS), &[], Fix::Nothing);
        };
        let names = differences(self.database, &schema)?;
        names.iter().try_for_each(|name| self.add_difference(name, CHANGED, REPAIR, Fix::Schema(&schema)))
    }

    fn add_difference(&mut self, name: &str, text: &str, remedy: &str, fix: Fix<'_>) -> Result<()> {
        self.problems.add(&Problem { code: "schema-differs", subject: Some(name), text, remedy, fix })
    }

    /// Adds the problems that `sql` finds in `subject`.
    fn find(&mut self, subject: &str, sql: &str, parameters: &[Parameter<'_>], fix: Fix<'_>) -> Result<()> {
        match self.problems.find(self.database, sql, parameters, fix) {
            Err(error) => self.tolerate(subject, error),
            Ok(()) => Ok(()),
        }
    }

    /// Adds the problems found up to now, unless they are repaired.
    fn write_problems(&mut self, repairs: bool) -> Result<()> {
        let problems = if repairs { String::from("[]") } else { self.problems.take()? };
        self.json.raw(&problems);
        Ok(())
    }
}
