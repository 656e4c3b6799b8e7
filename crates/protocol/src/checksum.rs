//! Checksums of operations and buckets: unsigned 32-bit numbers whose sums wrap.

use core::fmt;
use core::iter::Sum;
use core::ops::{Add, AddAssign, Sub, SubAssign};

/// A checksum of an operation or a bucket; all arithmetic is modulo 2³² (docs/reference/protocol.md#operations).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct Checksum(u32);

impl Checksum {
    /// The checksum of nothing.
    pub const ZERO: Self = Self(0);

    /// A checksum with this unsigned value.
    pub const fn new(value: u32) -> Self {
        Self(value)
    }

    /// The checksum that a line's number means: 0 to 2³²−1, or a negative 32-bit integer. `None` for anything else.
    pub fn from_wire(value: i64) -> Option<Self> {
        match u32::try_from(value) {
            Ok(unsigned) => Some(Self(unsigned)),
            Err(_) => i32::try_from(value).ok().map(|signed| Self(signed.cast_unsigned())),
        }
    }

    /// The low 32 bits of a stored sum, in whichever of the two signs it was written.
    pub const fn from_stored(value: i64) -> Self {
        Self(value as u32)
    }

    /// The value as an unsigned number.
    pub const fn get(self) -> u32 {
        self.0
    }

    /// The value as a signed number, as services write checksums of buckets.
    pub const fn as_signed(self) -> i32 {
        self.0.cast_signed()
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, formatter)
    }
}

impl From<u32> for Checksum {
    fn from(value: u32) -> Self {
        Self(value)
    }
}

impl Add for Checksum {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}

impl Sub for Checksum {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.wrapping_sub(other.0))
    }
}

impl AddAssign for Checksum {
    fn add_assign(&mut self, other: Self) {
        self.0 = self.0.wrapping_add(other.0);
    }
}

impl SubAssign for Checksum {
    fn sub_assign(&mut self, other: Self) {
        self.0 = self.0.wrapping_sub(other.0);
    }
}

impl Sum for Checksum {
    fn sum<I: Iterator<Item = Self>>(checksums: I) -> Self {
        checksums.fold(Self::ZERO, |sum, next| Self(sum.0.wrapping_add(next.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wire_numbers_of_both_signs_are_read_and_others_refused() {
        assert_eq!(Checksum::from_wire(0), Some(Checksum(0)));
        assert_eq!(Checksum::from_wire(4_294_967_295), Some(Checksum(u32::MAX)));
        assert_eq!(Checksum::from_wire(-1), Some(Checksum(u32::MAX)));
        assert_eq!(Checksum::from_wire(-2_147_483_648), Some(Checksum(0x8000_0000)));
        for refused in [4_294_967_296, -2_147_483_649, i64::MAX, i64::MIN] {
            assert_eq!(Checksum::from_wire(refused), None);
        }
    }

    #[test]
    fn sums_wrap() {
        let mut sum = Checksum(u32::MAX) + Checksum(2);
        assert_eq!(sum.get(), 1);
        sum -= Checksum(3);
        assert_eq!(sum.as_signed(), -2);
        sum += Checksum(5);
        assert_eq!(sum.get(), 3);
        assert_eq!((Checksum(0) - Checksum(1)).get(), u32::MAX);
        assert_eq!([Checksum(u32::MAX), Checksum(3), Checksum(4)].into_iter().sum::<Checksum>(), Checksum(6));
    }

    #[test]
    fn stored_sums_of_both_signs_are_the_same() {
        assert_eq!(Checksum::from_stored(-1), Checksum::from_stored(0xffff_ffff));
    }
}
