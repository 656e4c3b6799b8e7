//! Numbers that are found by a hash.

use core::mem;

use hashbrown::HashTable;

use super::hashing::hash;
use super::index::{Entry, hash_of};
use crate::error::Result;

/// Numbers by the hash of what they belong to: 16 bytes for each. What has the same hash shares a number.
#[derive(Debug, Default)]
pub(crate) struct ByHash {
    numbers: HashTable<Entry>,
}

impl ByHash {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.numbers.len()
    }

    /// The number of a hash.
    pub(crate) fn get(&self, hash: u64) -> Option<u64> {
        self.numbers.find(hash, |entry| entry.0 == hash).map(|entry| entry.1)
    }

    /// Sets the number of a hash, and gives the one that was there before.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn set(&mut self, hash: u64, number: u64) -> Result<Option<u64>> {
        if let Some((_, known)) = self.numbers.find_mut(hash, |entry| entry.0 == hash) {
            return Ok(Some(mem::replace(known, number)));
        }
        self.numbers.try_reserve(1, hash_of)?;
        self.numbers.insert_unique(hash, (hash, number), hash_of);
        Ok(None)
    }
}

/// A set of numbers.
#[derive(Debug, Default)]
pub(crate) struct Numbers {
    numbers: HashTable<Entry>,
}

impl Numbers {
    /// Whether the number is in the set.
    pub(crate) fn contains(&self, number: i64) -> bool {
        let entry = entry(number);
        self.numbers.find(entry.0, |other| *other == entry).is_some()
    }

    /// Adds a number.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn insert(&mut self, number: i64) -> Result<()> {
        if !self.contains(number) {
            let entry = entry(number);
            self.numbers.try_reserve(1, hash_of)?;
            self.numbers.insert_unique(entry.0, entry, hash_of);
        }
        Ok(())
    }

    /// Takes a number out; false if it was not in the set.
    pub(crate) fn remove(&mut self, number: i64) -> bool {
        let entry = entry(number);
        let found = self.numbers.find_entry(entry.0, |other| *other == entry);
        found.map(|found| found.remove()).is_ok()
    }
}

fn entry(number: i64) -> Entry {
    (hash(number), number.cast_unsigned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_by_hash() {
        let mut numbers = ByHash::default();
        let key = hash(("a", 1));
        assert_eq!((numbers.get(key), numbers.len()), (None, 0));
        assert_eq!((numbers.set(key, 5), numbers.set(key, 6)), (Ok(None), Ok(Some(5))));
        assert_eq!((numbers.get(key), numbers.get(hash(("a", 2))), numbers.len()), (Some(6), None, 1));
    }

    #[test]
    fn a_set_has_each_number_once() {
        let mut set = Numbers::default();
        for number in [1, i64::MIN, -1, 1] {
            set.insert(number).unwrap();
        }
        assert!(set.contains(1) && set.contains(i64::MIN) && set.contains(-1) && !set.contains(0));
        assert!(set.remove(1) && !set.remove(1) && !set.contains(1) && set.contains(-1));
    }
}
