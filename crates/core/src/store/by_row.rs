//! Visiting many operations in the order of `ps_row_operations`, so that what is done there for each meets pages in
//! sequence.

use crate::collections::RowKeys;
use crate::connection::Database;
use crate::error::Result;

/// Operations that are sorted at once, which bounds the memory for it to some 4 MB.
const SORTED_AT_ONCE: usize = 50_000;

/// The same for the bytes of their row ids.
const SORTED_SIZE: usize = 4 << 20;

/// Calls `visit` with type, row id and operation id of all operations whose ids are in `ranges` (first and last).
pub fn visit_by_row(
    database: &Database<'_>,
    ranges: impl Iterator<Item = (i64, i64)>,
    visit: &mut dyn FnMut(&str, &str, i64) -> Result<()>,
) -> Result<()> {
    const SELECT: &str = "SELECT row_type, row_id, id FROM main.ps_operations WHERE id BETWEEN ?1 AND ?2";
    let mut select = database.cached(SELECT)?;
    let mut keys = RowKeys::default();
    for (first, last) in ranges {
        let mut rows = select.query(&[first.into(), last.into()])?;
        while let Some(row) = rows.next()? {
            keys.push(row.text(0)?, row.text(1)?, row.integer(2))?;
            if keys.len() >= SORTED_AT_ONCE || keys.size() >= SORTED_SIZE {
                keys.visit_sorted(&mut *visit)?;
                keys.clear();
            }
        }
    }
    keys.visit_sorted(visit)
}
