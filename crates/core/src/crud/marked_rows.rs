//! `ps_updated_rows`: the rows that have to be looked at again when downloads are published, because they were written
//! to.
//!
//! The table is append-only, so that a write does not search for its row in it. A row that is written again and again
//! would then be in it as often. So each connection remembers where it has put some rows, in memory that does not grow,
//! and looks there before it puts one down again: whatever has become of the table meanwhile, a row counts as marked only
//! if it is found there.

use alloc::vec::Vec;
use core::hash::BuildHasher;

use hashbrown::DefaultHashBuilder;
use sqlite_nostd::ResultCode;

use crate::connection::Database;
use crate::error::{ErrorKind, Result};

/// Where rows were put that this connection has marked.
#[derive(Debug, Default)]
pub(super) struct MarkedRows {
    /// Places of four rows, by the hash of the row: the newest first, 0 for none.
    places: Vec<[u32; 4]>,
    /// Rows put into `places` since it has its size.
    count: usize,
    state: DefaultHashBuilder,
}

/// The sizes of [`MarkedRows::places`], powers of two: 4 KiB for most, 256 KiB for who writes many rows.
const SMALL: usize = 256;
const LARGE: usize = 16 * 1024;

/// A place is an id in the table in its lower bits, and bits of the row's hash above it.
const ID_BITS: u32 = 20;
const LARGEST_ID: u32 = (1 << ID_BITS) - 1;

impl MarkedRows {
    /// Has the row looked at again when downloads are published.
    ///
    /// # Errors
    /// Errors of SQLite.
    pub(super) fn mark(&mut self, database: &Database<'_>, row_type: &str, row_id: &str) -> Result<()> {
        // Format 14 has a unique key here.
        const SQL: &str = "INSERT OR IGNORE INTO main.ps_updated_rows(row_type, row_id) VALUES (?1, ?2)";
        let hash = self.state.hash_one((row_type, row_id));
        for id in self.ids(hash) {
            if is_at(database, id, row_type, row_id)? {
                return Ok(());
            }
        }
        database.execute(SQL, &[row_type.into(), row_id.into()])?;
        self.remember(hash, database.connection().last_insert_rowid());
        Ok(())
    }

    /// Where the row with that hash may be.
    fn ids(&self, hash: u64) -> impl Iterator<Item = i64> + use<> {
        let places = self.places.get(self.index(hash)).copied().unwrap_or_default();
        let is_it = move |place: &u32| *place != 0 && (*place ^ upper_bits(hash)) <= LARGEST_ID;
        places.into_iter().filter(is_it).map(|place| i64::from(place & LARGEST_ID))
    }

    /// Remembers that the row with that hash has been put at `id`, if there is memory.
    fn remember(&mut self, hash: u64, id: i64) {
        let Some(id) = u32::try_from(id).ok().filter(|id| (1..=LARGEST_ID).contains(id)) else { return };
        if self.places.is_empty() {
            self.resize(SMALL);
        } else if self.count > 2 * SMALL && self.places.len() < LARGE {
            self.resize(LARGE);
        }
        self.count += 1;
        let index = self.index(hash);
        if let Some([first, second, third, fourth]) = self.places.get_mut(index) {
            (*second, *third, *fourth) = (*first, *second, *third);
            *first = id | upper_bits(hash);
        }
    }

    /// Forgets everything, and makes room for more if there is memory.
    fn resize(&mut self, length: usize) {
        let mut places = Vec::new();
        if places.try_reserve_exact(length).is_ok() {
            places.resize(length, [0; 4]);
            self.places = places;
        }
        self.count = 0;
    }

    fn index(&self, hash: u64) -> usize {
        usize::try_from(hash & u64::from(u32::MAX)).unwrap_or(0) & self.places.len().wrapping_sub(1)
    }
}

/// The bits of a hash that stand in a place.
fn upper_bits(hash: u64) -> u32 {
    u32::try_from(hash >> 32).unwrap_or(0) & !LARGEST_ID
}

/// Whether the row stands at `id`.
fn is_at(database: &Database<'_>, id: i64, row_type: &str, row_id: &str) -> Result<bool> {
    const SQL: &str = "SELECT 1 FROM main.ps_updated_rows WHERE rowid = ?1 AND row_type = ?2 AND row_id = ?3";
    match database.integer(SQL, &[id.into(), row_type.into(), row_id.into()]) {
        // In format 14 there are no ids.
        Err(error) if *error.kind() == ErrorKind::Sqlite(ResultCode::ERROR) => Ok(false),
        result => Ok(result?.is_some()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u64) -> u64 {
        number.wrapping_mul(0x9E37_79B9_7F4A_7C15).rotate_left(29)
    }

    #[test]
    fn rows_are_found_where_they_were_put() {
        let mut rows = MarkedRows::default();
        assert_eq!(rows.ids(hash(1)).count(), 0);
        for number in 1..=100 {
            rows.remember(hash(number), i64::try_from(number).unwrap());
        }
        assert_eq!(rows.places.len(), SMALL);
        let is_found = |number: &u64| rows.ids(hash(*number)).any(|id| id == i64::try_from(*number).unwrap());
        assert!((1..=100).filter(is_found).count() > 95);
        assert!((101..=10_000).map(|number| rows.ids(hash(number)).count()).sum::<usize>() < 100);
    }

    #[test]
    fn memory_is_bounded_and_holds_most_of_many_rows() {
        let mut rows = MarkedRows::default();
        for number in 1..=200_000 {
            rows.remember(hash(number), i64::try_from(number).unwrap());
        }
        assert_eq!(rows.places.len(), LARGE);
        let is_found = |number: &u64| rows.ids(hash(*number)).any(|id| id == i64::try_from(*number).unwrap());
        assert!((160_001..=200_000).filter(is_found).count() > 36_000);
    }

    #[test]
    fn ids_that_do_not_fit_are_not_remembered() {
        let mut rows = MarkedRows::default();
        for id in [i64::MIN, -1, 0, i64::from(LARGEST_ID) + 1, i64::MAX] {
            rows.remember(hash(1), id);
        }
        assert_eq!(rows.ids(hash(1)).count(), 0);
        rows.remember(hash(1), i64::from(LARGEST_ID));
        assert_eq!(rows.ids(hash(1)).collect::<Vec<_>>(), [i64::from(LARGEST_ID)]);
    }
}
