//! Publishing few pending operations, as most checkpoints have them.
//!
//! A pending operation that supersedes a settled one of its bucket takes that one's place instead of being entered in
//! `ps_row_operations`: of the pages of a large database, only those of the older operation and of the row itself change.
//! Where much is pending that would write all its data once more, so that there the older operations are deleted.

use alloc::string::String;
use alloc::vec::Vec;

use super::rows::{Counted, Publisher};
use crate::error::Result;
use crate::text;

/// A pending operation with its row.
struct PendingOperation {
    row_type: String,
    row_id: String,
    operation: i64,
}

impl PendingOperation {
    fn has_row_of(&self, other: &Self) -> bool {
        self.row_id == other.row_id && self.row_type == other.row_type
    }
}

impl Publisher<'_, '_> {
    /// Looks at the row of every pending operation, none of which is entered in `ps_row_operations`.
    pub fn publish_few(&mut self) -> Result<()> {
        let pending = self.load_pending()?;
        let mut of_row = Vec::new();
        of_row.try_reserve_exact(pending.len())?;
        for (index, first) in pending.iter().enumerate() {
            if pending.iter().take(index).any(|earlier| earlier.has_row_of(first)) {
                continue;
            }
            of_row.clear();
            let with_row = pending.iter().skip(index).filter(|later| later.has_row_of(first));
            of_row.extend(with_row.map(|later| later.operation));
            self.publish_with(&first.row_type, &first.row_id, &of_row)?;
        }
        Ok(())
    }

    /// The pending operations in the order of their ids.
    fn load_pending(&self) -> Result<Vec<PendingOperation>> {
        const SELECT: &str =
            "SELECT row_type, row_id, id FROM main.ps_operations WHERE id BETWEEN ?1 AND ?2 ORDER BY id";
        let mut pending = Vec::new();
        let mut statement = self.database.cached(SELECT)?;
        for (first, last) in self.pending.unsettled() {
            let mut rows = statement.query(&[first.into(), last.into()])?;
            while let Some(row) = rows.next()? {
                pending.try_reserve(1)?;
                pending.push(PendingOperation {
                    row_type: text::copy(row.text(0)?)?,
                    row_id: text::copy(row.text(1)?)?,
                    operation: row.integer(2),
                });
            }
        }
        Ok(pending)
    }

    /// Publishes a row that has these pending operations.
    fn publish_with(&mut self, row_type: &str, row_id: &str, pending: &[i64]) -> Result<()> {
        const SELECT: &str = "SELECT id, op_id, hash, removed, subkey, data FROM main.ps_operations WHERE id = ?1";
        self.load_entered(row_type, row_id)?;
        for operation in pending {
            let mut statement = self.database.cached(SELECT)?;
            let mut rows = statement.query(&[(*operation).into()])?;
            if let Some(row) = rows.next()? {
                self.add_version(&row)?;
            }
        }
        self.publish_row(row_type, row_id, Counted::All)?;
        self.settle(row_type, row_id)?;
        self.delete_obsolete(row_type, row_id)
    }

    /// Puts each pending operation that counts in the place of the settled one that it supersedes, or enters it. Afterwards
    /// all that no longer count are entered.
    fn settle(&mut self, row_type: &str, row_id: &str) -> Result<()> {
        const REPLACE: &str = "UPDATE main.ps_operations SET (op_id, data, hash) = \
            (SELECT op_id, data, hash FROM main.ps_operations WHERE id = ?2) WHERE id = ?1";
        const ENTER: &str =
            "INSERT OR IGNORE INTO main.ps_row_operations(row_type, row_id, operation) VALUES (?1, ?2, ?3)";
        const DELETE: &str = "DELETE FROM main.ps_operations WHERE id = ?1";
        let is_pending = |operation: i64| self.pending.is_pending(operation);
        for version in self.versions.iter().filter(|version| is_pending(version.operation)) {
            let operation = version.operation;
            if version.is_current() {
                let Some(place) = self.versions.superseded_by(version).find(|other| !is_pending(*other)) else {
                    self.database.execute(ENTER, &[row_type.into(), row_id.into(), operation.into()])?;
                    continue;
                };
                self.database.execute(REPLACE, &[place.into(), operation.into()])?;
                self.obsolete.retain(|obsolete| *obsolete != place);
            }
            self.database.execute(DELETE, &[operation.into()])?;
        }
        self.obsolete.retain(|obsolete| !is_pending(*obsolete));
        Ok(())
    }
}
