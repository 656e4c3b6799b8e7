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

use super::{Journey, execute_all};
use crate::connection::Database;
use crate::packed_sql::{self, PackedSql};

/// Buckets that ids of 22 bits can number.
const MOST_BUCKETS: i64 = (1 << 22) - 1;

/// The number of this format.
pub(super) const VERSION: i64 = 1001;

/// The step between formats 14 and 1001.
pub(super) fn up(database: &Database<'_>, sql: &PackedSql, journey: Journey) -> Result<()> {
    // To this format, 2 means an operation that was removed.
    const FORGET_UNKNOWN_SUBKEYS: &str = "UPDATE main.ps_operations SET removed = 0 WHERE removed = 2";
    let buckets = database.count("ps_buckets")?;
    if buckets > MOST_BUCKETS {
        return Err(Error::local_data(alloc::format!("{buckets} buckets, more than the {MOST_BUCKETS} that fit")));
    }
    execute_all(database, sql, packed_sql::V1001_UP)?;
    if journey.to == VERSION { database.execute_batch(FORGET_UNKNOWN_SUBKEYS) } else { Ok(()) }
}
