//! The rows that a publish leaves out because of local writes (docs/reference/sync-client.md#the-row-wise-gate).
//!
//! A row that is left out is marked as downloaded, so that a later publish shows it. Only hashes of rows are kept, 16
//! bytes for each. If two rows have the same, one is held back for longer than it has to be.

use crate::collections::{ByHash, hash};
use crate::connection::Database;
use crate::error::Result;
use crate::updated_rows;

/// It was written locally, and no published checkpoint has acknowledged that.
const HELD: u64 = 1;

/// It is marked as downloaded already.
const MARKED: u64 = 2;

/// Rows with local writes, and rows marked as downloaded.
#[derive(Default)]
pub(super) struct HeldRows {
    /// [`HELD`] and [`MARKED`] by the hash of type and id.
    rows: ByHash,
}

impl HeldRows {
    /// Loads them. Triggers of the app may queue entries without a mark, so both count.
    pub(super) fn load(database: &Database<'_>) -> Result<Self> {
        const SQL: &str = "SELECT row_type, row_id, iif(downloaded, 2, 1) FROM main.ps_updated_rows \
            UNION ALL SELECT entry ->> '$.type', entry ->> '$.id', 1 \
            FROM (SELECT iif(json_valid(data), data, '{}') AS entry FROM main.ps_crud)";
        let mut held = Self::default();
        let mut statement = database.cached(SQL)?;
        let mut rows = statement.query(&[])?;
        while let Some(row) = rows.next()? {
            // An entry that names no row holds none back.
            let (Some(row_type), Some(row_id)) = (row.optional_text(0)?, row.optional_text(1)?) else { continue };
            let key = hash((row_type, row_id));
            let flags = held.rows.get(key).unwrap_or(0) | row.integer(2).cast_unsigned();
            held.rows.set(key, flags)?;
        }
        Ok(held)
    }

    /// Whether the row was written locally.
    pub(super) fn contains(&self, row_type: &str, row_id: &str) -> bool {
        self.rows.get(hash((row_type, row_id))).is_some_and(|flags| flags & HELD != 0)
    }

    /// Leaves the row out if it was written locally; false if it was not.
    pub(super) fn hold_back(&mut self, database: &Database<'_>, row_type: &str, row_id: &str) -> Result<bool> {
        let key = hash((row_type, row_id));
        let Some(flags) = self.rows.get(key).filter(|flags| flags & HELD != 0) else { return Ok(false) };
        if flags & MARKED == 0 {
            self.rows.set(key, flags | MARKED)?;
            updated_rows::mark_downloaded(database, row_type, row_id)?;
        }
        Ok(true)
    }
}
