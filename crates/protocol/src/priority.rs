//! Priorities of buckets: lower numbers publish earlier.

use core::fmt;

/// The priority of a bucket, 0 (most urgent) to 3 (least urgent). Ordered by number, so the most urgent sorts first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(u8);

impl Priority {
    /// The most urgent priority.
    pub const HIGHEST: Self = Self(0);
    /// The least urgent priority.
    pub const LOWEST: Self = Self(3);
    /// The priority of a bucket that names none.
    pub const DEFAULT: Self = Self::LOWEST;
    /// Every priority, most urgent first.
    pub const ALL: [Self; 4] = [Self(0), Self(1), Self(2), Self(3)];

    /// The number, 0 to 3.
    pub const fn get(self) -> u8 {
        self.0
    }
}

impl Default for Priority {
    fn default() -> Self {
        Self::DEFAULT
    }
}

/// A number that is no priority.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriorityOutOfRange(pub i64);

impl fmt::Display for PriorityOutOfRange {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the priority {} is not in 0..=3", self.0)
    }
}

impl core::error::Error for PriorityOutOfRange {}

impl TryFrom<i64> for Priority {
    type Error = PriorityOutOfRange;

    fn try_from(number: i64) -> Result<Self, PriorityOutOfRange> {
        match u8::try_from(number) {
            Ok(small) if small <= Self::LOWEST.0 => Ok(Self(small)),
            _ => Err(PriorityOutOfRange(number)),
        }
    }
}

impl From<Priority> for i64 {
    fn from(priority: Priority) -> Self {
        Self::from(priority.0)
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_zero_to_three_are_priorities() {
        for number in 0..=3 {
            assert_eq!(Priority::try_from(number).map(i64::from), Ok(number));
        }
        for number in [-1, 4, 256, 259, i64::MAX, i64::MIN] {
            assert_eq!(Priority::try_from(number), Err(PriorityOutOfRange(number)));
        }
    }

    #[test]
    fn the_most_urgent_sorts_first() {
        assert!(Priority::HIGHEST < Priority::LOWEST);
        assert!(Priority::ALL.is_sorted());
        assert_eq!(Priority::default().get(), 3);
    }
}
