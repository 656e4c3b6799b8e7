//! A set of names.

use alloc::string::String;
use alloc::vec::Vec;

use super::index::{Index, Key};
use crate::error::Result;

/// Up to this many names are searched one by one, without an index.
const FEW: usize = 8;

/// A set of names, each at a position: they are numbered in the order in which they are added.
#[derive(Debug, Default)]
pub struct Names {
    names: Vec<String>,
    /// Of all names, if there are more than a few.
    index: Index,
}

impl Names {
    /// The set of these names.
    pub fn of<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        let mut set = Self::default();
        names.for_each(|name| {
            set.insert(name);
        });
        set
    }

    /// The position of `name`.
    pub fn position(&self, name: &str) -> Option<usize> {
        if self.names.len() <= FEW {
            return self.names.iter().position(|known| known == name);
        }
        self.index.find(Key::Name(name), &name_at(&self.names))
    }

    /// The name at a position.
    pub fn get(&self, position: usize) -> Option<&str> {
        self.names.get(position).map(String::as_str)
    }

    /// Whether the set has `name`.
    pub fn contains(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// Adds `name`, which the set does not have yet. Returns its position.
    ///
    /// # Errors
    /// Out of memory.
    pub fn add(&mut self, name: &str) -> Result<usize> {
        self.names.try_reserve(1)?;
        if self.names.len() >= FEW {
            self.index.reserve(FEW.saturating_add(1))?;
        }
        let mut owned = String::new();
        owned.try_reserve_exact(name.len())?;
        owned.push_str(name);
        Ok(self.push(owned))
    }

    fn push(&mut self, name: String) -> usize {
        let position = self.names.len();
        self.names.push(name);
        let not_indexed = if position == FEW { 0 } else { position };
        for (position, name) in self.names.iter().enumerate().skip(not_indexed).filter(|_| position >= FEW) {
            self.index.insert(Key::Name(name), position);
        }
        position
    }

    /// Takes out all names.
    pub fn clear(&mut self) {
        self.names.clear();
        self.index.clear();
    }

    /// Adds `name`; false if the set has it already. Meant for small sets: memory is not reserved fallibly.
    pub fn insert(&mut self, name: &str) -> bool {
        let is_new = !self.contains(name);
        if is_new {
            self.push(name.into());
        }
        is_new
    }

    /// Adds all names of `other`.
    pub fn extend(&mut self, other: &Self) {
        for name in other.iter() {
            self.insert(name);
        }
    }

    /// The names in the order in which they were added.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The names, sorted.
    ///
    /// # Errors
    /// Out of memory.
    pub fn sorted(&self) -> Result<Vec<&str>> {
        let mut names = Vec::new();
        names.try_reserve_exact(self.names.len())?;
        names.extend(self.iter());
        names.sort_unstable();
        Ok(names)
    }
}

fn name_at<'n>(names: &'n [String]) -> impl Fn(usize) -> Key<'n> {
    |position| {
        debug_assert!(position < names.len(), "the index is of other names");
        Key::Name(names.get(position).map_or("", String::as_str))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_there_once() {
        let mut names = Names::default();
        assert!(!names.contains("b") && names.insert("b") && names.insert("a"));
        assert!(names.contains("b") && !names.insert("b"));
        let mut more = Names::default();
        more.insert("c");
        more.insert("a");
        names.extend(&more);
        assert_eq!(names.iter().collect::<Vec<_>>(), ["b", "a", "c"]);
        assert_eq!(names.sorted().unwrap(), ["a", "b", "c"]);
    }
}
