//! The floating-point number that a JSON text means, correctly rounded.
//!
//! The standard library's parser is faster for numbers of more than 15 digits, but with its tables it would be a
//! twentieth of the whole library. Here exact integers do the work: of 64 bits where that is enough, of 128 bits for
//! all other numbers of common size, and of any size for the rest.

use alloc::vec::Vec;
use core::cmp::Ordering;

/// Up to this power, powers of ten are exact.
const EXACT_POWER: u32 = 22;

/// The largest power of five in 64 bits.
const LARGEST_POWER_OF_FIVE: u32 = 27;

/// No number has more significant digits than these, but for whether anything follows.
const DIGITS: usize = 800;

/// `text`, which is a number as JSON writes it; infinite beyond what 64-bit floats hold.
pub(super) fn parse_real(text: &str) -> f64 {
    let decimal = Decimal::read(text);
    let magnitude = decimal.magnitude(text);
    if decimal.is_negative { -magnitude } else { magnitude }
}

/// A number's parts.
struct Decimal {
    is_negative: bool,
    /// The first 19 significant digits.
    digits: u64,
    /// Whether digits that are not zero follow.
    is_longer: bool,
    /// The power of ten by which the first 19 digits have to be multiplied.
    exponent: i64,
}

/// How many significant digits fit 64 bits.
const SHORT: u64 = 1_000_000_000_000_000_000;

impl Decimal {
    fn read(text: &str) -> Self {
        let mut decimal = Self { is_negative: text.starts_with('-'), digits: 0, is_longer: false, exponent: 0 };
        let (number, exponent) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
        let mut is_fraction = false;
        for byte in number.bytes() {
            match byte {
                b'0'..=b'9' if decimal.digits < SHORT => {
                    decimal.digits = decimal.digits * 10 + u64::from(byte - b'0');
                    decimal.exponent -= i64::from(is_fraction);
                }
                b'0'..=b'9' => {
                    decimal.is_longer |= byte != b'0';
                    decimal.exponent += i64::from(!is_fraction);
                }
                b'.' => is_fraction = true,
                _ => {}
            }
        }
        // The text of an exponent is at fault only if it exceeds 64 bits.
        let beyond = if exponent.starts_with('-') { i64::MIN } else { i64::MAX };
        decimal.exponent = decimal.exponent.saturating_add(exponent.parse().unwrap_or(beyond));
        decimal
    }

    fn magnitude(&self, text: &str) -> f64 {
        match self.exponent {
            _ if self.digits == 0 => return 0.0,
            310.. => return f64::INFINITY,
            ..-345 => return 0.0,
            _ => {}
        }
        let power = self.exponent.unsigned_abs() as u32;
        if !self.is_longer && power <= EXACT_POWER && self.digits >> f64::MANTISSA_DIGITS == 0 {
            let power = (0..power).fold(1.0, |power, _| power * 10.0);
            let digits = self.digits as f64;
            return if self.exponent < 0 { digits / power } else { digits * power };
        }
        if !self.is_longer && power <= LARGEST_POWER_OF_FIVE {
            return self.with_128_bits(power);
        }
        with_any_size(text, self.exponent)
    }

    /// The number by arithmetic of 128 bits; `power` is the exponent without its sign.
    fn with_128_bits(&self, power: u32) -> f64 {
        let five = 5_u64.pow(power);
        if self.exponent >= 0 {
            return round(u128::from(self.digits) * u128::from(five), false, self.exponent);
        }
        let (mut quotient, mut rest) = (u128::from(self.digits / five), self.digits % five);
        let (step, mut shift) = (five.leading_zeros(), 0);
        // As many more bits at once as there is room for, until there are enough.
        while rest != 0 && quotient >> 64 == 0 {
            rest <<= step;
            quotient = quotient << step | u128::from(rest / five);
            rest %= five;
            shift += i64::from(step);
        }
        round(quotient, rest != 0, self.exponent - shift)
    }
}

/// `bits` × 2 to the power of `exponent`, rounded to the nearest float, to the even one of two. `is_more` adds
/// something less than one bit.
fn round(bits: u128, is_more: bool, exponent: i64) -> f64 {
    let length = i64::from(u128::BITS - bits.leading_zeros());
    // What a float has no room for; small numbers have fewer bits.
    let excess = (length - i64::from(f64::MANTISSA_DIGITS)).max(-1074 - exponent).clamp(0, 127);
    let mut kept = bits >> excess;
    let (rest, half) = (bits & ((1 << excess) - 1), (1 << excess) >> 1);
    let is_up = match rest.cmp(&half) {
        _ if excess == 0 => false,
        Ordering::Less => false,
        Ordering::Equal => is_more || kept & 1 == 1,
        Ordering::Greater => true,
    };
    kept += u128::from(is_up);
    scale(kept as f64, exponent + excess)
}

/// `number`, which is whole, × 2 to the power of `exponent`.
fn scale(number: f64, exponent: i64) -> f64 {
    match exponent {
        972.. => f64::INFINITY,
        -1022..972 => number * f64::from_bits(((exponent + 1023) as u64) << 52),
        -1074..-1022 => number * f64::from_bits(1 << (exponent + 1074)),
        ..-1074 => 0.0,
    }
}

/// The number by arithmetic of any size. `exponent` belongs to the first 19 significant digits.
#[cold]
fn with_any_size(text: &str, exponent: i64) -> f64 {
    let (number, _) = text.split_once(['e', 'E']).unwrap_or((text, ""));
    let significant = number.bytes().filter(u8::is_ascii_digit).skip_while(|digit| *digit == b'0');
    let mut dividend = Large(Vec::new());
    let (mut length, mut is_longer) = (0, false);
    for digit in significant {
        if length < DIGITS {
            dividend.multiply_add(10, u32::from(digit - b'0'));
            length += 1;
        } else {
            is_longer |= digit != b'0';
        }
    }
    if is_longer {
        // Something beyond all digits that can decide.
        dividend.multiply_add(10, 1);
        length += 1;
    }
    let power = exponent + 19.min(length as i64) - length as i64;
    let mut divisor = Large(Vec::from([1]));
    if power < 0 { &mut divisor } else { &mut dividend }.multiply_by_power_of_five(power.unsigned_abs());
    // Both as long as each other, so that the first bit of the quotient tells which is larger.
    let shift = divisor.bits() - dividend.bits();
    if shift > 0 { &mut dividend } else { &mut divisor }.shift(shift.unsigned_abs());
    const QUOTIENT_BITS: i64 = 64;
    let mut quotient = 0_u128;
    for _ in 0..=QUOTIENT_BITS {
        let is_one = dividend.subtract_if_not_less(&divisor);
        quotient = quotient << 1 | u128::from(is_one);
        dividend.multiply_add(2, 0);
    }
    round(quotient, !dividend.0.is_empty(), power - shift - QUOTIENT_BITS)
}

/// A whole number of any size: digits to the base 2³², the last one first, and no zeros at the end.
struct Large(Vec<u32>);

impl Large {
    /// This number × `factor` + `addend`.
    fn multiply_add(&mut self, factor: u32, addend: u32) {
        let mut carry = u64::from(addend);
        for digit in &mut self.0 {
            carry += u64::from(*digit) * u64::from(factor);
            *digit = carry as u32;
            carry >>= 32;
        }
        if carry != 0 {
            self.0.push(carry as u32);
        }
    }

    fn multiply_by_power_of_five(&mut self, power: u64) {
        const STEP: u32 = 13;
        for _ in 0..power / u64::from(STEP) {
            self.multiply_add(5_u32.pow(STEP), 0);
        }
        self.multiply_add(5_u32.pow(power as u32 % STEP), 0);
    }

    /// This number × 2 to the power of `bits`.
    fn shift(&mut self, bits: u64) {
        for _ in 0..bits / 16 {
            self.multiply_add(1 << 16, 0);
        }
        self.multiply_add(1 << (bits % 16), 0);
    }

    /// The number of bits without leading zeros.
    fn bits(&self) -> i64 {
        let leading_zeros = self.0.last().map_or(0, |digit| digit.leading_zeros());
        self.0.len() as i64 * 32 - i64::from(leading_zeros)
    }

    /// Subtracts `other` and returns `true`, unless it is more.
    fn subtract_if_not_less(&mut self, other: &Self) -> bool {
        let order = self.0.len().cmp(&other.0.len()).then_with(|| self.0.iter().rev().cmp(other.0.iter().rev()));
        if order.is_lt() {
            return false;
        }
        let mut borrow = false;
        for (index, digit) in self.0.iter_mut().enumerate() {
            let subtrahend = other.0.get(index).copied().unwrap_or(0);
            let (difference, is_less) = digit.overflowing_sub(subtrahend);
            let (difference, is_less_still) = difference.overflowing_sub(u32::from(borrow));
            *digit = difference;
            borrow = is_less || is_less_still;
        }
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::format;
    use std::string::ToString;

    #[track_caller]
    fn check(text: &str) {
        let expected: f64 = text.parse().unwrap();
        assert_eq!(parse_real(text).to_bits(), expected.to_bits(), "{text}: {} {expected}", parse_real(text));
    }

    #[test]
    fn special_numbers_are_exact() {
        for text in [
            "0",
            "-0",
            "0.0",
            "-0e99999999999999999999",
            "1",
            "-1.5",
            "0.1",
            "100",
            "9007199254740993",
            "1e22",
            "1e23",
            "123456789012345678",
            "12345678901234567890",
            "1e308",
            "1.7976931348623157e308",
            "1.7976931348623158e308",
            "1.7976931348623159e308",
            "1e309",
            "-1e400",
            "1e99999999999999999999",
            "-1e-99999999999999999999",
            "4.9e-324",
            "5e-324",
            "2.4703282292062327e-324",
            "2.4703282292062328e-324",
            "1e-324",
            "1e-400",
            "2.2250738585072011e-308",
            "2.2250738585072014e-308",
            "2.225073858507201136e-308",
            "0.30000000000000004",
            "6.02214076e23",
            "6.62607015E-34",
            "52.520006599999996",
            "1.0000000000000000000000000000000000000000001",
            "9007199254740992.99999999999999999999999999999999999",
            "9007199254740993.00000000000000000000000000000001",
            "0.000000000000000000000000000000000000000000000000000000000000000001234567890123456789012345678901234",
            "8.5e-45",
            "1.1754943508222875e-38",
            "3.4028235677973366e38",
        ] {
            check(text);
        }
    }

    #[test]
    fn long_texts_are_exact() {
        let halfway = format!("{:.1074}", f64::from_bits(1));
        // Half of the smallest number, exactly, a little less and a little more.
        let half = format!("2.4703282292062327208299{}", "0".repeat(10));
        for text in [
            halfway.clone(),
            halfway.clone() + "1",
            half,
            "1".repeat(400),
            "1".repeat(310),
            format!("0.{}1", "0".repeat(400)),
            format!("{}.{}", "9".repeat(300), "9".repeat(900)),
            format!("{}e-1000", "123456789".repeat(120)),
            format!("0.{}{}e900", "0".repeat(900), "987654321".repeat(100)),
            format!("9007199254740993{}", "0".repeat(280)),
            format!("9007199254740993{}1", "0".repeat(280)),
            format!("9007199254740993.{}1", "0".repeat(1000)),
            format!("9007199254740993.{}", "0".repeat(1000)),
        ] {
            check(&text);
        }
    }

    proptest! {
        #[test]
        fn texts_of_floats_are_read_back(bits in any::<u64>()) {
            let real = f64::from_bits(bits);
            if real.is_finite() {
                check(&real.to_string());
                check(&format!("{real:e}"));
                check(&format!("{real:.25e}"));
                check(&format!("{real:.3e}"));
            }
        }

        #[test]
        fn everyday_numbers_are_exact(digits in any::<u64>(), length in 1_u32..20, exponent in -30_i32..30) {
            let digits = digits % 10_u64.saturating_pow(length);
            check(&format!("{digits}e{exponent}"));
            check(&format!("{}.{digits}", digits % 1000));
        }

        #[test]
        fn any_text_is_read_as_the_standard_library_reads_it(
            whole in "(0|[1-9][0-9]{0,40})", fraction in "(|\\.[0-9]{1,60})", exponent in "(|[eE][+-]?[0-9]{1,3})", sign in "-?",
        ) {
            check(&(sign + &whole + &fraction + &exponent));
        }

        #[test]
        fn numbers_halfway_between_floats_go_to_the_even_one(mantissa in 1_u64 << 52..1 << 53, shift in 0_u32..70, power in 0_u32..20) {
            let halfway = (u128::from(mantissa) * 2 + 1) << shift;
            let scaled = (u128::from(mantissa) * 2 + 1) * 5_u128.pow(power);
            for text in [
                halfway.to_string(),
                (halfway - 1).to_string(),
                (halfway + 1).to_string(),
                format!("{halfway}.{}1", "0".repeat(30)),
                format!("{scaled}e-{power}"),
                format!("{scaled}{}1e-{}", "0".repeat(25), power + 26),
                format!("{scaled}e-{}", power + 300),
            ] {
                check(&text);
            }
        }
    }
}
