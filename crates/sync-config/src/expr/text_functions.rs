//! The functions of texts and numbers, and the patterns of LIKE and GLOB.

use std::borrow::Cow;
use std::cmp::Ordering;

use super::eval::{EvalError, Frame};
use super::{Expr, Function, Slot, datetime, json_functions};
use crate::value::Value;

/// Calls a function.
///
/// # Errors
/// Where SQLite raises an error.
pub(crate) fn call<'a>(
    function: Function,
    args: &'a [Expr<Slot>],
    frame: &Frame<'a>,
) -> Result<Cow<'a, Value>, EvalError> {
    if function == Function::Coalesce {
        for arg in args {
            let value = arg.eval(frame)?;
            if !value.is_null() {
                return Ok(value);
            }
        }
        return Ok(Cow::Owned(Value::Null));
    }
    let mut values = Vec::with_capacity(args.len());
    for arg in args {
        values.push(arg.eval(frame)?.into_owned());
    }
    let value = match function {
        Function::JsonArray
        | Function::JsonArrayLength
        | Function::JsonExtract
        | Function::JsonKeys
        | Function::JsonObject
        | Function::JsonType
        | Function::JsonValid => json_functions::call(function, args, &values, frame)?,
        Function::Date | Function::Datetime | Function::Time | Function::Strftime | Function::Unixepoch => {
            datetime::call(function, &values)?
        }
        _ => simple(function, &values)?,
    };
    Ok(Cow::Owned(value))
}

fn simple(function: Function, values: &[Value]) -> Result<Value, EvalError> {
    let Some(first) = values.first() else { return Ok(Value::Null) };
    let text = |at: usize| values.get(at).and_then(Value::as_text);
    let mapped = |map: &dyn Fn(&str) -> String| text(0).map_or(Value::Null, |text| Value::Text(map(&text)));
    Ok(match function {
        Function::Abs => return abs(first),
        Function::Base64 => bytes(first).map_or(Value::Null, |bytes| Value::Text(base64(&bytes))),
        Function::Hex => Value::Text(hex(&bytes(first).unwrap_or_default())),
        Function::Instr => match values {
            [Value::Blob(text), Value::Blob(part)] => Value::Integer(find(text, part).map_or(0, |at| at + 1) as i64),
            _ => match (text(0), text(1)) {
                (Some(text), Some(part)) => Value::Integer(match text.find(part.as_ref()) {
                    Some(at) => text.get(..at).unwrap_or_default().chars().count() as i64 + 1,
                    None => 0,
                }),
                _ => Value::Null,
            },
        },
        Function::Length => match first {
            Value::Null => Value::Null,
            Value::Blob(bytes) => Value::Integer(bytes.len() as i64),
            other => {
                let text = other.as_text().unwrap_or_default();
                Value::Integer(text.chars().take_while(|c| *c != '\0').count() as i64)
            }
        },
        Function::Lower => mapped(&|text| text.chars().map(lower).collect()),
        Function::Upper => mapped(&|text| text.chars().map(upper).collect()),
        Function::Trim => trim(text(0), values.len() > 1, text(1), true, true),
        Function::Ltrim => trim(text(0), values.len() > 1, text(1), true, false),
        Function::Rtrim => trim(text(0), values.len() > 1, text(1), false, true),
        Function::Nullif => match values.get(1) {
            Some(second) if first.compare(second) == Some(Ordering::Equal) => Value::Null,
            _ => first.clone(),
        },
        Function::Printf => printf(values)?,
        Function::Replace => match (text(0), text(1), text(2)) {
            (Some(text), Some(part), Some(by)) if !part.is_empty() => Value::Text(text.replace(part.as_ref(), &by)),
            (Some(text), Some(_), Some(_)) => Value::Text(text.into_owned()),
            _ => Value::Null,
        },
        Function::Round => round(values),
        Function::Substring => substring(values),
        Function::Typeof => Value::text(first.type_name()),
        Function::UuidBlob => text(0).and_then(|text| uuid(&text)).map_or(Value::Null, Value::Blob),
        _ => return Err(EvalError("this function is not supported here")),
    })
}

/// Simple mapping: one character for one character.
fn lower(c: char) -> char {
    let mut mapped = c.to_lowercase();
    match (mapped.next(), mapped.next()) {
        (Some(single), None) => single,
        _ => c,
    }
}

fn upper(c: char) -> char {
    let mut mapped = c.to_uppercase();
    match (mapped.next(), mapped.next()) {
        (Some(single), None) => single,
        _ => c,
    }
}

fn abs(value: &Value) -> Result<Value, EvalError> {
    Ok(match value {
        Value::Integer(value) => Value::Integer(value.checked_abs().ok_or(EvalError("integer overflow"))?),
        Value::Null => Value::Null,
        other => match other.numeric() {
            Some(number) => Value::real(number.as_real().abs()),
            None => Value::Null,
        },
    })
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    match value {
        Value::Blob(bytes) => Some(bytes.clone()),
        other => other.as_text().map(|text| text.as_bytes().to_vec()),
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    if part.is_empty() {
        return Some(0);
    }
    text.windows(part.len()).position(|window| window == part)
}

fn hex(bytes: &[u8]) -> String {
    let digit = |value: u8| char::from_digit(u32::from(value), 16).unwrap_or('0').to_ascii_uppercase();
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for position in 0..4 {
            let index = (group >> (18 - 6 * position) & 63) as usize;
            let digit = DIGITS.get(index).copied().unwrap_or(b'=');
            out.push(if position <= chunk.len() { char::from(digit) } else { '=' });
        }
    }
    out
}

fn uuid(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> =
        text.chars().filter(|c| *c != '-').map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits.filter(|digits| digits.len() == 32)?;
    Some(digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect())
}

fn trim(text: Option<Cow<'_, str>>, given: bool, set: Option<Cow<'_, str>>, left: bool, right: bool) -> Value {
    let (Some(text), true) = (text, !given || set.is_some()) else { return Value::Null };
    let set: Vec<char> = set.as_deref().unwrap_or(" ").chars().collect();
    let inside = |c: char| set.contains(&c);
    let mut text: &str = &text;
    if left {
        text = text.trim_start_matches(inside);
    }
    if right {
        text = text.trim_end_matches(inside);
    }
    Value::text(text)
}

fn substring(values: &[Value]) -> Value {
    let (Some(value), Some(Some(from))) = (values.first(), values.get(1).map(Value::integer)) else {
        return Value::Null;
    };
    let length = match values.get(2) {
        None => i64::MAX,
        Some(length) => match length.integer() {
            Some(length) => length,
            None => return Value::Null,
        },
    };
    match value {
        Value::Null => Value::Null,
        // SQLite does not tell an empty blob from none here.
        Value::Blob(bytes) if bytes.is_empty() => Value::Null,
        Value::Blob(bytes) => {
            let (start, count) = range(from, length, bytes.len());
            Value::Blob(bytes.iter().skip(start).take(count).copied().collect())
        }
        other => {
            let text = other.as_text().unwrap_or_default();
            let (start, count) = range(from, length, text.chars().count());
            Value::Text(text.chars().skip(start).take(count).collect())
        }
    }
}

/// Start and count of `substr(…, from, length)` of `total` units, by the rules of SQLite for negative numbers.
fn range(from: i64, length: i64, total: usize) -> (usize, usize) {
    let (from, total) = (i128::from(from), total as i128);
    // Positions from 0; position 0 of SQL is the one before the first.
    let begin = match from {
        1.. => from - 1,
        0 => -1,
        _ => total + from,
    };
    let (begin, end) = match i128::from(length) {
        i128::MIN..0 => (begin + i128::from(length), begin),
        // Without a length there is no end.
        length if length == i128::from(i64::MAX) => (begin, total),
        length => (begin, begin + length),
    };
    let (begin, end) = (begin.clamp(0, total), end.clamp(0, total));
    (begin as usize, (end - begin).max(0) as usize)
}

fn round(values: &[Value]) -> Value {
    let digits = match values.get(1) {
        None => 0,
        Some(digits) => match digits.integer() {
            Some(digits) => digits.clamp(0, 30) as usize,
            None => return Value::Null,
        },
    };
    let value = match values.first().and_then(Value::numeric) {
        Some(number) => number.as_real(),
        None => return Value::Null,
    };
    // All reals from here on are integers.
    if value.abs() >= 4_503_599_627_370_496.0 {
        return Value::real(value);
    }
    // The exact decimal digits, cut, with the next one deciding.
    let exact = format!("{:.1100}", value.abs());
    let Some(dot) = exact.find('.') else { return Value::real(value) };
    let kept = exact.get(..=dot + digits).unwrap_or_default().trim_end_matches('.');
    let up = exact.as_bytes().get(dot + digits + 1).is_some_and(|digit| *digit >= b'5');
    let scaled: String = kept.chars().filter(char::is_ascii_digit).collect();
    let scaled = scaled.parse::<u128>().map(|scaled| scaled + u128::from(up)).unwrap_or(0).to_string();
    let padded = format!("{scaled:0>width$}", width = digits + 1);
    let (whole, fraction) = padded.split_at(padded.len() - digits);
    let rounded: f64 = format!("{whole}.{fraction}").parse().unwrap_or(0.0);
    Value::real(if value < 0.0 { -rounded } else { rounded })
}

/// `%d`, `%s` and `%%`, with a width, and zeros before numbers. The compiler checked the format.
fn printf(values: &[Value]) -> Result<Value, EvalError> {
    let Some(format) = values.first().and_then(Value::as_text) else { return Ok(Value::Null) };
    let mut rest = format.as_ref();
    let mut args = values.iter().skip(1);
    let mut out = String::new();
    while let Some(at) = rest.find('%') {
        out.push_str(rest.get(..at).unwrap_or_default());
        let spec = rest.get(at + 1..).unwrap_or_default();
        let digits = spec.bytes().take_while(u8::is_ascii_digit).count();
        let width_text = spec.get(..digits).unwrap_or_default();
        let width: usize = width_text.parse().unwrap_or(0);
        let kind = spec.as_bytes().get(digits).copied().unwrap_or(0);
        match kind {
            b'%' => out.push('%'),
            b'd' => {
                let number = args.next().and_then(Value::integer).unwrap_or(0);
                let width = width.min(1000);
                out.push_str(&if width_text.starts_with('0') {
                    format!("{number:0width$}")
                } else {
                    format!("{number:width$}")
                });
            }
            b's' => {
                let text = args.next().and_then(Value::as_text).unwrap_or_default().into_owned();
                out.push_str(&format!("{text:>width$}", width = width.min(1000)));
            }
            _ => return Err(EvalError("printf has a format that is not supported")),
        }
        rest = spec.get(digits + 1..).unwrap_or_default();
    }
    out.push_str(rest);
    Ok(Value::Text(out))
}

/// Whether `printf` of this crate has all that the format asks for.
pub(crate) fn printf_supported(format: &str) -> bool {
    let mut parts = format.split('%');
    parts.next();
    let mut literal = false;
    parts.all(|part| {
        if std::mem::take(&mut literal) {
            return true;
        }
        let spec = part.trim_start_matches(|c: char| c.is_ascii_digit());
        literal = part.is_empty();
        literal || spec.starts_with(['d', 's'])
    }) && !literal
}

/// SQLite's LIKE: `%` and `_`, ASCII letters without regard to case.
pub(crate) fn like(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    wildcard(&pattern, &text, '%', &|pattern, c| {
        let first = pattern.first()?;
        (*first == '_' || first.eq_ignore_ascii_case(&c)).then_some(1)
    })
}

/// SQLite's GLOB: `*`, `?` and `[…]`.
pub(crate) fn glob(pattern: &str, text: &str) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let text: Vec<char> = text.chars().collect();
    wildcard(&pattern, &text, '*', &|pattern, c| match pattern.first()? {
        '?' => Some(1),
        '[' => class(pattern, c),
        first => (*first == c).then_some(1),
    })
}

/// Matches with the usual backtracking to the last `any`; `one` gives how much of the pattern takes one character.
fn wildcard(pattern: &[char], text: &[char], any: char, one: &dyn Fn(&[char], char) -> Option<usize>) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    loop {
        if pattern.get(p) == Some(&any) {
            p += 1;
            retry = Some((p, t));
            continue;
        }
        match text.get(t) {
            None if p == pattern.len() => return true,
            None => return false,
            Some(c) => {
                if let Some(length) = pattern.get(p..).and_then(|rest| one(rest, *c)) {
                    p += length;
                    t += 1;
                    continue;
                }
            }
        }
        match &mut retry {
            Some((back, from)) => {
                *from += 1;
                (p, t) = (*back, *from);
            }
            None => return false,
        }
    }
}

/// Length of a `[…]` that takes the character.
fn class(pattern: &[char], c: char) -> Option<usize> {
    let at = |index: usize| pattern.get(index).copied();
    let mut index = 1;
    let inverted = at(index) == Some('^');
    index += usize::from(inverted);
    let first = index;
    let mut found = false;
    loop {
        let current = at(index)?;
        if current == ']' && index > first {
            break;
        }
        match (at(index + 1), at(index + 2)) {
            (Some('-'), Some(high)) if high != ']' => {
                found |= (current..=high).contains(&c);
                index += 3;
            }
            _ => {
                found |= current == c;
                index += 1;
            }
        }
    }
    (found != inverted).then_some(index + 1)
}
