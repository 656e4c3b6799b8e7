//! Format 5: buckets get integer ids, and only current PUT operations are kept.
//!
//! What else the oplog held lives on as checksums in `add_checksum`, and rows that a removal or a local write concerned
//! move to `ps_updated_rows`. Tables are copied aside instead of renamed: renaming fails in a file with a view over
//! something that no longer exists.

use crate::collections::Names;
use crate::error::Result;

use super::{Journey, execute_all};
use crate::connection::Database;
use crate::packed_sql::{self, PackedSql};
use crate::schema::{drop_view_triggers, object_texts};

/// The step between formats 4 and 5.
pub(super) fn up(database: &Database<'_>, sql: &PackedSql, _: Journey) -> Result<()> {
    drop_triggers(database)?;
    execute_all(database, sql, packed_sql::V05_UP)
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
