//! `ps_updated_rows`: the rows that have to be looked at again when downloads are published, because they were written
//! to.
//!
//! The table is append-only, so that a write does not search for its row in it. A row that is written again and again
//! would then be in it as often. So each connection remembers where it has put some rows, in memory that does not grow,
//! and looks there before it puts one down again: whatever has become of the table meanwhile, a row counts as marked only
//! if it is found there.

use alloc::vec::Vec;

use sqlite_nostd::ResultCode;

use crate::connection::Database;
use crate::error::{ErrorKind, Result};

/// Where rows were put that this connection has marked.
#[derive(Debug, Default)]
pub(super) struct MarkedRows {
    /// Places of four rows, by the key of the row: the newest first, 0 for none.
    places: Vec<Places>,
    /// Rows that were remembered.
    count: usize,
}

type Places = [u32; 4];

/// The sizes of [`MarkedRows::places`], powers of two: 4, 32 and 256 KiB.
const SIZES: [usize; 3] = [1 << SMALLEST_BITS, 2 * 1024, 16 * 1024];
const SMALLEST_BITS: u32 = 8;

/// A place is an id in the table in its lower bits; above it stand the bits of the row's key that do not follow from
/// where the place is at the smallest size.
const ID_BITS: u32 = 20;
const LARGEST_ID: u32 = (1 << ID_BITS) - 1;

/// What places are found by: as many bits of a row's hash as the position at the smallest size and a place hold.
const KEY_BITS: u32 = SMALLEST_BITS + u32::BITS - ID_BITS;

impl MarkedRows {
    /// Has the row looked at again when downloads are published.
    ///
    /// # Errors
    /// Errors of SQLite.
    pub(super) fn mark(&mut self, database: &Database<'_>, row_type: &str, row_id: &str) -> Result<()> {
        // Format 14 has a unique key here.
        const SQL: &str = "INSERT OR IGNORE INTO main.ps_updated_rows(row_type, row_id) VALUES (?1, ?2)";
        let key = key_of(row_type, row_id);
        for id in self.ids(key) {
            if is_at(database, id, row_type, row_id)? {
                return Ok(());
            }
        }
        database.execute(SQL, &[row_type.into(), row_id.into()])?;
        self.remember(key, database.connection().last_insert_rowid());
        Ok(())
    }

    /// Where the row with that key may be.
    fn ids(&self, key: u32) -> impl Iterator<Item = i64> + use<> {
        let places = self.places.get(index(key, self.places.len())).copied().unwrap_or_default();
        let is_it = move |place: &u32| *place & LARGEST_ID != 0 && (*place ^ upper_bits(key)) <= LARGEST_ID;
        places.into_iter().filter(is_it).map(|place| i64::from(place & LARGEST_ID))
    }

    /// Remembers that the row with that key has been put at `id`, if there is memory.
    fn remember(&mut self, key: u32, id: i64) {
        let Some(id) = u32::try_from(id).ok().filter(|id| (1..=LARGEST_ID).contains(id)) else { return };
        let length = self.places.len();
        let is_full = self.count >= length.saturating_mul(2);
        if let Some(size) = SIZES.into_iter().find(|size| is_full && *size > length) {
            self.grow(size);
        }
        self.count = self.count.saturating_add(1);
        put(&mut self.places, key, id | upper_bits(key));
    }

    /// Makes room for more, if there is memory.
    fn grow(&mut self, size: usize) {
        let mut larger = Vec::new();
        if larger.try_reserve_exact(size).is_err() {
            return;
        }
        larger.resize(size, Places::default());
        for (position, places) in (0_u32..).zip(&self.places) {
            let lower_bits = position & ((1 << SMALLEST_BITS) - 1);
            // The oldest comes first, so that it is behind the others again.
            for place in places.iter().rev().filter(|place| **place != 0) {
                put(&mut larger, (place >> ID_BITS) << SMALLEST_BITS | lower_bits, *place);
            }
        }
        self.places = larger;
    }
}

/// Puts a place before the others of its key. The last one is forgotten.
fn put(places: &mut [Places], key: u32, place: u32) {
    if let Some([first, second, third, fourth]) = places.get_mut(index(key, places.len())) {
        (*first, *second, *third, *fourth) = (place, *first, *second, *third);
    }
}

/// The position of a key's places among `length`.
fn index(key: u32, length: usize) -> usize {
    usize::try_from(key).unwrap_or(0) & length.wrapping_sub(1)
}

/// By the hash function FNV-1a, which is small, and a multiplication, because what is the same but for the last characters
/// would be the same in the upper bits.
fn key_of(row_type: &str, row_id: &str) -> u32 {
    let mix = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
    let hash = row_type.bytes().chain([0]).chain(row_id.bytes()).fold(0xcbf2_9ce4_8422_2325, mix);
    u32::try_from(hash.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> (u64::BITS - KEY_BITS)).unwrap_or(0)
}

/// The bits of a key that stand in a place.
fn upper_bits(key: u32) -> u32 {
    key >> SMALLEST_BITS << ID_BITS
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

    fn key(number: u64) -> u32 {
        key_of("items", &alloc::format!("{number}"))
    }

    fn remembering(count: u64) -> MarkedRows {
        let mut rows = MarkedRows::default();
        (1..=count).for_each(|number| rows.remember(key(number), i64::try_from(number).unwrap()));
        rows
    }

    fn found(rows: &MarkedRows, numbers: impl Iterator<Item = u64>) -> usize {
        numbers.filter(|number| rows.ids(key(*number)).any(|id| id == i64::try_from(*number).unwrap())).count()
    }

    #[test]
    fn rows_are_found_where_they_were_put() {
        assert_eq!(MarkedRows::default().ids(key(1)).count(), 0);
        for (count, size) in [(1, SIZES[0]), (512, SIZES[0]), (513, SIZES[1]), (4096, SIZES[1]), (40_000, SIZES[2])] {
            let rows = remembering(count);
            assert_eq!(rows.places.len(), size);
            let found = u64::try_from(found(&rows, 1..=count)).unwrap();
            assert!(found * 10 >= count * 9, "{found} of {count}");
        }
        let rows = remembering(100);
        assert!((101..=10_000).map(|number| rows.ids(key(number)).count()).sum::<usize>() < 100);
    }

    #[test]
    fn memory_is_bounded_and_holds_the_newest() {
        let rows = remembering(200_000);
        assert_eq!(rows.places.len(), SIZES[2]);
        assert!(found(&rows, 160_001..=200_000) > 36_000);
    }

    #[test]
    fn ids_that_do_not_fit_are_not_remembered() {
        let mut rows = MarkedRows::default();
        for id in [i64::MIN, -1, 0, i64::from(LARGEST_ID) + 1, i64::MAX] {
            rows.remember(key(1), id);
        }
        assert_eq!(rows.ids(key(1)).count(), 0);
        rows.remember(key(1), i64::from(LARGEST_ID));
        assert_eq!(rows.ids(key(1)).collect::<Vec<_>>(), [i64::from(LARGEST_ID)]);
    }
}
