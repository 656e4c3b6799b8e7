//! Why data do not arrive and rows look as they do: the state of a file and its iteration as one JSON object, with what is wrong and what to do
//! about it (docs/reference/functions.md#powersync_diagnose).
//!
//! Everything is read by SQL, once per call, so statements are not cached. No row data are read.

mod explain;
mod problems;
mod queue;
mod repair;
mod tables;
mod verify;

use alloc::format;
use alloc::string::String;

use rowtide_json::writer::Json;
use sqlite_nostd::{Parameter, ResultCode};

pub(crate) use explain::explain;

use crate::bucket_storage::{PENDING, StoreMemory, visit_damaged_request_ids};
use crate::connection::Database;
use crate::error::{Error, ErrorKind, Result};
use crate::migrations::{LATEST, Version};
use crate::schema::{KnownSchemas, differences, tables_without_view};
use crate::version::VERSION;
use problems::{Problem, Problems};
use repair::{Fix, Repair};

/// The request ids, the queue, and what they make of the gate (docs/reference/sync-client.md#the-gate).
const GATE: &str = "WITH ids AS (SELECT \
    CAST((SELECT value FROM main.ps_kv WHERE key = 'target_checkpoint_request_id') AS INTEGER) AS target, \
    CAST((SELECT value FROM main.ps_kv WHERE key = 'last_seen_checkpoint_request_id') AS INTEGER) AS seen, \
    CAST((SELECT value FROM main.ps_kv WHERE key = 'last_applied_checkpoint_request_id') AS INTEGER) AS applied, \
    CAST((SELECT value FROM main.ps_kv WHERE key = 'last_requested_checkpoint_request_id') AS INTEGER) AS requested), \
  queue AS (SELECT count(*) AS entries, count(DISTINCT coalesce(tx_id, -id)) AS transactions, min(id) AS oldest \
    FROM main.ps_crud), \
  gate AS (SELECT *, CASE WHEN entries > 0 THEN 'local writes queued' \
      WHEN target IS NULL OR target <= coalesce(seen, 0) THEN 'open' \
      WHEN target = 9223372036854775807 THEN 'request id unknown' \
      ELSE 'not acknowledged' END AS state FROM ids, queue), \
  remedies(of_state, remedy) AS (VALUES \
    ('local writes queued', 'Upload the queue. If it does not get shorter, look at the transaction at its head: the \
backend does not take it, or the upload function does not complete it. powersync_crud_reject() takes it out.'), \
    ('request id unknown', 'After the last upload, ask the service for a write checkpoint and store it: \
powersync_control(''target_checkpoint_request_id'', id) or powersync_crud_complete(last_entry_id, id).'), \
    ('not acknowledged', 'Wait for the service. If this stays, the service does not replicate what the backend wrote, \
or the write checkpoint was requested for another user or client id.')) ";

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
    Ok(report(database, schemas, iteration, verifies, None)?.json.finish()?)
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
    database.in_savepoint(|| {
        let mut problems = report(database, schemas, iteration, true, Some(repair))?.problems;
        let left = problems.take()?;
        let repaired = problems.repair.map_or_else(|| Ok(String::new()), Repair::finish)?;
        Ok(format!("{{\"repaired\":{repaired},\"left\":{left}}}"))
    })
}

/// Looks at everything, and adds it to the report or repairs it.
fn report<'c>(
    database: &'c Database<'c>,
    schemas: &KnownSchemas,
    iteration: Option<&str>,
    verifies: bool,
    repair: Option<Repair<'c>>,
) -> Result<Report<'c>> {
    let format = format(database)?;
    let is_current = Version::from_number(format) == Some(LATEST);
    let repairs = repair.is_some();
    let mut report = Report { database, is_current, json: Json::with_room(), problems: Problems::new(repair) };
    report.problems.add_format(format)?;
    report.json.raw("{\"versions\":");
    report.json_of(VERSIONS, &[VERSION.into(), format.into()])?;
    report.part("client_id", "null", CLIENT_ID)?;
    report.part("gate", "null", &[GATE, GATE_OBJECT, PENDING, GATE_OBJECT_END].concat())?;
    report.json.json(",\"iteration\":", iteration.unwrap_or("null"));
    report.part("last_attempt", "null", ATTEMPT)?;
    report.part("buckets", "[]", &[BUCKETS, PENDING, BUCKETS_END].concat())?;
    report.part("subscriptions", "[]", SUBSCRIPTIONS)?;
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

const VERSIONS: &str = "SELECT json_object('extension', ?1, 'format', ?2, 'sqlite', sqlite_version(), \
    'encoding', (SELECT encoding FROM pragma_encoding), 'journal_mode', (SELECT journal_mode FROM pragma_journal_mode))";

const CLIENT_ID: &str = "SELECT json_quote((SELECT value FROM main.ps_kv WHERE key = 'client_id'))";

const ATTEMPT: &str = "SELECT json(detail) FROM main.ps_diagnostics WHERE kind = 'attempt'";

const SYNC_TIMES: &str = "SELECT json_group_array(json_object('priority', priority, 'last_synced_at', last_synced_at)) \
    FROM main.ps_sync_state ORDER BY priority";

const REJECTED: &str = "SELECT count(DISTINCT transaction_id) FROM main.ps_rejected";

const GATE_OBJECT: &str = "SELECT json_object('open', json(iif(state = 'open', 'true', 'false')), 'state', state, \
    'queued_entries', entries, 'queued_transactions', transactions, 'oldest_entry_id', CAST(oldest AS TEXT), \
    'target', iif(target = 9223372036854775807, 'unknown', CAST(target AS TEXT)), 'last_seen', CAST(seen AS TEXT), \
    'last_applied', CAST(applied AS TEXT), 'last_requested', CAST(requested AS TEXT), 'rows_held_back', \
    iif(state = 'open', 0, (SELECT count(*) FROM (SELECT row_type, row_id FROM ";

const GATE_OBJECT_END: &str = " UNION SELECT row_type, row_id FROM main.ps_updated_rows WHERE downloaded))), 'remedy', remedy) FROM gate LEFT JOIN remedies ON of_state = state";

// Joined by the buckets' ids: SQLite would compare each bucket with each count.
const BUCKETS: &str = "WITH buckets AS (SELECT *, (add_checksum + op_checksum) & 4294967295 AS checksum FROM \
    (SELECT of_bucket, sum(is_held) AS held, sum(is_pending) AS waiting FROM \
      (SELECT (id >> 34) & 4194303 AS of_bucket, 1 AS is_held, 0 AS is_pending FROM main.ps_operations \
        UNION ALL SELECT id, 0, 0 FROM main.ps_buckets UNION ALL SELECT bucket, 0, 1 FROM ";

const BUCKETS_END: &str = ") GROUP BY of_bucket) CROSS JOIN main.ps_buckets AS bucket ON bucket.id = of_bucket ORDER BY name) \
  SELECT json_group_array(json_object('name', name, 'last_op', CAST(iif(in_checkpoint, \
        max(last_op, coalesce((SELECT last_op FROM main.ps_checkpoint), 0)), last_op) AS TEXT), \
    'last_applied_op', CAST(last_applied_op AS TEXT), 'operations', held, 'bytes', downloaded_size, \
    'pending_operations', waiting, 'checksum', iif(checksum > 2147483647, checksum - 4294967296, checksum), \
    'count_at_last', count_at_last, 'count_since_last', count_since_last, \
    'superseded', max(count_at_last + count_since_last - held, 0))) FROM buckets";

const SUBSCRIPTIONS: &str = "SELECT json_group_array(json_object('name', stream_name, \
    'has_parameters', json(iif(local_params = 'null', 'false', 'true')), \
    'active', json(iif(active, 'true', 'false')), 'is_default', json(iif(is_default, 'true', 'false')), \
    'has_explicit_subscription', json(iif(ttl IS NULL, 'false', 'true')), 'expires_at', expires_at, \
    'last_synced_at', last_synced_at)) FROM main.ps_stream_subscriptions";

/// A diagnosis that is being made.
struct Report<'c> {
    database: &'c Database<'c>,
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
        let sql = format!("{GATE} {}", problems::SQL);
        self.find("problems", &sql, &[i64::from(has_iteration).into()], Fix::Nothing)?;
        const FORGET: &str =
            "powersync_repair() with this code forgets it. Nothing is uploaded or downloaded until then.";
        let problems = &mut self.problems;
        visit_damaged_request_ids(self.database, &mut |key, error| {
            let (code, text) = ("stored-data-invalid", format!("{error}"));
            problems.add(&Problem { code, subject: Some(key), text: &text, remedy: FORGET, fix: Fix::RequestId })
        })?;
        self.find("ps_crud", &queue::entries("id = (SELECT min(id) FROM main.ps_crud)"), &[], Fix::Nothing)
    }

    /// Adds views and other objects that are not as the schema has them.
    fn find_differences(&mut self, schemas: &KnownSchemas) -> Result<()> {
        const TRIGGERS: &str = "WITH triggers AS (SELECT tbl_name, sum(name = 'ps_view_insert_' || tbl_name) AS inserts, \
            sum(name = 'ps_view_update_' || tbl_name) AS updates, sum(name = 'ps_view_delete_' || tbl_name) AS deletes \
            FROM main.sqlite_schema WHERE type = 'trigger' AND name GLOB 'ps_view_*' GROUP BY tbl_name) \
          SELECT 'schema-differs', view.name, 'The view has lost triggers.', \
            'Call powersync_replace_schema() in a transaction.' \
          FROM main.sqlite_schema AS view LEFT JOIN triggers ON triggers.tbl_name = view.name WHERE view.type = 'view' \
            AND view.sql GLOB 'CREATE VIEW \"*\"(\"id\"*-- powersync-auto-generated' AND (inserts IS NOT 1 OR updates <> deletes)";
        const CHANGED: &str = "It is missing, or not as the schema has it.";
        const NO_VIEW: &str = "No view shows the table, or something has changed the view.";
        const REPAIR: &str = "powersync_repair() with this code, or powersync_replace_schema(), makes it again.";
        let Some(schema) = schemas.applied.schema(self.database)? else {
            for name in tables_without_view(self.database)? {
                self.add_difference(&name, NO_VIEW, REPAIR, Fix::Nothing)?;
            }
            return self.find("sqlite_schema", TRIGGERS, &[], Fix::Nothing);
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
