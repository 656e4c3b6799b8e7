//! Numbers as texts and back, by SQLite's rules.

use std::cmp::Ordering;

/// A number of arithmetic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Numeric {
    /// 64-bit integer
    Integer(i64),
    /// Real
    Real(f64),
}

impl Numeric {
    /// As a real, rounded if need be.
    pub fn as_real(self) -> f64 {
        match self {
            Numeric::Integer(value) => value as f64,
            Numeric::Real(value) => value,
        }
    }
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\x0b' | b'\x0c' | b'\r')
}

/// How long the number at the start of `text` is (after white space), and whether it is an integer.
struct Scan {
    start: usize,
    end: usize,
    integer: bool,
}

fn scan(bytes: &[u8]) -> Scan {
    let at = |index: usize| bytes.get(index).copied().unwrap_or(0);
    let digits_from = |mut index: usize| {
        while at(index).is_ascii_digit() {
            index += 1;
        }
        index
    };
    let start = bytes.iter().take_while(|byte| is_space(**byte)).count();
    let sign = usize::from(matches!(at(start), b'+' | b'-'));
    let whole = digits_from(start + sign);
    let mut end = whole;
    let mut digits = whole - start - sign;
    let mut integer = true;
    if at(end) == b'.' {
        let fraction = digits_from(end + 1);
        digits += fraction - end - 1;
        if digits > 0 {
            end = fraction;
            integer = false;
        }
    }
    if digits == 0 {
        return Scan { start, end: start, integer: true };
    }
    if matches!(at(end), b'e' | b'E') {
        let sign = usize::from(matches!(at(end + 1), b'+' | b'-'));
        let exponent = digits_from(end + 1 + sign);
        if exponent > end + 1 + sign {
            end = exponent;
            integer = false;
        }
    }
    Scan { start, end, integer }
}

fn parse(text: &str, scan: &Scan) -> Numeric {
    let digits = text.get(scan.start..scan.end).unwrap_or_default();
    if digits.is_empty() {
        return Numeric::Integer(0);
    }
    if scan.integer
        && let Ok(integer) = digits.parse()
    {
        return Numeric::Integer(integer);
    }
    // Rust does not read a trailing dot after the sign alone, which `scan` excludes.
    Numeric::Real(digits.parse().unwrap_or(0.0))
}

/// The number at the start of a text, 0 if there is none.
pub(crate) fn numeric_prefix(text: &str) -> Numeric {
    parse(text, &scan(text.as_bytes()))
}

/// The number that the whole text is, apart from white space around it.
pub(crate) fn well_formed(text: &str) -> Option<Numeric> {
    let scan = scan(text.as_bytes());
    let rest = text.as_bytes().get(scan.end..)?;
    (scan.end > scan.start && rest.iter().all(|byte| is_space(*byte))).then(|| parse(text, &scan))
}

/// The integer at the start of a text, without fraction and exponent; out of range: the nearest.
pub(crate) fn integer_prefix(text: &str) -> i64 {
    let bytes = text.as_bytes();
    let start = bytes.iter().take_while(|byte| is_space(**byte)).count();
    let negative = bytes.get(start) == Some(&b'-');
    let sign = usize::from(matches!(bytes.get(start), Some(b'+' | b'-')));
    let mut value: i128 = 0;
    for byte in bytes.iter().skip(start + sign).take_while(|byte| byte.is_ascii_digit()) {
        value = (value * 10 + i128::from(byte - b'0')).min(i128::from(u64::MAX));
    }
    let value = if negative { -value } else { value };
    i64::try_from(value).unwrap_or(if negative { i64::MIN } else { i64::MAX })
}

/// Cuts off the fraction; out of range: the nearest.
pub(crate) fn real_to_integer(value: f64) -> i64 {
    value as i64
}

/// Compares without rounding.
pub(crate) fn compare(integer: i64, real: f64) -> Ordering {
    if real >= 9_223_372_036_854_775_808.0 {
        return Ordering::Less;
    }
    if real < -9_223_372_036_854_775_808.0 {
        return Ordering::Greater;
    }
    let whole = real.trunc();
    integer.cmp(&(whole as i64)).then_with(|| whole.partial_cmp(&real).unwrap_or(Ordering::Equal))
}

/// Digits and decimal exponent of a number in scientific notation: d₁.d₂d₃… × 10^exponent.
fn scientific(text: &str) -> (String, i32) {
    let (mantissa, exponent) = text.split_once('e').unwrap_or((text, "0"));
    (mantissa.chars().filter(char::is_ascii_digit).collect(), exponent.parse().unwrap_or(0))
}

/// The digits of a positive number in SQLite: 17, unless they end in nines or zeros and fewer read as the same number.
fn sqlite_digits(value: f64) -> (String, i32) {
    let (digits, exponent) = scientific(&format!("{value:.17e}"));
    let same = |digits: &str, exponent: i32| {
        let (first, rest) = digits.split_at(1.min(digits.len()));
        format!("{first}.{rest}e{exponent}").parse() == Ok(value)
    };
    let head = digits.get(..14).unwrap_or_default();
    let tail = digits.get(13..16).unwrap_or_default();
    if tail.ends_with("99") {
        let kept = head.trim_end_matches('9');
        let rounded = if kept.is_empty() { 1 } else { kept.parse::<u64>().unwrap_or(0) + 1 }.to_string();
        let exponent = exponent + i32::from(kept.is_empty());
        if same(&rounded, exponent) {
            return (rounded, exponent);
        }
    } else if tail == "000" || exponent >= 16 {
        let kept = head.trim_end_matches('0');
        if same(kept, exponent) {
            return (kept.to_owned(), exponent);
        }
    }
    // SQLite has 18 digits and rounds the last one half up.
    let (kept, last) = digits.split_at(17.min(digits.len()));
    let rounded = kept.parse::<u64>().unwrap_or(0) + u64::from(last.starts_with(['5', '6', '7', '8', '9']));
    let rounded = rounded.to_string();
    let exponent = exponent + i32::from(rounded.len() > kept.len());
    (rounded.trim_end_matches('0').to_owned(), exponent)
}

/// The text of a real in SQLite, for instance `1.0`, `0.1`, `1.0e+21`.
pub(crate) fn format_real(value: f64) -> String {
    if value.is_infinite() {
        return if value > 0.0 { "Inf".to_owned() } else { "-Inf".to_owned() };
    }
    if value == 0.0 {
        return "0.0".to_owned();
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let (digits, exponent) = sqlite_digits(value.abs());
    if !(-4..=16).contains(&exponent) {
        let (first, rest) = digits.split_at(1.min(digits.len()));
        let rest = if rest.is_empty() { "0" } else { rest };
        let exponent_sign = if exponent < 0 { '-' } else { '+' };
        return format!("{sign}{first}.{rest}e{exponent_sign}{:02}", exponent.abs());
    }
    format!("{sign}{}", positional(&digits, exponent))
}

/// Without exponent, with at least one digit after the dot.
pub(crate) fn positional(digits: &str, exponent: i32) -> String {
    if exponent < 0 {
        let zeros = "0".repeat(exponent.unsigned_abs() as usize - 1);
        return format!("0.{zeros}{digits}");
    }
    let whole = exponent as usize + 1;
    if digits.len() <= whole {
        return format!("{digits}{}.0", "0".repeat(whole - digits.len()));
    }
    let (whole, fraction) = digits.split_at(whole);
    format!("{whole}.{fraction}")
}

/// The text of a finite real in JSON, as JavaScript has it but always with a fraction or an exponent.
pub(crate) fn json_real(value: f64) -> String {
    if value == 0.0 {
        return "0.0".to_owned();
    }
    let sign = if value < 0.0 { "-" } else { "" };
    let (digits, exponent) = scientific(&format!("{:e}", value.abs()));
    if (-6..21).contains(&exponent) {
        return format!("{sign}{}", positional(&digits, exponent));
    }
    let (first, rest) = digits.split_at(1.min(digits.len()));
    let dot = if rest.is_empty() { "" } else { "." };
    let exponent_sign = if exponent < 0 { '-' } else { '+' };
    format!("{sign}{first}{dot}{rest}e{exponent_sign}{}", exponent.abs())
}
