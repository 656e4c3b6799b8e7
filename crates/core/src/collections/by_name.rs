//! Values that are found by a name.

use alloc::vec::Vec;

use super::names::Names;
use crate::error::Result;

/// Values by name, each at a position that stays the same until all are taken out. Finding one takes the same time
/// however many there are.
#[derive(Debug)]
pub(crate) struct ByName<T> {
    names: Names,
    values: Vec<T>,
}

impl<T> Default for ByName<T> {
    fn default() -> Self {
        Self { names: Names::default(), values: Vec::new() }
    }
}

impl<T> ByName<T> {
    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.values.len()
    }

    /// Whether there is none.
    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// The position of the value called `name`.
    pub(crate) fn find(&self, name: &str) -> Option<usize> {
        self.names.position(name)
    }

    /// The name at a position.
    pub(crate) fn name(&self, position: usize) -> Option<&str> {
        self.names.get(position)
    }

    /// The value at a position.
    pub(crate) fn get(&self, position: usize) -> Option<&T> {
        self.values.get(position)
    }

    /// The value at a position.
    pub(crate) fn get_mut(&mut self, position: usize) -> Option<&mut T> {
        self.values.get_mut(position)
    }

    /// Adds a value under a name that no other has. Returns its position.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn insert(&mut self, name: &str, value: T) -> Result<usize> {
        debug_assert!(self.find(name).is_none());
        self.values.try_reserve(1)?;
        let position = self.names.add(name)?;
        self.values.push(value);
        Ok(position)
    }

    /// Takes out all values.
    pub(crate) fn clear(&mut self) {
        self.names.clear();
        self.values.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collections::index::compared;
    use std::format;

    #[test]
    fn values_are_found_by_name_and_by_position() {
        let mut values = ByName::default();
        assert!(values.is_empty() && values.find("a").is_none());
        assert_eq!((values.insert("a", 1), values.insert("b", 2)), (Ok(0), Ok(1)));
        assert_eq!(values.find("b").and_then(|position| values.get(position)), Some(&2));
        *values.get_mut(0).unwrap() = 3;
        assert_eq!((values.name(0), values.get(0), values.len()), (Some("a"), Some(&3), 2));
        values.clear();
        assert!(values.is_empty() && values.find("a").is_none());
    }

    #[test]
    fn finding_one_of_many_compares_few_names() {
        const COUNT: usize = 10_000;
        let mut values = ByName::default();
        for number in 0..COUNT {
            values.insert(&format!("name {number}"), number).unwrap();
        }
        let before = compared();
        for number in 0..COUNT {
            assert_eq!(values.find(&format!("name {number}")), Some(number));
            assert_eq!(values.find(&format!("other {number}")), None);
        }
        assert!(compared() - before <= COUNT + 10, "{}", compared() - before);
    }
}
