//! A set of names.

use alloc::string::String;
use alloc::vec::Vec;

use super::index::{Index, Key};
use crate::error::Result;

/// A set of names. Meant for small ones: memory is not reserved fallibly.
#[derive(Debug, Default)]
pub struct Names {
    names: Vec<String>,
    index: Index,
}

impl Names {
    /// Whether the set has `name`.
    pub fn contains(&self, name: &str) -> bool {
        self.index.find(Key::Name(name), &name_at(&self.names)).is_some()
    }

    /// Adds `name`; false if the set has it already.
    pub fn insert(&mut self, name: &str) -> bool {
        let is_new = !self.contains(name);
        if is_new {
            self.index.insert(Key::Name(name), self.names.len());
            self.names.push(name.into());
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
    |position| Key::Name(names.get(position).map_or("", String::as_str))
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
