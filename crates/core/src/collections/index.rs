//! Finding entries of a list by a key that they hold.

use hashbrown::HashTable;

use super::hashing::hash;
use crate::error::Result;

/// What an entry is found by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Key<'k> {
    /// A name.
    Name(&'k str),
    /// The name of something and that of a part of it.
    Part(&'k str, &'k str),
    /// A number.
    Id(i64),
    /// An address and a length.
    Place(usize, usize),
}

/// The key of the entry at a position.
pub(crate) type KeyFn<'k> = dyn Fn(usize) -> Key<'k> + 'k;

/// A hash and a number: what tables of all kinds hold, so that their code exists once.
pub(super) type Entry = (u64, u64);

/// Positions by key. Methods are given the way to the keys of positions that are in the index.
#[derive(Debug, Default)]
pub(crate) struct Index {
    positions: HashTable<Entry>,
}

impl Index {
    /// An index of the first `length` positions; of equal keys, the first position is found.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn of<'k>(length: usize, key_of: &KeyFn<'k>) -> Result<Self> {
        let mut index = Self::default();
        index.reserve(length)?;
        for position in 0..length {
            let key = key_of(position);
            if index.find(key, key_of).is_none() {
                index.insert(key, position);
            }
        }
        Ok(index)
    }

    /// The position of the entry with that key.
    pub(crate) fn find<'k>(&self, key: Key<'_>, key_of: &KeyFn<'k>) -> Option<usize> {
        let hash = hash(key);
        let matches = |entry: &Entry| {
            entry.0 == hash && {
                #[cfg(test)]
                COMPARED.set(COMPARED.get() + 1);
                key_of(position(entry)) == key
            }
        };
        self.positions.find(hash, matches).map(position)
    }

    /// Makes room for more entries.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn reserve(&mut self, additional: usize) -> Result<()> {
        Ok(self.positions.try_reserve(additional, hash_of)?)
    }

    /// Adds the entry at `position`, whose key is not in the index yet. Cannot fail after [`Self::reserve`].
    pub(crate) fn insert(&mut self, key: Key<'_>, position: usize) {
        let hash = hash(key);
        self.positions.insert_unique(hash, (hash, position as u64), hash_of);
    }

    /// Takes out the entry with that key.
    pub(crate) fn remove<'k>(&mut self, key: Key<'_>, key_of: &KeyFn<'k>) {
        let hash = hash(key);
        if let Ok(entry) = self.positions.find_entry(hash, |entry| entry.0 == hash && key_of(position(entry)) == key) {
            entry.remove();
        }
    }

    /// Takes out everything.
    pub(crate) fn clear(&mut self) {
        self.positions.clear();
    }
}

#[cfg(test)]
std::thread_local! {
    static COMPARED: core::cell::Cell<usize> = const { core::cell::Cell::new(0) };
}

/// How many keys this thread has compared.
#[cfg(test)]
pub(super) fn compared() -> usize {
    COMPARED.get()
}

pub(super) fn hash_of(entry: &Entry) -> u64 {
    entry.0
}

fn position(entry: &Entry) -> usize {
    entry.1 as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::format;
    use std::string::String;
    use std::vec::Vec;

    #[test]
    fn entries_are_found_until_they_are_taken_out() {
        let names: Vec<String> = (0..100).map(|number| format!("name {number}")).collect();
        let key_of = |position: usize| Key::Name(&names[position]);
        let mut index = Index::default();
        for (position, name) in names.iter().enumerate() {
            assert_eq!(index.find(Key::Name(name), &key_of), None);
            index.reserve(1).unwrap();
            index.insert(Key::Name(name), position);
        }
        for (position, name) in names.iter().enumerate() {
            assert_eq!(index.find(Key::Name(name), &key_of), Some(position));
            index.remove(Key::Name(name), &key_of);
            index.remove(Key::Name(name), &key_of);
            assert_eq!(index.find(Key::Name(name), &key_of), None);
        }
    }

    #[test]
    fn of_equal_keys_the_first_is_found() {
        let key_of = |position: usize| Key::Id(if position == 2 { 0 } else { 1 });
        let index = Index::of(4, &key_of).unwrap();
        assert_eq!(index.find(Key::Id(1), &key_of), Some(0));
        assert_eq!(index.find(Key::Id(0), &key_of), Some(2));
        assert_eq!(index.find(Key::Id(2), &key_of), None);
    }

    #[test]
    fn a_name_and_its_parts_are_different_keys() {
        let keys = [Key::Part("a", "bc"), Key::Part("ab", "c"), Key::Name("abc"), Key::Id(1)];
        let key_of = |position: usize| keys[position];
        let mut index = Index::default();
        for (position, key) in keys.into_iter().enumerate() {
            index.insert(key, position);
        }
        for (position, key) in keys.into_iter().enumerate() {
            assert_eq!(index.find(key, &key_of), Some(position));
        }
    }
}
