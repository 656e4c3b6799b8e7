//! Arrays, composites and ranges as JSON.

use super::literal::{self, Item};
use super::{Kind, time};

/// How values look within others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Style {
    /// Without settings: values of custom types are texts, timestamps have a blank.
    Plain,
    Structured,
}

/// Types that are made of themselves go no deeper.
const MAX_DEPTH: usize = 16;

/// Writes a value as JSON; none if the text is not as expected.
pub(super) fn write(kind: &Kind, text: &str, style: Style, json: &mut String) -> Option<()> {
    value(kind, text, style, MAX_DEPTH, json)
}

fn value(kind: &Kind, text: &str, style: Style, depth: usize, json: &mut String) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    match kind {
        Kind::Integer if text.parse::<i64>().is_ok() => json.push_str(text),
        Kind::Real => real(text, json)?,
        Kind::Boolean => json.push(if text == "t" { '1' } else { '0' }),
        Kind::Json => json.push_str(text),
        Kind::Timestamp { utc, .. } if style == Style::Plain => string(&time::blank(text, *utc), json),
        Kind::Array(element) => array(&element.kind, element.delimiter, text, style, depth, json)?,
        Kind::Domain(base) if style == Style::Structured => value(base, text, style, depth, json)?,
        Kind::Composite(columns) if style == Style::Structured => composite(columns, text, style, depth, json)?,
        Kind::Range(bound) if style == Style::Structured => range(bound, text, style, depth, json)?,
        Kind::Multirange(bound) if style == Style::Structured => multirange(bound, text, style, depth, json)?,
        Kind::Date | Kind::Time { .. } | Kind::Timestamp { .. } | Kind::Lsn => match kind.structured(text) {
            sync_config::Value::Text(text) => string(&text, json),
            _ => return None,
        },
        _ => string(text, json),
    }
    Some(())
}

fn array(kind: &Kind, delimiter: u8, text: &str, style: Style, depth: usize, json: &mut String) -> Option<()> {
    let mut is_first = true;
    literal::array(text, delimiter, |item| {
        if !is_first && !matches!(item, Item::Close) {
            json.push(',');
        }
        is_first = matches!(item, Item::Open);
        match item {
            Item::Open => json.push('['),
            Item::Close => json.push(']'),
            Item::Element(None) => json.push_str("null"),
            Item::Element(Some(text)) => value(kind, &text, style, depth, json)?,
            Item::Plain(text) => value(kind, text, style, depth, json)?,
        }
        Some(())
    })
}

fn composite(columns: &[(String, Kind)], text: &str, style: Style, depth: usize, json: &mut String) -> Option<()> {
    let inner = text.strip_prefix('(')?.strip_suffix(')')?;
    let fields = if columns.is_empty() { Vec::new() } else { literal::fields(inner)? };
    if fields.len() != columns.len() {
        return None;
    }
    json.push('{');
    for (at, ((name, kind), field)) in columns.iter().zip(&fields).enumerate() {
        if at > 0 {
            json.push(',');
        }
        string(name, json);
        json.push(':');
        optional(kind, field.as_deref(), style, depth, json)?;
    }
    json.push('}');
    Some(())
}

fn range(bound: &Kind, text: &str, style: Style, depth: usize, json: &mut String) -> Option<()> {
    if text == "empty" {
        json.push_str("\"empty\"");
        return Some(());
    }
    let lower_exclusive = text.starts_with('(');
    let upper_exclusive = text.ends_with(')');
    let inner = text.strip_prefix(['(', '['])?.strip_suffix([')', ']'])?;
    let fields = literal::fields(inner)?;
    let [lower, upper] = fields.as_slice() else { return None };
    json.push_str("{\"lower\":");
    optional(bound, lower.as_deref(), style, depth, json)?;
    json.push_str(",\"upper\":");
    optional(bound, upper.as_deref(), style, depth, json)?;
    let flag = |is: bool| if is { '1' } else { '0' };
    json.push_str(",\"lower_exclusive\":");
    json.push(flag(lower_exclusive));
    json.push_str(",\"upper_exclusive\":");
    json.push(flag(upper_exclusive));
    json.push('}');
    Some(())
}

fn multirange(bound: &Kind, text: &str, style: Style, depth: usize, json: &mut String) -> Option<()> {
    let mut rest = text.strip_prefix('{')?.strip_suffix('}')?;
    json.push('[');
    while !rest.is_empty() {
        let (first, after) = rest.split_at_checked(literal::range_end(rest)?)?;
        range(bound, first, style, depth, json)?;
        rest = match after.strip_prefix(',') {
            Some(next) => {
                json.push(',');
                next
            }
            None if after.is_empty() => after,
            None => return None,
        };
    }
    json.push(']');
    Some(())
}

fn optional(kind: &Kind, text: Option<&str>, style: Style, depth: usize, json: &mut String) -> Option<()> {
    match text {
        Some(text) => value(kind, text, style, depth, json),
        None => {
            json.push_str("null");
            Some(())
        }
    }
}

/// A number with a fraction or an exponent, so that it stays a REAL. Infinite ones are written as SQLite reads them.
fn real(text: &str, json: &mut String) -> Option<()> {
    match text {
        "NaN" => json.push_str("null"),
        "Infinity" => json.push_str("9e999"),
        "-Infinity" => json.push_str("-9e999"),
        _ if text.parse::<f64>().is_ok() => {
            json.push_str(text);
            if !text.contains(['.', 'e']) {
                json.push_str(".0");
            }
        }
        _ => return None,
    }
    Some(())
}

fn string(text: &str, json: &mut String) {
    json.push('"');
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            '\n' => json.push_str("\\n"),
            '\r' => json.push_str("\\r"),
            '\t' => json.push_str("\\t"),
            control if control < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(control))),
            other => json.push(other),
        }
    }
    json.push('"');
}
