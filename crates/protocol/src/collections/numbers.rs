//! A hash table of numbers.

use core::hash::{BuildHasher, Hash};

use hashbrown::{DefaultHashBuilder, HashTable};

use crate::error::Result;

#[derive(Debug, Clone, Copy)]
struct Entry {
    hash: u64,
    number: i64,
}

/// Numbers by the hash of what they stand for: positions in a list, ids of rows, or simply themselves.
#[derive(Debug)]
pub struct Numbers {
    entries: HashTable<Entry>,
    state: DefaultHashBuilder,
}

impl Default for Numbers {
    #[inline(never)]
    fn default() -> Self {
        Self { entries: HashTable::new(), state: DefaultHashBuilder::default() }
    }
}

impl Numbers {
    /// The hash of a key.
    pub fn hash(&self, key: impl Hash) -> u64 {
        self.state.hash_one(key)
    }

    /// How many numbers there are.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The number with that hash which `is_meant` accepts.
    pub fn find(&self, hash: u64, is_meant: impl Fn(i64) -> bool) -> Option<i64> {
        self.entries.find(hash, |entry| entry.hash == hash && is_meant(entry.number)).map(|entry| entry.number)
    }

    /// The place of a number with that hash.
    pub fn find_mut(&mut self, hash: u64) -> Option<&mut i64> {
        self.entries.find_mut(hash, |entry| entry.hash == hash).map(|entry| &mut entry.number)
    }

    /// Makes room for more numbers.
    ///
    /// # Errors
    /// Out of memory.
    pub fn reserve(&mut self, additional: usize) -> Result<()> {
        Ok(self.entries.try_reserve(additional, hash_of)?)
    }

    /// Adds a number. Cannot fail after [`Self::reserve`].
    pub fn insert(&mut self, hash: u64, number: i64) {
        self.entries.insert_unique(hash, Entry { hash, number }, hash_of);
    }

    /// Adds a number that stands for itself, if it is not there yet. Cannot fail after [`Self::reserve`].
    pub fn insert_itself(&mut self, number: i64) {
        if !self.contains(number) {
            self.insert(self.hash(number), number);
        }
    }

    /// Whether a number that stands for itself is there.
    pub fn contains(&self, number: i64) -> bool {
        self.find(self.hash(number), |found| found == number).is_some()
    }

    /// Takes out the number with that hash which `is_meant` accepts.
    pub fn remove(&mut self, hash: u64, is_meant: impl Fn(i64) -> bool) {
        if let Ok(entry) = self.entries.find_entry(hash, |entry| entry.hash == hash && is_meant(entry.number)) {
            entry.remove();
        }
    }

    /// Takes out everything, and gives the memory back.
    pub fn clear(&mut self) {
        self.entries = HashTable::new();
    }
}

/// One function and no closures, so that the code that moves entries is there once.
fn hash_of(entry: &Entry) -> u64 {
    entry.hash
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_found_until_they_are_taken_out() {
        let mut numbers = Numbers::default();
        for number in 0..1000 {
            let hash = numbers.hash(number % 100);
            numbers.reserve(1).unwrap();
            numbers.insert(hash, number);
        }
        assert_eq!(numbers.len(), 1000);
        for number in 0..1000 {
            let hash = numbers.hash(number % 100);
            assert_eq!(numbers.find(hash, |found| found == number), Some(number));
            assert_eq!(numbers.find(hash, |found| found == number + 1), None);
            numbers.remove(hash, |found| found == number);
            assert_eq!(numbers.find(hash, |found| found == number), None);
        }
        assert!(numbers.is_empty());
    }

    #[test]
    fn numbers_stand_for_themselves() {
        let mut numbers = Numbers::default();
        numbers.reserve(2).unwrap();
        for number in [5, 7, 5] {
            numbers.insert_itself(number);
        }
        assert_eq!(numbers.len(), 2);
        assert!(numbers.contains(5) && numbers.contains(7) && !numbers.contains(6));
    }

    #[test]
    fn numbers_can_be_changed_in_place_and_forgotten() {
        let mut numbers = Numbers::default();
        let hash = numbers.hash("a");
        numbers.insert(hash, 1);
        *numbers.find_mut(hash).unwrap() = 2;
        assert_eq!(numbers.find(hash, |_| true), Some(2));
        numbers.clear();
        assert_eq!(numbers.find_mut(hash), None);
    }
}
