//! Format 5: buckets get integer ids, and only current PUT operations are kept.
//!
//! What else the oplog held lives on as checksums in `add_checksum`, and rows that a removal or a local write concerned
//! move to `ps_updated_rows`. Tables are copied aside instead of renamed: renaming fails in a file with a view over
//! something that no longer exists.

use crate::collections::Names;
use crate::error::Result;

use super::{Journey, Migration, Up};
use crate::connection::Database;
use crate::schema::{drop_view_triggers, object_texts};

/// The step between formats 4 and 5.
pub(super) const MIGRATION: Migration = Migration { version: 5, up: Up::Code(up), down: Some(DOWN) };

fn up(database: &Database<'_>, _: Journey) -> Result<()> {
    drop_triggers(database)?;
    database.execute_batch(UP)
}

/// Drops our triggers on our views, which write to columns that this step removes. The views themselves stay, because
/// other objects may refer to them; the next `powersync_replace_schema` gives them new triggers.
fn drop_triggers(database: &Database<'_>) -> Result<()> {
    const VIEWS: &str = "SELECT name FROM main.sqlite_schema \
        WHERE type = 'view' AND sql GLOB '*-- powersync-auto-generated'";
    let mut views = Names::default();
    let mut statement = database.prepare(VIEWS)?;
    let mut rows = statement.query(&[])?;
    while let Some(row) = rows.next()? {
        if let Some([name]) = object_texts(&row)? {
            views.insert(name);
        }
    }
    drop(rows);
    drop_view_triggers(database, |view| views.contains(view))
}

const UP: &str = "CREATE TABLE main.ps_updated_rows(
  row_type TEXT,
  row_id TEXT,
  PRIMARY KEY(row_type, row_id)) STRICT, WITHOUT ROWID;
INSERT OR IGNORE INTO main.ps_updated_rows(row_type, row_id) SELECT row_type, row_id FROM main.ps_oplog WHERE op <> 3;

CREATE TABLE main.ps_staged_buckets(id INTEGER PRIMARY KEY, name, last_applied_op, last_op, target_op, add_checksum, \
  op_checksum, pending_delete, no_longer_held);
INSERT INTO main.ps_staged_buckets(name, last_applied_op, last_op, target_op, add_checksum, op_checksum, pending_delete, \
    no_longer_held) \
  SELECT bucket.name, last_applied_op, last_op, target_op, add_checksum, op_checksum, pending_delete, \
         coalesce(other.checksum, 0) \
    FROM main.ps_buckets AS bucket \
    LEFT JOIN (SELECT bucket, sum(hash & 4294967295) AS checksum FROM main.ps_oplog \
                WHERE op <> 3 OR superseded <> 0 GROUP BY bucket) AS other ON other.bucket = bucket.name \
   WHERE bucket.name IS NOT NULL \
   ORDER BY bucket.rowid;
CREATE TABLE main.ps_staged_oplog AS \
  SELECT bucket.id AS bucket, oplog.op_id, oplog.row_type, oplog.row_id, oplog.key, oplog.data, oplog.hash \
    FROM main.ps_staged_buckets AS bucket \
   CROSS JOIN main.ps_oplog AS oplog ON oplog.bucket = bucket.name \
   WHERE oplog.op = 3 AND oplog.superseded = 0 \
   ORDER BY bucket.id, oplog.op_id;

DROP TABLE main.ps_buckets;
CREATE TABLE main.ps_buckets(
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL,
  last_applied_op INTEGER NOT NULL DEFAULT 0,
  last_op INTEGER NOT NULL DEFAULT 0,
  target_op INTEGER NOT NULL DEFAULT 0,
  add_checksum INTEGER NOT NULL DEFAULT 0,
  op_checksum INTEGER NOT NULL DEFAULT 0,
  pending_delete INTEGER NOT NULL DEFAULT 0
) STRICT;
INSERT INTO main.ps_buckets(id, name, last_applied_op, last_op, target_op, add_checksum, op_checksum, pending_delete) \
  SELECT id, name, last_applied_op, last_op, target_op, (add_checksum + no_longer_held) & 4294967295, \
         (op_checksum - no_longer_held) & 4294967295, pending_delete \
    FROM main.ps_staged_buckets;
CREATE UNIQUE INDEX main.ps_buckets_name ON ps_buckets (name);
DROP TABLE main.ps_staged_buckets;

DROP TABLE main.ps_oplog;
CREATE TABLE main.ps_oplog(
  bucket INTEGER NOT NULL,
  op_id INTEGER NOT NULL,
  row_type TEXT,
  row_id TEXT,
  key TEXT,
  data TEXT,
  hash INTEGER NOT NULL) STRICT;
INSERT INTO main.ps_oplog(bucket, op_id, row_type, row_id, key, data, hash) \
  SELECT bucket, op_id, row_type, row_id, key, data, hash FROM main.ps_staged_oplog ORDER BY rowid;
CREATE INDEX main.ps_oplog_row ON ps_oplog (row_type, row_id);
CREATE INDEX main.ps_oplog_opid ON ps_oplog (bucket, op_id);
CREATE INDEX main.ps_oplog_key ON ps_oplog (bucket, key);
DROP TABLE main.ps_staged_oplog;";

const DOWN: &[&str] = &[statements![
    "SELECT powersync_drop_view(view.name)
  FROM sqlite_master view
  WHERE view.type = 'view'
    AND view.sql GLOB  '*-- powersync-auto-generated'",
    "ALTER TABLE ps_buckets RENAME TO ps_buckets_5",
    "ALTER TABLE ps_oplog RENAME TO ps_oplog_5",
    "CREATE TABLE ps_buckets(
  name TEXT PRIMARY KEY,
  last_applied_op INTEGER NOT NULL DEFAULT 0,
  last_op INTEGER NOT NULL DEFAULT 0,
  target_op INTEGER NOT NULL DEFAULT 0,
  add_checksum INTEGER NOT NULL DEFAULT 0,
  pending_delete INTEGER NOT NULL DEFAULT 0
, op_checksum INTEGER NOT NULL DEFAULT 0, remove_operations INTEGER NOT NULL DEFAULT 0)",
    "INSERT INTO ps_buckets(name, last_applied_op, last_op, target_op, add_checksum, op_checksum, pending_delete)
    SELECT name, last_applied_op, last_op, target_op, add_checksum, op_checksum, pending_delete FROM ps_buckets_5",
    "CREATE TABLE ps_oplog(
  bucket TEXT NOT NULL,
  op_id INTEGER NOT NULL,
  op INTEGER NOT NULL,
  row_type TEXT,
  row_id TEXT,
  key TEXT,
  data TEXT,
  hash INTEGER NOT NULL,
  superseded INTEGER NOT NULL)",
    "CREATE INDEX ps_oplog_by_row ON ps_oplog (row_type, row_id) WHERE superseded = 0",
    "CREATE INDEX ps_oplog_by_opid ON ps_oplog (bucket, op_id)",
    "CREATE INDEX ps_oplog_by_key ON ps_oplog (bucket, key) WHERE superseded = 0",
    "INSERT INTO ps_oplog(bucket, op_id, op, row_type, row_id, key, data, hash, superseded)
    SELECT ps_buckets_5.name, oplog.op_id, 3, oplog.row_type, oplog.row_id, oplog.key, oplog.data, oplog.hash, 0
    FROM ps_oplog_5 oplog
    JOIN ps_buckets_5
        ON ps_buckets_5.id = oplog.bucket",
    "DROP TABLE ps_oplog_5",
    "DROP TABLE ps_buckets_5",
    "INSERT INTO ps_oplog(bucket, op_id, op, row_type, row_id, hash, superseded)
    SELECT '$local', 1, 4, r.row_type, r.row_id, 0, 0
    FROM ps_updated_rows r",
    "INSERT OR REPLACE INTO ps_buckets(name, pending_delete, last_op, target_op) VALUES('$local', 1, 0, 9223372036854775807)",
    "DROP TABLE ps_updated_rows",
    "DELETE FROM ps_migration WHERE id >= 5",
]];
