//! Values of clients as texts that PostgreSQL reads by the type of the column.
//!
//! Clients have SQLite's values: booleans are 1 and 0, and JSON, arrays, ranges and composite values are texts with JSON,
//! as the sync service sends them. Anything else is passed on as it is, and PostgreSQL says what is wrong with it.

use std::fmt::Write;

use base64::Engine;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use serde_json::value::RawValue;
use sync_config::Value;

use crate::schema::{ColumnType, TypeKind};
use crate::value::value as of_json;

/// The most arrays in arrays.
const MAX_DEPTH: usize = 6;

/// A value that has no text of its type; why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Unreadable(pub(super) &'static str);

/// The text of a value for a column; none for NULL.
pub(super) fn text_for(value: &Value, ty: &ColumnType) -> Result<Option<String>, Unreadable> {
    if value.is_null() {
        return Ok(None);
    }
    let text = match (value, &ty.kind) {
        (Value::Text(text), TypeKind::Array(element)) => array(text, element, 0)?,
        (Value::Text(text), TypeKind::Range(element)) => range(text, element)?,
        (Value::Text(text), TypeKind::Multirange(range)) => multirange(text, range)?,
        (Value::Text(text), TypeKind::Bytes) => bytes(text)?,
        (Value::Integer(number), TypeKind::Boolean) => if *number == 0 { "false" } else { "true" }.to_owned(),
        (Value::Real(number), TypeKind::Boolean) => if *number == 0.0 { "false" } else { "true" }.to_owned(),
        (Value::Real(number), TypeKind::Integer) => whole(*number).unwrap_or_else(|| real(*number)),
        (Value::Real(number), _) => real(*number),
        (Value::Blob(blob), _) => hex(blob),
        (other, _) => other.as_text().unwrap_or_default().into_owned(),
    };
    Ok(Some(text))
}

/// A real without a fraction, as clients write integers of columns that are reals for them.
fn whole(number: f64) -> Option<String> {
    let is_exact = number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0;
    is_exact.then(|| format!("{number:.0}"))
}

/// The shortest text that is the same number.
fn real(number: f64) -> String {
    if number.is_infinite() {
        return if number > 0.0 { "Infinity" } else { "-Infinity" }.to_owned();
    }
    format!("{number:?}")
}

/// Bytes are sent in base64, or in PostgreSQL's own hexadecimal form.
fn bytes(text: &str) -> Result<String, Unreadable> {
    const FORGIVING: GeneralPurposeConfig =
        GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent);
    if text.starts_with("\\x") {
        return Ok(text.to_owned());
    }
    let alphabet = if text.contains(['-', '_']) { &alphabet::URL_SAFE } else { &alphabet::STANDARD };
    let decoded = GeneralPurpose::new(alphabet, FORGIVING).decode(text);
    decoded.map(|bytes| hex(&bytes)).map_err(|_| Unreadable("bytes must be in base64, or in hexadecimal after \\x"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold("\\x".to_owned(), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// A JSON array as PostgreSQL's text of an array. A text that begins with a brace is PostgreSQL's already.
fn array(text: &str, element: &ColumnType, depth: usize) -> Result<String, Unreadable> {
    const BAD: Unreadable = Unreadable("an array must be a JSON array");
    if text.trim_start().starts_with('{') && depth == 0 {
        return Ok(text.to_owned());
    }
    if depth >= MAX_DEPTH {
        return Err(Unreadable("an array has at most six dimensions"));
    }
    let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| BAD)?;
    let is_json = matches!(element.kind, TypeKind::Json | TypeKind::Jsonb);
    let mut out = String::from("{");
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        let json = item.get();
        if json == "null" {
            out.push_str("NULL");
        } else if json.starts_with('[') && !is_json {
            out.push_str(&array(json, element, depth.saturating_add(1))?);
        } else if is_json {
            quoted(&mut out, json);
        } else {
            quoted(&mut out, &text_for(&of_json(item), element)?.unwrap_or_default());
        }
    }
    out.push('}');
    Ok(out)
}

/// The text of an array of texts.
pub(super) fn array_of(items: &[Value], element: &ColumnType) -> Result<String, Unreadable> {
    let mut out = String::from("{");
    for (index, item) in items.iter().enumerate() {
        if index > 0 {
            out.push(',');
        }
        match text_for(item, element)? {
            Some(text) => quoted(&mut out, &text),
            None => out.push_str("NULL"),
        }
    }
    out.push('}');
    Ok(out)
}

fn quoted(out: &mut String, text: &str) {
    out.push('"');
    for character in text.chars() {
        if matches!(character, '"' | '\\') {
            out.push('\\');
        }
        out.push(character);
    }
    out.push('"');
}

#[derive(serde::Deserialize)]
struct RangeJson<'a> {
    #[serde(borrow)]
    lower: Option<&'a RawValue>,
    #[serde(borrow)]
    upper: Option<&'a RawValue>,
    #[serde(default)]
    lower_exclusive: Option<&'a RawValue>,
    #[serde(default)]
    upper_exclusive: Option<&'a RawValue>,
}

/// A range as the service sends it, or as PostgreSQL writes it.
fn range(text: &str, element: &ColumnType) -> Result<String, Unreadable> {
    if !text.trim_start().starts_with('{') {
        return Ok(text.trim_matches('"').to_owned());
    }
    let range: RangeJson<'_> =
        serde_json::from_str(text).map_err(|_| Unreadable("a range must be JSON with `lower` and `upper`"))?;
    let is_set = |flag: Option<&RawValue>| flag.is_some_and(|flag| of_json(flag).truthy() == Some(true));
    let mut out = String::from(if is_set(range.lower_exclusive) { "(" } else { "[" });
    let bound = |out: &mut String, bound: Option<&RawValue>| -> Result<(), Unreadable> {
        if let Some(text) = bound.map(|bound| text_for(&of_json(bound), element)).transpose()?.flatten() {
            quoted(out, &text);
        }
        Ok(())
    };
    bound(&mut out, range.lower)?;
    out.push(',');
    bound(&mut out, range.upper)?;
    out.push(if is_set(range.upper_exclusive) { ')' } else { ']' });
    Ok(out)
}

fn multirange(text: &str, ty: &ColumnType) -> Result<String, Unreadable> {
    if !text.trim_start().starts_with('[') {
        return Ok(text.to_owned());
    }
    let TypeKind::Range(element) = &ty.kind else { return Ok(text.to_owned()) };
    let items: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| Unreadable("ranges must be a JSON array"))?;
    let items = items.into_iter().map(|item| range(&of_json(item).as_text().unwrap_or_default(), element));
    Ok(format!("{{{}}}", items.collect::<Result<Vec<_>, _>>()?.join(",")))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn of(kind: TypeKind) -> ColumnType {
        ColumnType { name: String::new(), kind }
    }

    fn arrays(kind: TypeKind) -> ColumnType {
        of(TypeKind::Array(Arc::new(of(kind))))
    }

    fn text(value: impl Into<Value>, ty: &ColumnType) -> String {
        match text_for(&value.into(), ty) {
            Ok(text) => text.unwrap_or_else(|| "NULL".into()),
            Err(error) => error.0.into(),
        }
    }

    #[test]
    fn values_become_texts_of_the_type() {
        let json = |text: &str| Value::text(text);
        for (value, ty, expected) in [
            (Value::Null, of(TypeKind::Boolean), "NULL"),
            (Value::Integer(1), of(TypeKind::Boolean), "true"),
            (Value::Integer(0), of(TypeKind::Boolean), "false"),
            (Value::Real(0.0), of(TypeKind::Boolean), "false"),
            (json("t"), of(TypeKind::Boolean), "t"),
            (Value::Real(3.0), of(TypeKind::Integer), "3"),
            (Value::Real(-0.0), of(TypeKind::Integer), "-0"),
            (Value::Real(3.5), of(TypeKind::Integer), "3.5"),
            (Value::Real(1e300), of(TypeKind::Number), "1e300"),
            (Value::Real(f64::NEG_INFINITY), of(TypeKind::Number), "-Infinity"),
            (Value::Integer(7), of(TypeKind::Text), "7"),
            (json("AAH/"), of(TypeKind::Bytes), "\\x0001ff"),
            (json("AAH_"), of(TypeKind::Bytes), "\\x0001ff"),
            (json("AA"), of(TypeKind::Bytes), "\\x00"),
            (json("\\xff"), of(TypeKind::Bytes), "\\xff"),
            (json(""), of(TypeKind::Bytes), "\\x"),
            (json("§"), of(TypeKind::Bytes), "bytes must be in base64, or in hexadecimal after \\x"),
            (json(r#"{"a": [1]}"#), of(TypeKind::Jsonb), r#"{"a": [1]}"#),
            (json("[1, null, [2, 3]]"), arrays(TypeKind::Integer), r#"{"1",NULL,{"2","3"}}"#),
            (json("[]"), arrays(TypeKind::Integer), "{}"),
            (json("{1,2}"), arrays(TypeKind::Integer), "{1,2}"),
            (json("[true, 0]"), arrays(TypeKind::Boolean), r#"{"true","false"}"#),
            (json(r#"["a\"b\\", "NULL", ""]"#), arrays(TypeKind::Text), r#"{"a\"b\\","NULL",""}"#),
            (json(r#"[[1], {"a": "b"}, "x"]"#), arrays(TypeKind::Jsonb), r#"{"[1]","{\"a\": \"b\"}","\"x\""}"#),
            (json(r#"["AAH/"]"#), arrays(TypeKind::Bytes), r#"{"\\x0001ff"}"#),
            (json("5"), arrays(TypeKind::Integer), "an array must be a JSON array"),
            (json("[[[[[[[1]]]]]]]"), arrays(TypeKind::Integer), "an array has at most six dimensions"),
        ] {
            assert_eq!(text(value.clone(), &ty), expected, "{value:?} {ty:?}");
        }
    }

    #[test]
    fn ranges_are_read_as_they_are_sent() {
        let ty = of(TypeKind::Range(Arc::new(of(TypeKind::Integer))));
        let both = r#"{"lower": 1, "upper": 5, "lower_exclusive": 0, "upper_exclusive": 1}"#;
        assert_eq!(text(Value::text(both), &ty), r#"["1","5")"#);
        assert_eq!(text(Value::text(r#"{"upper": 5, "lower_exclusive": 1}"#), &ty), r#"(,"5"]"#);
        assert_eq!(text(Value::text("empty"), &ty), "empty");
        assert_eq!(text(Value::text("[1,2)"), &ty), "[1,2)");
        let several = of(TypeKind::Multirange(Arc::new(ty)));
        assert_eq!(text(Value::text(format!("[{both}]")), &several), r#"{["1","5")}"#);
        assert_eq!(text(Value::text("{[1,2)}"), &several), "{[1,2)}");
    }

    #[test]
    fn any_text_is_read_or_refused() {
        let mut random = fastrand::Rng::with_seed(11);
        let int = || of(TypeKind::Integer);
        let types = [
            arrays(TypeKind::Text),
            arrays(TypeKind::Jsonb),
            of(TypeKind::Bytes),
            of(TypeKind::Range(Arc::new(int()))),
            of(TypeKind::Multirange(Arc::new(of(TypeKind::Range(Arc::new(int())))))),
        ];
        let letters: Vec<char> = "[]{}\"\\,:01ntulower é".chars().collect();
        for _ in 0..20_000 {
            let length = random.usize(0..16);
            let text: String = (0..length).map(|_| random.choice(&letters).copied().unwrap_or('x')).collect();
            for ty in &types {
                let _ = text_for(&Value::text(text.clone()), ty);
            }
        }
    }
}
