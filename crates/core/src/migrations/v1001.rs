//! Format 1001, the first of our own: operations are appended to their bucket and settled when they are published.
//!
//! | table | holds |
//! | --- | --- |
//! | `ps_operations` | every operation held, clustered by bucket: `id = (region << 56) \| (bucket << 34) \| sequence` |
//! | `ps_row_operations` | the settled ones by row, so that publishing finds all versions of a row |
//! | `ps_checkpoint` | one row: the last validated full checkpoint, and a number that distinguishes iterations |
//! | `ps_schema` | one row: what `powersync_replace_schema` applied last, and `PRAGMA schema_version` then |
//! | `ps_updated_rows` | as in format 14, but append-only: a local write does not search for its row |
//! | `ps_oplog` | a view of the shape of format 14, for diagnostics tools and the key repair of the JavaScript SDK |
//!
//! **Up.** Operations at or below a bucket's `last_applied_op` become settled, later ones pending. An operation without
//! row type or row id can never be shown: it lives on in `add_checksum`. One without data shows a row without values.
//! Rows of one bucket with equal type, id and subkey (a fault of older versions) are reduced to the newest, in the same
//! way. Bucket ids are kept if all of them fit 22 bits, else assigned again. An unreadable key gives no subkey: only
//! the next format can say that it is not known.
//!
//! **Down.** The statements are stored in the file and run by the published extension. They use SQLite's own functions
//! and `powersync_drop_view`, and copy tables aside instead of altering them: `ALTER TABLE` fails in a file with a view
//! over something that no longer exists. Sorting concerns keys only; data are fetched afterwards.

use crate::error::{Error, Result};

use super::{Journey, Migration, Up};
use crate::connection::Database;

/// The step between formats 14 and 1001.
pub(super) const MIGRATION: Migration = Migration { version: 1001, up: Up::Code(up), down: Some(DOWN) };

/// Buckets that ids of 22 bits can number.
const MOST_BUCKETS: i64 = (1 << 22) - 1;

fn up(database: &Database<'_>, journey: Journey) -> Result<()> {
    let mut count = database.prepare("SELECT count(*) FROM main.ps_buckets")?;
    let buckets = count.query(&[])?.next()?.map_or(0, |row| row.integer(0));
    if buckets > MOST_BUCKETS {
        return Err(Error::local_data(alloc::format!("{buckets} buckets, more than the {MOST_BUCKETS} that fit")));
    }
    database.execute_batch(UP_TABLES)?;
    database.execute_batch(UP_OPERATIONS)?;
    if journey.to == MIGRATION.version {
        database.execute_batch(FORGET_UNKNOWN_SUBKEYS)?;
    }
    database.execute_batch(VIEW)?;
    database.execute_batch(KEY_REPAIR)
}

const UP_TABLES: &str = concat!(
    "CREATE TABLE main.ps_operations(
  id INTEGER PRIMARY KEY,
  op_id INTEGER NOT NULL,
  row_type TEXT NOT NULL,
  row_id TEXT NOT NULL,
  subkey TEXT,
  data TEXT,
  hash INTEGER NOT NULL,
  removed INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE TABLE main.ps_row_operations(
  row_type TEXT NOT NULL,
  row_id TEXT NOT NULL,
  operation INTEGER NOT NULL,
  PRIMARY KEY(row_type, row_id, operation)
) STRICT, WITHOUT ROWID;
CREATE TABLE main.ps_checkpoint(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  generation INTEGER NOT NULL,
  last_op INTEGER NOT NULL,
  region INTEGER NOT NULL DEFAULT 0,
  region_size INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE TABLE main.ps_schema(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  fingerprint BLOB NOT NULL,
  schema_version INTEGER NOT NULL
) STRICT;

",
    // The generation starts anywhere, so that an iteration that was running before a journey down and up notices it.
    "INSERT INTO main.ps_checkpoint(id, generation, last_op) VALUES (1, abs(random() >> 2), 0);

CREATE TABLE main.ps_staged_updated_rows AS \
  SELECT row_type, row_id FROM main.ps_updated_rows \
   UNION \
  SELECT row_type, row_id FROM main.ps_oplog \
   WHERE bucket IN (SELECT bucket FROM main.ps_oplog EXCEPT SELECT id FROM main.ps_buckets) \
     AND row_type IS NOT NULL AND row_id IS NOT NULL;
DROP TABLE main.ps_updated_rows;
CREATE TABLE main.ps_updated_rows(
  row_type TEXT,
  row_id TEXT
) STRICT;
INSERT INTO main.ps_updated_rows(row_type, row_id) \
  SELECT row_type, row_id FROM main.ps_staged_updated_rows ORDER BY rowid;
DROP TABLE main.ps_staged_updated_rows;

",
    // What follows needs no index of these, and builds on the pages that become free.
    "DROP INDEX IF EXISTS main.ps_oplog_row;
DROP INDEX IF EXISTS main.ps_oplog_opid;
DROP INDEX IF EXISTS main.ps_oplog_key;

CREATE TABLE main.ps_staged_buckets(source_id INTEGER PRIMARY KEY, id INTEGER NOT NULL UNIQUE, name, last_applied_op, \
  last_op, checksum, pending_delete, count_at_last, count_since_last, downloaded_size);
INSERT INTO main.ps_staged_buckets(source_id, id, name, last_applied_op, last_op, checksum, pending_delete, \
    count_at_last, count_since_last, downloaded_size) \
  SELECT id, \
         iif((SELECT min(id) >= 1 AND max(id) <= 4194303 FROM main.ps_buckets), id, row_number() OVER (ORDER BY id)), \
         name, last_applied_op, last_op, (add_checksum & 4294967295) + (op_checksum & 4294967295), pending_delete, \
         count_at_last, count_since_last, downloaded_size \
    FROM main.ps_buckets;
DROP TABLE main.ps_buckets;
CREATE TABLE main.ps_buckets(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  last_applied_op INTEGER NOT NULL DEFAULT 0,
  last_op INTEGER NOT NULL DEFAULT 0,
  add_checksum INTEGER NOT NULL DEFAULT 0,
  op_checksum INTEGER NOT NULL DEFAULT 0,
  pending_delete INTEGER NOT NULL DEFAULT 0,
  count_at_last INTEGER NOT NULL DEFAULT 0,
  count_since_last INTEGER NOT NULL DEFAULT 0,
  downloaded_size INTEGER NOT NULL DEFAULT 0,
  settled INTEGER NOT NULL DEFAULT 0,
  in_checkpoint INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX main.ps_buckets_name ON ps_buckets (name);",
);

/// Lengths are counted in bytes of blobs, as SQLite's text functions stop at a NUL character. How many bytes a
/// character has depends on the database's encoding.
const UP_OPERATIONS: &str = "INSERT INTO main.ps_operations(id, op_id, row_type, row_id, subkey, data, hash, removed) \
  SELECT numbered.id, oplog.op_id, oplog.row_type, oplog.row_id, numbered.subkey, coalesce(oplog.data, '{}'), oplog.hash, \
         iif(numbered.is_readable, 0, 2) \
    FROM ( \
      SELECT (bucket << 34) | row_number() OVER (PARTITION BY bucket ORDER BY op_id, source) AS id, source, subkey, \
             is_readable \
        FROM ( \
          SELECT bucket, source, max(op_id) AS op_id, \
                 coalesce(substr(key, 1, length(prefix)) = prefix, 0) AS is_readable, \
                 nullif(iif(substr(key, 1, length(prefix)) = prefix, CAST(substr(key, length(prefix) + 1) AS TEXT), NULL), \
                        'null') AS subkey \
            FROM ( \
              SELECT bucket.id AS bucket, held.rowid AS source, held.op_id, held.row_type, held.row_id, \
                     CAST(held.key AS BLOB) AS key, CAST(held.row_type || '/' || held.row_id || '/' AS BLOB) AS prefix \
                FROM main.ps_oplog AS held \
                JOIN main.ps_staged_buckets AS bucket ON bucket.source_id = held.bucket \
               WHERE held.row_type IS NOT NULL AND held.row_id IS NOT NULL \
            ) \
           GROUP BY bucket, row_type, row_id, subkey \
        ) \
    ) AS numbered \
   CROSS JOIN main.ps_oplog AS oplog ON oplog.rowid = numbered.source;
DROP TABLE main.ps_oplog;

INSERT INTO main.ps_buckets(id, name, last_applied_op, last_op, add_checksum, op_checksum, pending_delete, \
    count_at_last, count_since_last, downloaded_size, settled) \
  SELECT bucket.id, name, last_applied_op, last_op, \
         (checksum - coalesce(sum(operation.hash & 4294967295), 0)) & 4294967295, \
         coalesce(sum(operation.hash & 4294967295), 0) & 4294967295, \
         pending_delete, count_at_last, count_since_last, downloaded_size, count(operation.id) \
    FROM main.ps_staged_buckets AS bucket \
    LEFT JOIN main.ps_operations AS operation \
      ON operation.id BETWEEN bucket.id << 34 AND (bucket.id << 34) | 17179869183 \
     AND operation.op_id <= bucket.last_applied_op \
   GROUP BY bucket.source_id;
DROP TABLE main.ps_staged_buckets;

INSERT INTO main.ps_row_operations(row_type, row_id, operation) \
  SELECT operation.row_type, operation.row_id, operation.id \
    FROM main.ps_buckets AS bucket \
   CROSS JOIN main.ps_operations AS operation \
      ON operation.id BETWEEN bucket.id << 34 AND (bucket.id << 34) + bucket.settled \
   ORDER BY operation.row_type, operation.row_id, operation.id;";

/// To this format, 2 means an operation that was removed.
pub(super) const FORGET_UNKNOWN_SUBKEYS: &str = "UPDATE main.ps_operations SET removed = 0 WHERE removed = 2";

/// The view `ps_oplog`. It groups by key without carrying data, then fetches the operations shown, so that it costs one
/// sort of keys. Its last column, the operation's id, lets the trigger find the operation without a search.
///
/// `$is_put` is the condition for operations shown, `$data` an expression for their data.
macro_rules! oplog_view {
    ($is_put:literal, $data:literal) => {
        concat!(
            "CREATE VIEW main.ps_oplog(bucket, op_id, row_type, row_id, key, data, hash, operation) AS
  SELECT newest.bucket, newest.op_id, newest.row_type, newest.row_id,
         newest.row_type || '/' || newest.row_id || '/' || coalesce(operation.subkey, 'null'),
         ",
            $data,
            ", operation.hash, operation.id
    FROM (
      SELECT bucket.id AS bucket, held.row_type, held.row_id, held.id AS operation, max(held.op_id) AS op_id
        FROM ps_operations AS held
       CROSS JOIN ps_buckets AS bucket ON bucket.id = (held.id >> 34) & 4194303
       GROUP BY bucket.id, held.row_type, held.row_id, held.subkey
      HAVING ",
            $is_put,
            "
    ) AS newest
   CROSS JOIN ps_operations AS operation ON operation.id = newest.operation AND operation.op_id = newest.op_id"
        )
    };
}

/// The trigger on the view `ps_oplog`. An update of another part of the key than the subkey changes nothing. `$more` is
/// set besides the subkey.
macro_rules! oplog_key_repair {
    ($more:literal) => {
        concat!(
            "CREATE TRIGGER main.ps_oplog_repair_key INSTEAD OF UPDATE OF key ON ps_oplog
  WHEN NEW.key IS NOT OLD.key
   AND substr(CAST(NEW.key AS BLOB), 1, length(CAST(OLD.row_type || '/' || OLD.row_id || '/' AS BLOB)))
     = CAST(OLD.row_type || '/' || OLD.row_id || '/' AS BLOB)
BEGIN
  UPDATE ps_operations
     SET subkey = nullif(CAST(substr(
           CAST(NEW.key AS BLOB), length(CAST(OLD.row_type || '/' || OLD.row_id || '/' AS BLOB)) + 1) AS TEXT), 'null')",
            $more,
            "
   WHERE id = OLD.operation;
END"
        )
    };
}

pub(super) use {oplog_key_repair, oplog_view};

/// The view of this format.
pub(super) const VIEW: &str = oplog_view!("NOT held.removed", "operation.data");

/// Its trigger.
pub(super) const KEY_REPAIR: &str = oplog_key_repair!("");

const DOWN: &[&str] = &[statements![
    // Their triggers use functions of ours; powersync_replace_schema creates them again.
    "SELECT powersync_drop_view(view.name) FROM main.sqlite_master AS view
 WHERE view.type = 'view' AND view.sql GLOB '*-- powersync-auto-generated'",
    "DROP VIEW IF EXISTS main.ps_oplog",
    "CREATE TABLE main.ps_oplog(
  bucket INTEGER NOT NULL,
  op_id INTEGER NOT NULL,
  row_type TEXT,
  row_id TEXT,
  key TEXT,
  data TEXT,
  hash INTEGER NOT NULL) STRICT",
    "INSERT INTO main.ps_oplog(rowid, bucket, op_id, row_type, row_id, key, data, hash)
  SELECT newest.number, newest.bucket, operation.op_id, operation.row_type, operation.row_id,
         operation.row_type || '/' || operation.row_id || '/' || coalesce(operation.subkey, 'null'),
         operation.data, operation.hash
    FROM (
      SELECT row_number() OVER (ORDER BY bucket, op_id) AS number, bucket, operation
        FROM (
          SELECT bucket.id AS bucket, held.id AS operation, max(held.op_id) AS op_id
            FROM main.ps_operations AS held
           CROSS JOIN main.ps_buckets AS bucket ON bucket.id = (held.id >> 34) & 4194303
           GROUP BY bucket.id, held.row_type, held.row_id, held.subkey
          HAVING NOT held.removed
        )
    ) AS newest
   CROSS JOIN main.ps_operations AS operation ON operation.id = newest.operation",
    // Rows that a pending REMOVE concerns, and after a resync those shown: the published extension does not mark the
    // row of a REMOVE when nothing of its bucket is applied, and would show the row for ever.
    "CREATE TABLE main.ps_staged_updated_rows AS
  SELECT row_type, row_id FROM main.ps_updated_rows
   UNION
  SELECT operation.row_type, operation.row_id
    FROM main.ps_operations AS operation
   CROSS JOIN main.ps_buckets AS bucket ON bucket.id = (operation.id >> 34) & 4194303
   WHERE operation.id & 17179869183 > iif(bucket.last_applied_op = 0, 0, bucket.settled)
     AND (operation.removed OR operation.id & 17179869183 <= bucket.settled)",
    "DROP TABLE main.ps_operations",
    "DROP TABLE main.ps_row_operations",
    "CREATE INDEX main.ps_oplog_row ON ps_oplog (row_type, row_id)",
    "CREATE INDEX main.ps_oplog_opid ON ps_oplog (bucket, op_id)",
    "CREATE INDEX main.ps_oplog_key ON ps_oplog (bucket, key)",
    "DROP TABLE main.ps_updated_rows",
    "CREATE TABLE main.ps_updated_rows(
  row_type TEXT,
  row_id TEXT,
  PRIMARY KEY(row_type, row_id)) STRICT, WITHOUT ROWID",
    "INSERT OR IGNORE INTO main.ps_updated_rows(row_type, row_id)
  SELECT row_type, row_id FROM main.ps_staged_updated_rows ORDER BY row_type, row_id",
    "DROP TABLE main.ps_staged_updated_rows",
    "CREATE TABLE main.ps_staged_buckets AS
  SELECT bucket.*, (add_checksum & 4294967295) + (op_checksum & 4294967295) AS checksum,
         (SELECT coalesce(sum(oplog.hash & 4294967295), 0) FROM main.ps_oplog AS oplog
           WHERE oplog.bucket = bucket.id) AS held_checksum,
         iif(in_checkpoint, coalesce((SELECT last_op FROM main.ps_checkpoint), 0), 0) AS checkpoint_op
    FROM main.ps_buckets AS bucket",
    "DROP TABLE main.ps_buckets",
    "CREATE TABLE main.ps_buckets(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  last_applied_op INTEGER NOT NULL DEFAULT 0,
  last_op INTEGER NOT NULL DEFAULT 0,
  add_checksum INTEGER NOT NULL DEFAULT 0,
  op_checksum INTEGER NOT NULL DEFAULT 0,
  pending_delete INTEGER NOT NULL DEFAULT 0
, count_at_last INTEGER NOT NULL DEFAULT 0, count_since_last INTEGER NOT NULL DEFAULT 0, \
downloaded_size INTEGER NOT NULL DEFAULT 0) STRICT",
    "CREATE UNIQUE INDEX main.ps_buckets_name ON ps_buckets (name)",
    "INSERT INTO main.ps_buckets(id, name, last_applied_op, last_op, add_checksum, op_checksum, pending_delete,
    count_at_last, count_since_last, downloaded_size)
  SELECT id, name, iif(last_applied_op >= last_op, max(last_applied_op, checkpoint_op), last_applied_op),
         max(last_op, checkpoint_op), (checksum - held_checksum) & 4294967295, held_checksum & 4294967295,
         pending_delete, count_at_last, count_since_last, downloaded_size
    FROM main.ps_staged_buckets ORDER BY id",
    "DROP TABLE main.ps_staged_buckets",
    "DROP TABLE main.ps_checkpoint",
    "DROP TABLE main.ps_schema",
    "DELETE FROM main.ps_migration WHERE id >= 1001",
]];
