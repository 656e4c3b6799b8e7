//! A set of names.

use alloc::string::String;
use alloc::vec::Vec;

use super::index::{Index, Key};
use super::sort_names;
use crate::error::Result;

/// A set of names, each at a position: they are numbered in the order in which they are added.
#[derive(Debug, Default)]
pub(crate) struct Names {
    names: Vec<String>,
    index: Index,
}

impl Names {
    /// The set of these names.
    pub(crate) fn of<'n>(names: impl Iterator<Item = &'n str>) -> Self {
        let mut set = Self::default();
        names.for_each(|name| {
            set.insert(name);
        });
        set
    }

    /// The position of `name`.
    pub(crate) fn position(&self, name: &str) -> Option<usize> {
        self.index.find(Key::Name(name), &name_at(&self.names))
    }

    /// The name at a position.
    pub(crate) fn get(&self, position: usize) -> Option<&str> {
        self.names.get(position).map(String::as_str)
    }

    /// Whether the set has `name`.
    pub(crate) fn contains(&self, name: &str) -> bool {
        self.position(name).is_some()
    }

    /// Adds `name`, which the set does not have yet. Returns its position.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn add(&mut self, name: &str) -> Result<usize> {
        self.names.try_reserve(1)?;
        self.index.reserve(1)?;
        let mut owned = String::new();
        owned.try_reserve_exact(name.len())?;
        owned.push_str(name);
        Ok(self.push(owned))
    }

    fn push(&mut self, name: String) -> usize {
        let position = self.names.len();
        self.index.insert(Key::Name(&name), position);
        self.names.push(name);
        position
    }

    /// Takes out all names.
    pub(crate) fn clear(&mut self) {
        self.names.clear();
        self.index.clear();
    }

    /// Adds `name`; false if the set has it already. Meant for small sets: memory is not reserved fallibly.
    pub(crate) fn insert(&mut self, name: &str) -> bool {
        let is_new = !self.contains(name);
        if is_new {
            self.push(name.into());
        }
        is_new
    }

    /// Adds all names of `other`.
    pub(crate) fn extend(&mut self, other: &Self) {
        for name in other.iter() {
            self.insert(name);
        }
    }

    /// The names in the order in which they were added.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &str> {
        self.names.iter().map(String::as_str)
    }

    /// The names, sorted.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn sorted(&self) -> Result<Vec<&str>> {
        let mut names = Vec::new();
        names.try_reserve_exact(self.names.len())?;
        names.extend(self.iter());
        sort_names(&mut names);
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
