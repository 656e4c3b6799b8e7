//! Why data do not arrive and rows look as they do: the state of a file and its iteration as one JSON object, with what is wrong and what to do
//! about it (docs/reference/functions.md#powersync_diagnose).
//!
//! Everything is read by SQL, once per call, so statements are not cached. No row data are read.

mod explain;
mod problems;
mod tables;

use alloc::format;
use alloc::string::String;

use rowtide_json::writer::{begin, write_raw};
use sqlite_nostd::{Parameter, ResultCode};

pub(crate) use explain::explain;

use crate::connection::Database;
use crate::error::{Error, ErrorKind, Result};
use crate::migrations::{LATEST, Version};
use crate::schema::KnownSchemas;
use crate::version::VERSION;
use problems::Problems;

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

/// The ranges of ids that pending operations have (`bucket_storage::operation_id`).
const PENDING: &str = "main.ps_operations AS operation JOIN (SELECT id AS bucket, \
    (coalesce((SELECT region FROM main.ps_checkpoint), 0) << 56) | (id << 34) AS start, settled FROM main.ps_buckets) \
  ON operation.id BETWEEN start + settled + 1 AND start + 17179869183";

/// The JSON object. `iteration` is that of the running iteration, which is connected or not.
///
/// # Errors
/// Errors of SQLite other than those of a damaged file; out of memory.
pub(crate) fn diagnose(database: &Database<'_>, schemas: &KnownSchemas, iteration: Option<&str>) -> Result<String> {
    // While it is open, all others see the same snapshot.
    let mut snapshot = database.prepare("SELECT 1 FROM main.sqlite_schema")?;
    let mut rows = snapshot.query(&[])?;
    rows.next()?;
    let format = format(database)?;
    let is_current = Version::from_number(format) == Some(LATEST);
    let mut report = Report { database, is_current, json: begin()?, problems: Problems::new()? };
    report.problems.add_format(format)?;
    write_raw(&mut report.json, "{\"versions\":")?;
    report.json_of(VERSIONS, &[VERSION.into(), format.into()])?;
    report.part("client_id", "null", "SELECT json_quote((SELECT value FROM main.ps_kv WHERE key = 'client_id'))")?;
    let pending_rows = format!(
        "(SELECT count(*) FROM (SELECT row_type, row_id FROM {PENDING} \
        UNION SELECT row_type, row_id FROM main.ps_updated_rows WHERE downloaded))"
    );
    report.part(
        "gate",
        "null",
        &format!(
            "{GATE} SELECT json_object({GATE_MEMBERS}, 'rows_held_back', \
        iif(state = 'open', 0, {pending_rows}), 'remedy', remedy) FROM gate LEFT JOIN remedies ON of_state = state"
        ),
    )?;
    write_raw(&mut report.json, ",\"iteration\":")?;
    write_raw(&mut report.json, iteration.unwrap_or("null"))?;
    report.part("last_attempt", "null", "SELECT json(detail) FROM main.ps_diagnostics WHERE kind = 'attempt'")?;
    report.part(
        "buckets",
        "[]",
        &format!(
            "WITH held AS (SELECT (operation >> 34) & 4194303 AS bucket, count(*) AS settled \
            FROM main.ps_row_operations GROUP BY 1), \
        pending AS (SELECT bucket, count(*) AS pending FROM {PENDING} GROUP BY 1), \
        buckets AS (SELECT *, coalesce(held.settled, 0) AS held, coalesce(pending, 0) AS waiting, \
                (add_checksum + op_checksum) & 4294967295 AS checksum FROM main.ps_buckets AS bucket \
            LEFT JOIN held ON held.bucket = bucket.id LEFT JOIN pending ON pending.bucket = bucket.id ORDER BY name) \
        SELECT json_group_array(json_object({BUCKET_MEMBERS})) FROM buckets"
        ),
    )?;
    report.part("subscriptions", "[]", SUBSCRIPTIONS)?;
    tables::write(&mut report, schemas)?;
    report.part(
        "sync_times",
        "[]",
        "SELECT json_group_array(json_object('priority', priority, 'last_synced_at', \
        last_synced_at)) FROM main.ps_sync_state ORDER BY priority",
    )?;
    report.part("rejected", "0", "SELECT count(DISTINCT transaction_id) FROM main.ps_rejected")?;
    report.find_problems(iteration.is_some())?;
    write_raw(&mut report.json, ",\"problems\":")?;
    let problems = report.problems.finish()?;
    write_raw(&mut report.json, &problems)?;
    write_raw(&mut report.json, "}")?;
    Ok(report.json)
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

const GATE_MEMBERS: &str = "'open', json(iif(state = 'open', 'true', 'false')), 'state', state, \
    'queued_entries', entries, 'queued_transactions', transactions, 'oldest_entry_id', CAST(oldest AS TEXT), \
    'target', iif(target = 9223372036854775807, 'unknown', CAST(target AS TEXT)), 'last_seen', CAST(seen AS TEXT), \
    'last_applied', CAST(applied AS TEXT), 'last_requested', CAST(requested AS TEXT)";

const BUCKET_MEMBERS: &str = "'name', name, 'last_op', CAST(iif(in_checkpoint, \
        max(last_op, coalesce((SELECT last_op FROM main.ps_checkpoint), 0)), last_op) AS TEXT), \
    'last_applied_op', CAST(last_applied_op AS TEXT), 'operations', held + waiting, 'bytes', downloaded_size, \
    'pending_operations', waiting, 'checksum', iif(checksum > 2147483647, checksum - 4294967296, checksum), \
    'count_at_last', count_at_last, 'count_since_last', count_since_last, \
    'superseded', max(count_at_last + count_since_last - held - waiting, 0)";

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
    json: String,
    problems: Problems,
}

impl Report<'_> {
    /// Adds the member `name`: the JSON that `sql` gives, or `otherwise`.
    fn part(&mut self, name: &'static str, otherwise: &str, sql: &str) -> Result<()> {
        write_raw(&mut self.json, ",\"")?;
        write_raw(&mut self.json, name)?;
        write_raw(&mut self.json, "\":")?;
        let length = self.json.len();
        if self.is_current
            && let Err(error) = self.json_of(sql, &[])
        {
            self.tolerate(name, error)?;
        }
        if self.json.len() == length { Ok(write_raw(&mut self.json, otherwise)?) } else { Ok(()) }
    }

    /// Adds what `sql` gives, nothing if it gives no row.
    fn json_of(&mut self, sql: &str, parameters: &[Parameter<'_>]) -> Result<()> {
        let mut statement = self.database.prepare(sql)?;
        let mut rows = statement.query(parameters)?;
        match rows.next()? {
            Some(row) => Ok(write_raw(&mut self.json, row.optional_text(0)?.unwrap_or("null"))?),
            None => Ok(()),
        }
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
    fn find_problems(&mut self, has_iteration: bool) -> Result<()> {
        if !self.is_current {
            return Ok(());
        }
        let sql = format!("{GATE} {}", problems::SQL);
        if let Err(error) = self.problems.find(self.database, &sql, has_iteration) {
            self.tolerate("problems", error)?;
        }
        Ok(())
    }
}
