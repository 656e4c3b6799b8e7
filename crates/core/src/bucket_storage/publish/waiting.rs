//! Rows that wait to be published in their order, a megabyte at once: indexes and tables are written to in sequence,
//! although operations are read in the order in which they came.

use alloc::string::String;
use alloc::vec::Vec;

use rowtide_protocol::collections::RowKeys;
use rowtide_protocol::error::{Error, ErrorKind, Result};

use super::row_sink::RowSinks;

/// Bytes of data after which rows are published.
pub(super) const WAITING_SIZE: usize = 1 << 20;

/// Rows with their data.
#[derive(Default)]
pub(super) struct WaitingRows {
    /// The rows, each with its index in `ends`.
    keys: RowKeys,
    /// The data of one row after the other.
    data: String,
    /// By row, where its data ends.
    ends: Vec<usize>,
}

impl WaitingRows {
    /// Adds a row. Publishes all if there are enough.
    ///
    /// # Errors
    /// Those of [`RowSinks::put`]; out of memory.
    pub(super) fn put(&mut self, sinks: &mut RowSinks<'_, '_>, row_type: &str, row_id: &str, data: &str) -> Result<()> {
        let index = i64::try_from(self.ends.len()).unwrap_or(i64::MAX);
        self.keys.push(row_type, row_id, index)?;
        // All at once: growing would take as much again.
        let room = if self.data.is_empty() { WAITING_SIZE.saturating_add(data.len()) } else { data.len() };
        self.data.try_reserve_exact(room)?;
        self.data.push_str(data);
        self.ends.try_reserve(1)?;
        self.ends.push(self.data.len());
        if self.data.len() < WAITING_SIZE { Ok(()) } else { self.publish(sinks) }
    }

    /// Publishes the rows that wait.
    ///
    /// # Errors
    /// As for [`Self::put`].
    pub(super) fn publish(&mut self, sinks: &mut RowSinks<'_, '_>) -> Result<()> {
        let (data, ends) = (self.data.as_str(), self.ends.as_slice());
        self.keys.visit_sorted(|row_type, row_id, index| {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            let start = index.checked_sub(1).map_or(Some(0), |before| ends.get(before).copied());
            let data = start.zip(ends.get(index)).and_then(|(start, end)| data.get(start..*end));
            debug_assert!(data.is_some(), "the data of a row that waits were lost");
            let lost = || Error::new(ErrorKind::Internal, "the data of a row that waits were lost");
            sinks.put(row_type, row_id, data.ok_or_else(lost)?)
        })?;
        self.keys.clear();
        self.data.clear();
        self.ends.clear();
        Ok(())
    }
}
