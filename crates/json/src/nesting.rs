//! Which containers are open while a JSON text is walked without recursion.

use alloc::vec::Vec;

/// The kind of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Container {
    Object,
    Array,
}

const WORDS: usize = 16;

/// The open containers, outermost first: one bit for each, so that a sensible depth costs no allocation.
pub struct Nesting {
    is_object: [u64; WORDS],
    /// The bits of those that are deeper than any sensible value.
    deeper: Vec<u64>,
    depth: usize,
    limit: usize,
}

impl Nesting {
    /// The deepest nesting that can be walked without an allocation.
    pub const CAPACITY: usize = WORDS * 64;

    /// No open container, and room for `limit` of them.
    #[inline(never)]
    pub fn new(limit: usize) -> Self {
        Self { is_object: [0; WORDS], deeper: Vec::new(), depth: 0, limit }
    }

    /// Opens a container; `false` if that would exceed the limit, or memory.
    pub fn open(&mut self, container: Container) -> bool {
        if self.depth >= self.limit {
            return false;
        }
        let (index, bit) = (self.depth >> 6, 1_u64 << (self.depth & 63));
        let word = match index.checked_sub(WORDS) {
            None => self.is_object.get_mut(index),
            Some(deeper) => self.deeper_word(deeper),
        };
        let Some(word) = word else { return false };
        match container {
            Container::Object => *word |= bit,
            Container::Array => *word &= !bit,
        }
        self.depth += 1;
        true
    }

    #[cold]
    fn deeper_word(&mut self, index: usize) -> Option<&mut u64> {
        if index == self.deeper.len() {
            self.deeper.try_reserve(1).ok()?;
            self.deeper.push(0);
        }
        self.deeper.get_mut(index)
    }

    /// Closes the innermost container.
    pub fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// The innermost open container.
    pub fn innermost(&self) -> Option<Container> {
        let index = self.depth.checked_sub(1)?;
        let word = match (index >> 6).checked_sub(WORDS) {
            None => self.is_object.get(index >> 6)?,
            Some(deeper) => self.deeper.get(deeper)?,
        };
        Some(if word >> (index & 63) & 1 == 1 { Container::Object } else { Container::Array })
    }

    /// The number of open containers.
    pub const fn depth(&self) -> usize {
        self.depth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_close_in_reverse_order() {
        let depth = 3 * Nesting::CAPACITY;
        let mut nesting = Nesting::new(depth);
        let kind = |index: usize| if index.is_multiple_of(3) { Container::Object } else { Container::Array };
        for index in 0..depth {
            assert!(nesting.open(kind(index)));
        }
        assert!(!nesting.open(Container::Object));
        for index in (0..depth).rev() {
            assert_eq!(nesting.innermost(), Some(kind(index)));
            nesting.close();
        }
        assert_eq!(nesting.innermost(), None);
        nesting.close();
        assert!(nesting.open(Container::Array));
        assert_eq!(nesting.innermost(), Some(Container::Array));
    }

    #[test]
    fn the_limit_holds() {
        let mut nesting = Nesting::new(1);
        assert!(nesting.open(Container::Array));
        assert!(!nesting.open(Container::Array));
    }
}
