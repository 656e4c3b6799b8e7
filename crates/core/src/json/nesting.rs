//! Which containers are open while a JSON text is walked without recursion.

/// The kind of a container.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Container {
    Object,
    Array,
}

const WORDS: usize = 16;

/// The open containers, outermost first: one bit for each, so that a bounded depth costs no allocation.
pub(crate) struct Nesting {
    is_object: [u64; WORDS],
    depth: usize,
    limit: usize,
}

impl Nesting {
    /// The deepest nesting that can be walked at all.
    pub(crate) const CAPACITY: usize = WORDS * 64;

    /// No open container, and room for `limit` of them (at most [`Self::CAPACITY`]).
    pub(crate) const fn new(limit: usize) -> Self {
        Self { is_object: [0; WORDS], depth: 0, limit }
    }

    /// Opens a container; `false` if that would exceed the limit.
    pub(crate) fn open(&mut self, container: Container) -> bool {
        if self.depth >= self.limit {
            return false;
        }
        let Some(word) = self.is_object.get_mut(self.depth >> 6) else { return false };
        let bit = 1_u64 << (self.depth & 63);
        match container {
            Container::Object => *word |= bit,
            Container::Array => *word &= !bit,
        }
        self.depth += 1;
        true
    }

    /// Closes the innermost container.
    pub(crate) fn close(&mut self) {
        self.depth = self.depth.saturating_sub(1);
    }

    /// The innermost open container.
    pub(crate) fn innermost(&self) -> Option<Container> {
        let index = self.depth.checked_sub(1)?;
        let word = self.is_object.get(index >> 6)?;
        Some(if word >> (index & 63) & 1 == 1 { Container::Object } else { Container::Array })
    }

    /// The number of open containers.
    pub(crate) const fn depth(&self) -> usize {
        self.depth
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn containers_close_in_reverse_order_up_to_the_capacity() {
        let mut nesting = Nesting::new(Nesting::CAPACITY);
        let kind = |index: usize| if index.is_multiple_of(3) { Container::Object } else { Container::Array };
        for index in 0..Nesting::CAPACITY {
            assert!(nesting.open(kind(index)));
        }
        assert!(!nesting.open(Container::Object));
        for index in (0..Nesting::CAPACITY).rev() {
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
