//! The values of numbers in JSON texts.

use crate::real::parse_real;

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
    use std::format;

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
    fn reals_are_correctly_rounded_whatever_their_length() {
        for (text, expected) in [
            ("0.0", 0.0),
            ("-0.0", -0.0),
            ("-0e99999999999999999999", -0.0),
            ("1e99999999999999999999", f64::INFINITY),
            ("-1e-99999999999999999999", -0.0),
            ("1.7976931348623158e308", f64::MAX),
            ("1.7976931348623159e308", f64::INFINITY),
            ("2.4703282292062327e-324", 0.0),
            ("2.4703282292062328e-324", 5e-324),
            ("2.2250738585072011e-308", 2.225_073_858_507_201e-308),
            ("6.62607015E-34", 6.626_070_15e-34),
            ("9007199254740993.0", 9_007_199_254_740_992.0),
            ("9007199254740992.99999999999999999999999999999999999", 9_007_199_254_740_992.0),
            ("9007199254740993.00000000000000000000000000000001", 9_007_199_254_740_994.0),
        ] {
            let Number::Real(real) = parse_number(text) else { panic!("{text}") };
            assert_eq!(real.to_bits(), f64::to_bits(expected), "{text}");
        }
        let zeros = "0".repeat(1000);
        for (text, expected) in [
            (format!("9007199254740993.{zeros}"), 9_007_199_254_740_992.0),
            (format!("9007199254740993.{zeros}1"), 9_007_199_254_740_994.0),
            (format!("0.{zeros}1e1001"), 1.0),
            (format!("1{zeros}e-1000"), 1.0),
            (format!("1{zeros}"), f64::INFINITY),
        ] {
            assert_eq!(parse_number(&text), Number::Real(expected), "{text}");
        }
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
