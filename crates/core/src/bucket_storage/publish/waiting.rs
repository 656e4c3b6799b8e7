//! Rows that wait to be published in their order, a megabyte of data or many rows at once: indexes and tables are written to in sequence,
//! although operations are read in the order in which they came.

use alloc::string::String;
use alloc::vec::Vec;

use crate::collections::RowKeys;
use crate::error::{Error, ErrorKind, Result};

use super::row_sink::RowSinks;
use crate::bucket_storage::by_row::RunSize;

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
        self.add(row_type, row_id, data)?;
        if self.are_enough() { self.publish(sinks) } else { Ok(()) }
    }

    /// Also rows with next to no data take memory.
    fn are_enough(&self) -> bool {
        self.data.len() >= WAITING_SIZE || RunSize::LARGE.is_reached(&self.keys)
    }

    fn add(&mut self, row_type: &str, row_id: &str, data: &str) -> Result<()> {
        let index = i64::try_from(self.ends.len()).unwrap_or(i64::MAX);
        self.keys.push(row_type, row_id, index)?;
        // All at once: growing would take as much again.
        let room = if self.data.is_empty() { WAITING_SIZE.saturating_add(data.len()) } else { data.len() };
        self.data.try_reserve_exact(room)?;
        self.data.push_str(data);
        self.ends.try_reserve(1)?;
        self.ends.push(self.data.len());
        Ok(())
    }

    /// Publishes the rows that wait.
    ///
    /// # Errors
    /// As for [`Self::put`].
    pub(super) fn publish(&mut self, sinks: &mut RowSinks<'_, '_>) -> Result<()> {
        let (data, ends) = (self.data.as_str(), self.ends.as_slice());
        self.keys.visit_sorted(&mut |row_type, row_id, index| {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// How many rows of that kind wait until they are published.
    fn count_until_enough(id_size: usize, data_size: usize) -> usize {
        let (mut rows, data) = (WaitingRows::default(), "d".repeat(data_size));
        while !rows.are_enough() {
            rows.add("t", &"i".repeat(id_size), &data).unwrap();
        }
        rows.ends.len()
    }

    #[test]
    fn data_ids_and_the_number_of_rows_are_bounded() {
        assert_eq!(count_until_enough(36, 1 << 10), 1 << 10);
        assert_eq!(count_until_enough(1 << 12, 2), 1 << 10);
        assert_eq!(count_until_enough(1, 2), 50_000);
    }
}
