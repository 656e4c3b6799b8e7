//! Format 1002: what several iterations on one file and a bounded list of changed rows need, and which subkeys are not
//! known: in `ps_operations`, `removed` is 1 for a REMOVE, 2 for a PUT with such a subkey, else 0.
//!
//! | column | holds |
//! | --- | --- |
//! | `ps_checkpoint.writer` | a number for the iteration that was the last to change what iterations remember |
//! | `ps_checkpoint.removed_op` | the largest `last_op_id` of a checkpoint that removed stored buckets |
//! | `ps_buckets.requested_by` | a number for the request of the iteration that made the bucket, 0 for any |

use alloc::string::String;

use crate::error::Result;

use super::readable_rows::make_readable;
use super::{Journey, down_migrations_json, execute_all, stored_down_migrations, v1001};
use crate::connection::Database;
use crate::packed_sql::{self, PackedSql};

/// The step between formats 1001 and 1002.
pub(super) fn up(database: &Database<'_>, sql: &PackedSql, journey: Journey) -> Result<()> {
    execute_all(database, sql, packed_sql::V1002_UP)?;
    mark_unknown_subkeys(database, journey)?;
    execute_all(database, sql, packed_sql::V1002_MISTAKEN_TYPES)?;
    make_readable(database)?;
    keep_views_on_the_way_down(database)
}

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
    let was_1001 = journey.from == v1001::VERSION;
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
    let version = v1001::VERSION;
    let stored = stored_down_migrations(database, version)?;
    let mut kept = stored.iter().map(String::as_str).filter(|sql| !sql.starts_with("SELECT powersync_drop_view("));
    let down = down_migrations_json(&mut kept)?;
    database.prepare(REPLACE)?.execute(&[version.into(), down.as_str().into()])?;
    Ok(())
}
