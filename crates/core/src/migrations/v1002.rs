//! Format 1002: what several iterations on one file and a bounded list of changed rows need, and which subkeys are not
//! known: in `ps_operations`, `removed` is 1 for a REMOVE, 2 for a PUT with such a subkey, else 0.
//!
//! Both directions are lists of statements, so that each change has its place in them.
//!
//! | column | holds |
//! | --- | --- |
//! | `ps_checkpoint.writer` | a number for the iteration that was the last to change what iterations remember |
//! | `ps_checkpoint.removed_op` | the largest `last_op_id` of a checkpoint that removed stored buckets |
//! | `ps_buckets.requested_by` | a number for the request of the iteration that made the bucket, 0 for any |

use alloc::string::String;

use crate::error::Result;

use super::readable_rows::make_readable;
use super::{Journey, Migration, Up, down_migrations_json, stored_down_migrations, v1001};
use crate::connection::Database;

/// The step between formats 1001 and 1002.
pub(super) const MIGRATION: Migration = Migration { version: 1002, up: Up::Code(up), down: Some(DOWN) };

fn up(database: &Database<'_>, journey: Journey) -> Result<()> {
    database.execute_batch(UP)?;
    database.execute_batch(VIEW)?;
    database.execute_batch(KEY_REPAIR)?;
    mark_unknown_subkeys(database, journey)?;
    database.execute_batch(UP_MISTAKEN_TYPES)?;
    make_readable(database)?;
    keep_views_on_the_way_down(database)
}

/// The view of this format: as before, but for operations whose subkey is not known.
pub(super) const VIEW: &str = v1001::oplog_view!("held.removed IN (0, 2)", "operation.data");

/// Its trigger.
pub(super) const KEY_REPAIR: &str = v1001::oplog_key_repair!(",\n         removed = iif(removed = 2, 0, removed)");

/// Notes which operations have a subkey that is not known, where the step before could not.
///
/// An old UPDATE of the JavaScript SDK, which records in `ps_kv` that it was run, set the keys of healthy operations to
/// NULL or ''. A file that was in format 1001 says of these what it says of operations without subkey, of which
/// services send none. So does one that has been in an older format since.
fn mark_unknown_subkeys(database: &Database<'_>, journey: Journey) -> Result<()> {
    const MAY_BE_UNKNOWN: &str = "SELECT 1 FROM main.ps_kv \
        WHERE key = 'powersync_unknown_subkeys' OR key = 'powersync_js_migrated_subkeys' AND ?1";
    const MARK: &str = "UPDATE main.ps_operations SET removed = 2 WHERE subkey IS NULL AND removed = 0";
    const FORGET: &str = "DELETE FROM main.ps_kv WHERE key = 'powersync_unknown_subkeys'";
    let was_1001 = journey.from == v1001::MIGRATION.version;
    if database.integer(MAY_BE_UNKNOWN, &[i64::from(was_1001).into()])?.is_some() {
        database.prepare(MARK)?.execute(&[])?;
    }
    database.prepare(FORGET)?.execute(&[])?;
    Ok(())
}

/// Files of format 1001 hold a way down that begins with dropping our views, which breaks the application's views and
/// loses its triggers over them.
fn keep_views_on_the_way_down(database: &Database<'_>) -> Result<()> {
    const REPLACE: &str = "UPDATE main.ps_migration SET down_migrations = ?2 WHERE id = ?1";
    let version = v1001::MIGRATION.version;
    let stored = stored_down_migrations(database, version)?;
    let mut kept = stored.iter().map(String::as_str).filter(|sql| !sql.starts_with("SELECT powersync_drop_view("));
    let down = down_migrations_json(&mut kept)?;
    database.prepare(REPLACE)?.execute(&[version.into(), down.as_str().into()])?;
    Ok(())
}

const UP: &str = concat!(
    "ALTER TABLE main.ps_checkpoint ADD COLUMN writer INTEGER NOT NULL DEFAULT 0;
ALTER TABLE main.ps_checkpoint ADD COLUMN removed_op INTEGER NOT NULL DEFAULT 0;
ALTER TABLE main.ps_buckets ADD COLUMN requested_by INTEGER NOT NULL DEFAULT 0;
",
    // Iterations that were running in another format end (store/iteration.rs says what the lowest bit means).
    "UPDATE main.ps_checkpoint SET generation = random() & ~1;

",
    // A list of changed rows that has grown without bound becomes one without duplicates.
    // Without a rowid, what is inserted at a commit does not change last_insert_rowid().
    "CREATE TABLE main.ps_updated_rows_limit(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  next_check INTEGER NOT NULL
) STRICT, WITHOUT ROWID;
DELETE FROM main.ps_updated_rows \
 WHERE rowid NOT IN (SELECT min(rowid) FROM main.ps_updated_rows GROUP BY row_type, row_id);

DROP VIEW main.ps_oplog;
",
);

/// Earlier builds wrote rows of types that differ only in case to one data table. The next full publish looks at the
/// rows of such a type, and at those that its table may have in their place. Types are found one by one in the index.
const UP_MISTAKEN_TYPES: &str = "INSERT OR IGNORE INTO main.ps_updated_rows(row_type, row_id) \
  WITH RECURSIVE \
    row_types(name) AS ( \
      SELECT min(row_type) FROM main.ps_row_operations \
       UNION ALL \
      SELECT (SELECT min(row_type) FROM main.ps_row_operations WHERE row_type > name) \
        FROM row_types WHERE name IS NOT NULL \
    ), \
    mistaken(name, table_type) AS ( \
      SELECT row_types.name, substr(object.name, length('ps_data__') + 1) \
        FROM row_types CROSS JOIN main.sqlite_schema AS object \
       WHERE object.type = 'table' AND object.name = 'ps_data__' || row_types.name COLLATE NOCASE \
         AND object.name GLOB 'ps_data__*' AND object.name <> 'ps_data__' || row_types.name \
    ) \
  SELECT iif(side.is_table, mistaken.table_type, mistaken.name), entry.row_id \
    FROM mistaken \
   CROSS JOIN main.ps_row_operations AS entry ON entry.row_type = mistaken.name \
   CROSS JOIN (SELECT 0 AS is_table UNION ALL SELECT 1) AS side;";

/// Undone in the opposite order of [`UP`]. Tables are copied aside: columns cannot be dropped in a file with a view
/// over something that no longer exists.
pub(super) const DOWN: &[&str] = &[
    statements![
        "DELETE FROM main.ps_kv WHERE key = 'powersync_unreadable_rows'",
        "INSERT OR REPLACE INTO main.ps_kv(key, value) SELECT 'powersync_unknown_subkeys', 1
 WHERE EXISTS (SELECT 1 FROM main.ps_operations WHERE removed = 2)",
    ],
    v1001::FORGET_UNKNOWN_SUBKEYS,
    "DROP VIEW main.ps_oplog",
    v1001::VIEW,
    v1001::KEY_REPAIR,
    statements![
        "DROP TABLE main.ps_updated_rows_limit",
        "CREATE TABLE main.ps_staged_buckets AS SELECT * FROM main.ps_buckets",
        "DROP TABLE main.ps_buckets",
        "CREATE TABLE main.ps_buckets(
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
) STRICT",
        "INSERT INTO main.ps_buckets(id, name, last_applied_op, last_op, add_checksum, op_checksum, pending_delete,
    count_at_last, count_since_last, downloaded_size, settled, in_checkpoint)
  SELECT id, name, last_applied_op, last_op, add_checksum, op_checksum, pending_delete,
         count_at_last, count_since_last, downloaded_size, settled, in_checkpoint
    FROM main.ps_staged_buckets ORDER BY id",
        "DROP TABLE main.ps_staged_buckets",
        "CREATE UNIQUE INDEX main.ps_buckets_name ON ps_buckets (name)",
        "CREATE TABLE main.ps_staged_checkpoint AS SELECT * FROM main.ps_checkpoint",
        "DROP TABLE main.ps_checkpoint",
        "CREATE TABLE main.ps_checkpoint(
  id INTEGER PRIMARY KEY CHECK (id = 1),
  generation INTEGER NOT NULL,
  last_op INTEGER NOT NULL,
  region INTEGER NOT NULL DEFAULT 0,
  region_size INTEGER NOT NULL DEFAULT 0
) STRICT",
        "INSERT INTO main.ps_checkpoint(id, generation, last_op, region, region_size)
  SELECT id, generation, last_op, region, region_size FROM main.ps_staged_checkpoint",
        "DROP TABLE main.ps_staged_checkpoint",
        "DELETE FROM main.ps_migration WHERE id >= 1002",
    ],
];
