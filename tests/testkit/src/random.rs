//! A small generator of random numbers (xorshift64*), so that a failing seed can be run again anywhere.

/// A generator; equal seeds give equal numbers, for ever.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// A generator for this seed. Neighbouring seeds have nothing in common.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    fn bits(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// A number from 0 to `limit` - 1.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.bits() >> 33) as usize % limit
    }

    /// True in `percent` of 100 cases.
    pub fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_always_gives_the_same_numbers() {
        let mut random = Random::new(1);
        let numbers = [random.below(1000), random.below(1000), random.below(1000)];
        let mut again = Random::new(1);
        assert_eq!(numbers, [again.below(1000), again.below(1000), again.below(1000)]);
        let mut other = Random::new(2);
        assert_ne!(numbers, [other.below(1000), other.below(1000), other.below(1000)]);
    }

    #[test]
    fn chances_are_about_right() {
        let mut random = Random::new(7);
        let hits = (0..10_000).filter(|_| random.chance(30)).count();
        assert!((2700..3300).contains(&hits), "{hits}");
    }
}
