//! The 64-bit float nearest to a decimal number, computed exactly, with whole numbers of any size.
//!
//! The parser of the standard library is faster on long numbers, but with its tables it takes 15 kB in the library.

/// How many significant digits count. A value halfway between two floats has up to 767, so whatever follows matters only
/// if it is not zero.
const MOST_DIGITS: usize = 768;

/// With an exponent below the first or above the second, a number of [`MOST_DIGITS`] is zero or infinite.
const LEAST_EXPONENT: i32 = -1100;
const GREATEST_EXPONENT: i32 = 310;

/// [`MOST_DIGITS`] times five to the power of [`GREATEST_EXPONENT`] takes 103; nothing else takes more.
const WORDS: usize = 104;

/// The exponent of two of the smallest float, of which all others are multiples.
const LAST_BIT_EXPONENT: i32 = -1074;

/// Powers of ten up to this one are exact as floats, like integers of 53 bits.
const EXACT_POWERS: u32 = 22;

/// The float nearest to `text`, a number as JSON writes it, and the even one of two that are equally near; infinite
/// beyond what floats hold.
pub(crate) fn parse_real(text: &str) -> f64 {
    let mut digits = Whole::new();
    // The last digits, and the power of ten for as many.
    let (mut part, mut power) = (0_u32, 1_u32);
    let (mut count, mut exponent) = (0_usize, 0_i64);
    let (mut is_negative, mut is_fraction) = (false, false);
    let mut bytes = text.bytes();
    for byte in bytes.by_ref() {
        match byte {
            b'-' => is_negative = true,
            b'.' => is_fraction = true,
            b'e' | b'E' => break,
            digit => {
                let digit = digit.wrapping_sub(b'0');
                // Leading zeros do not count.
                count = count.saturating_add(usize::from(count > 0 || digit > 0));
                let is_kept = count <= MOST_DIGITS;
                if is_kept {
                    (part, power) = (part * 10 + u32::from(digit), power * 10);
                    if power == 1_000_000_000 {
                        digits.multiply(power, part);
                        (part, power) = (0, 1);
                    }
                } else {
                    digits.has_more |= digit > 0;
                }
                exponent = exponent.saturating_add(i64::from(!is_kept)).saturating_sub(i64::from(is_fraction));
            }
        }
    }
    digits.multiply(power, part);
    let (mut written, mut is_below_zero) = (0_i64, false);
    for byte in bytes {
        match byte {
            b'+' => {}
            b'-' => is_below_zero = true,
            digit => written = written.saturating_mul(10).saturating_add(digit.wrapping_sub(b'0').into()),
        }
    }
    exponent = exponent.saturating_add(if is_below_zero { written.saturating_neg() } else { written });
    let magnitude = match i32::try_from(exponent) {
        _ if digits.length == 0 => 0.0,
        Ok(exponent @ LEAST_EXPONENT..=GREATEST_EXPONENT) => nearest(digits, exponent),
        _ if exponent < 0 => 0.0,
        _ => f64::INFINITY,
    };
    if is_negative { -magnitude } else { magnitude }
}

/// The float nearest to `digits` times ten to the power of `exponent`.
fn nearest(mut digits: Whole, exponent: i32) -> f64 {
    // Five to the power of `exponent` is multiplied or divided by, and two to that power is left.
    let mut power_of_two = exponent;
    let fives = exponent.unsigned_abs();
    if let Some(integer) = digits.small()
        && fives <= EXACT_POWERS
    {
        let power = (0..fives).fold(1.0, |power, _| power * 10.0);
        return if exponent < 0 { integer / power } else { integer * power };
    }
    if exponent < 0 {
        // The quotient needs more bits than a float has. Five to the power of three has seven bits.
        while digits.bits() < fives.saturating_mul(7) / 3 + 66 {
            digits.multiply(1 << 31, 0);
            power_of_two -= 31;
        }
    }
    let mut left = fives;
    while left > 0 {
        // Five to the power of 13 is the largest one in a word.
        let step = left.min(13);
        let power = 5_u32.pow(step);
        if exponent < 0 {
            digits.divide(power);
        } else {
            digits.multiply(power, 0);
        }
        left -= step;
    }
    digits.to_float(power_of_two)
}

/// A whole number, and whether a fraction was left out.
struct Whole {
    /// The least significant one first.
    words: [u32; WORDS],
    /// How many words there are up to the last one that is not zero.
    length: usize,
    has_more: bool,
}

impl Whole {
    fn new() -> Self {
        Self { words: [0; WORDS], length: 0, has_more: false }
    }

    /// How many bits there are up to the first that is set, at least.
    fn bits(&self) -> u32 {
        (self.length as u32).saturating_sub(1) * 32
    }

    /// This number as a float, if it has no more than 53 bits.
    fn small(&self) -> Option<f64> {
        let [low, high, ..] = self.words;
        (self.length <= 2 && high < 1 << 21).then(|| f64::from(high) * 4_294_967_296.0 + f64::from(low))
    }

    fn multiply(&mut self, factor: u32, added: u32) {
        let mut carry = u64::from(added);
        for word in self.words.iter_mut().take(self.length) {
            carry += u64::from(*word) * u64::from(factor);
            *word = carry as u32;
            carry >>= 32;
        }
        if carry > 0 {
            debug_assert!(self.length < WORDS, "a number is larger than any that is needed");
            if let Some(word) = self.words.get_mut(self.length) {
                *word = carry as u32;
                self.length += 1;
            }
        }
    }

    fn divide(&mut self, divisor: u32) {
        let divisor = u64::from(divisor.max(1));
        let mut rest = 0_u64;
        for word in self.words.iter_mut().take(self.length).rev() {
            let value = rest << 32 | u64::from(*word);
            *word = (value / divisor) as u32;
            rest = value % divisor;
        }
        self.has_more |= rest > 0;
        self.length -= usize::from(self.length > 0 && self.words.get(self.length - 1) == Some(&0));
    }

    /// The float nearest to this number, which is not zero, times two to the power of `exponent`.
    fn to_float(&self, exponent: i32) -> f64 {
        // The first three words have more bits than a float. Of the others it matters whether all are zero.
        let others = self.length.saturating_sub(3);
        let exponent = exponent + 32 * others as i32;
        let (mut head, mut has_more) = (0_u128, self.has_more);
        for (index, word) in self.words.iter().take(self.length).enumerate() {
            match index.checked_sub(others) {
                Some(place) => head |= u128::from(*word) << (32 * place),
                None => has_more |= *word > 0,
            }
        }
        // The exponent of the last bit of the result: it has 53 bits or, near zero, fewer.
        let bits = 128 - head.leading_zeros() as i32;
        let last = (exponent + bits - 53).max(LAST_BIT_EXPONENT);
        let dropped = last - exponent;
        let significand = match dropped {
            ..=0 => head << -dropped,
            1..128 => {
                let (kept, half) = (head >> dropped, 1 << (dropped - 1));
                let rest = head & (half + (half - 1));
                let is_over = rest > half || rest == half && (has_more || kept & 1 == 1);
                kept + u128::from(is_over)
            }
            _ => 0,
        };
        if last > 971 {
            return f64::INFINITY;
        }
        // Adding carries from the significand into the exponent, and makes the greatest one infinite.
        f64::from_bits((((last - LAST_BIT_EXPONENT) as u64) << 52) + significand as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::format;
    use std::string::String;

    /// The standard library's parser is the reference.
    fn check(text: &str) {
        let expected: f64 = text.parse().unwrap();
        assert_eq!(parse_real(text).to_bits(), expected.to_bits(), "{text}: {} {expected}", parse_real(text));
    }

    /// All digits of the value halfway between a float and the next larger one.
    fn halfway(bits: u64) -> String {
        let (low, high) = (f64::from_bits(bits), f64::from_bits(bits + 1));
        // The last digit of the difference of two neighbours is 5, so half of it has one digit more.
        let digits = |real: f64| format!("{real:.1080}");
        let (low, high) = (digits(low), digits(high));
        let mut sum: std::vec::Vec<u8> = low.into_bytes();
        let mut carry = 0;
        for (digit, other) in sum.iter_mut().rev().zip(high.bytes().rev()) {
            if *digit != b'.' {
                let total = *digit - b'0' + (other - b'0') + carry;
                (*digit, carry) = (b'0' + total % 10, total / 10);
            }
        }
        let mut rest = carry;
        for digit in &mut sum {
            if *digit != b'.' {
                let value = rest * 10 + (*digit - b'0');
                (*digit, rest) = (b'0' + value / 2, value % 2);
            }
        }
        assert_eq!(rest, 0);
        String::from_utf8(sum).unwrap()
    }

    #[test]
    fn numbers_that_are_hard_to_round() {
        for text in [
            "9007199254740993",
            "179769313486231580793e289",
            "1.7976931348623157e308",
            "1.7976931348623158e308",
            "1.7976931348623159e308",
            "2.2250738585072011e-308",
            "2.2250738585072014e-308",
            "4.9406564584124654e-324",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "1e-400",
            "1e310",
            "1e311",
            "0e310",
            "-0",
            "6929495644600919.5",
            "3.571e266",
            "1e23",
            "8.5e22",
            "9.5e-23",
            "1448997445238699",
            "0.500000000000000166533453693773481063544750213623046875",
        ] {
            check(text);
        }
    }

    #[test]
    fn numbers_of_many_digits() {
        for length in [767, 768, 769, 770, 1000, 5000] {
            for digit in ["0", "3", "9"] {
                let digits = digit.repeat(length);
                for text in [
                    format!("1{digits}"),
                    format!("1{digits}e-{length}"),
                    format!("1.{digits}"),
                    format!("0.{digits}1"),
                    format!("0.{digits}1e{length}"),
                    format!("1{digits}1.{digits}e-{}", length * 2),
                    format!("9.{digits}e307"),
                    format!("4.{digits}1e-324"),
                ] {
                    check(&text);
                }
            }
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn every_float_is_read_from_its_shortest_text(bits in any::<u64>()) {
            let real = f64::from_bits(bits);
            if real.is_finite() {
                check(&format!("{real}"));
                check(&format!("{real:e}"));
            }
        }

        #[test]
        fn any_digits_and_exponent(digits in "[0-9]{1,25}", fraction in "[0-9]{1,25}", exponent in -370_i32..340) {
            check(&format!("{digits}.{fraction}e{exponent}"));
            check(&format!("-{digits}E+{}", exponent.abs()));
        }

        #[test]
        fn values_halfway_between_two_floats(bits in 0..f64::MAX.to_bits(), digit in "[1-9]") {
            let text = halfway(bits);
            check(&text);
            check(&format!("{text}{digit}"));
            check(&format!("{text}{}1", "0".repeat(1000)));
            check(text.trim_end_matches('0'));
            check(&format!("{}49", text.trim_end_matches('0').strip_suffix('5').unwrap_or("0.")));
        }
    }
}
