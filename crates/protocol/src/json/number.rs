//! The values of numbers in JSON texts.

use super::real::parse_real;

/// A number.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Number {
    /// Digits only, within 64 bits.
    Integer(i64),
    /// Everything else; infinite if the number exceeds what 64-bit floats hold.
    Real(f64),
}

/// The value of `text`, which is a number as JSON writes it.
pub fn parse_number(text: &str) -> Number {
    parse_integer(text).map_or_else(|| Number::Real(parse_real(text)), Number::Integer)
}

/// The integer that `text` writes, if it is one of 64 bits and nothing else.
#[inline(never)]
pub fn parse_integer(text: &str) -> Option<i64> {
    text.parse().ok()
}

/// The integer that `real` equals, if it is one of 64 bits.
pub fn whole_number(real: f64) -> Option<i64> {
    const END: f64 = 9_223_372_036_854_775_808.0;
    let truncated = real as i64;
    ((-END..END).contains(&real) && truncated as f64 == real).then_some(truncated)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_of_64_bits_stay_exact_and_others_become_real() {
        assert_eq!(parse_number("9223372036854775807"), Number::Integer(i64::MAX));
        assert_eq!(parse_number("-9223372036854775808"), Number::Integer(i64::MIN));
        assert_eq!(parse_number("9223372036854775808"), Number::Real(9_223_372_036_854_775_808.0));
        assert_eq!(parse_number("-0"), Number::Integer(0));
        assert_eq!(parse_number("1E5"), Number::Real(1e5));
        assert_eq!(parse_number("-1e400"), Number::Real(f64::NEG_INFINITY));
    }

    #[test]
    fn only_whole_reals_within_64_bits_are_integers() {
        assert_eq!(whole_number(-1.0), Some(-1));
        assert_eq!(whole_number(-0.0), Some(0));
        assert_eq!(whole_number(-9_223_372_036_854_775_808.0), Some(i64::MIN));
        for real in [0.5, 9_223_372_036_854_775_808.0, 1e300, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert_eq!(whole_number(real), None);
        }
    }
}
