//! Format 1004: the data of a downloaded row of a JSON table are in that table alone.
//!
//! In `ps_operations`, `data` may be NULL for a PUT: its data are in the row of the table for its type whose rowid is the
//! operation's id, or, while it is pending, under that rowid in `ps_pending__<type>`. Such an operation has no entry in
//! `ps_row_operations`. Nothing changes for operations that were stored before, and no column is added.
//!
//! **Down.** The data of all operations are copied to them. The statements for that name each table, so they are stored
//! when tables change: see `note_way_down`.

use super::{Migration, Up, v1001, v1002};

/// The step between formats 1003 and 1004.
pub(super) const MIGRATION: Migration = Migration { version: 1004, up: Up::Sql(UP), down: Some(DOWN) };

const VIEW: &str = v1001::oplog_view!(
    "held.removed IN (0, 2)",
    "coalesce(operation.data, powersync_operation_data(operation.row_type, operation.row_id, operation.id))"
);

/// Iterations that were running in another format end (bucket_storage/iteration.rs says what the lowest bit means).
const UP: &str = const_format::concatcp!(
    "DROP VIEW main.ps_oplog;\n",
    VIEW,
    ";\n",
    v1002::KEY_REPAIR,
    ";\nUPDATE main.ps_checkpoint SET generation = random() & ~1;"
);

/// What follows the statements for each table.
pub(super) const DOWN: &[&str] =
    &["DROP VIEW main.ps_oplog", v1002::VIEW, v1002::KEY_REPAIR, "DELETE FROM main.ps_migration WHERE id >= 1004"];
