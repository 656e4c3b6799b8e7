//! JSON objects made from the columns of a row, without an intermediate JSON text: what a row is stored as, and what the
//! upload queue says about it (schema, JSON tables).
//!
//! Text stays text, also where it came from a JSON function.

use alloc::format;
use alloc::string::String;

use crate::error::{Error, Result};
use crate::json::find_quote_backslash_or_control;
use crate::json::writer::{write_integer, write_raw, write_real, write_string};

/// A column's value.
#[derive(Debug, Clone, Copy)]
pub enum RowValue<'v> {
    /// NULL
    Null,
    /// An integer.
    Integer(i64),
    /// A real, which is never NaN.
    Real(f64),
    /// Text.
    Text(&'v str),
    /// A blob, which JSON cannot hold.
    Blob,
}

/// What becomes of infinite reals.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Infinite {
    /// Written as a number that every version of SQLite reads as infinite.
    Kept,
    /// Written as null. Previous values are not worth failing for.
    AsNull,
    /// An error: they would be lost on the way to the service.
    Refused,
}

/// A JSON object with the members `names` and `values`. Names come as a JSON object without its values,
/// `{"a":,"b":}`, so that each can be copied with what is around it.
///
/// # Errors
/// An argument error for blobs, refused infinite reals, and names that do not fit the values; out of memory.
pub fn members<'v>(
    names: &str,
    values: impl ExactSizeIterator<Item = Result<RowValue<'v>>>,
    skip_null: bool,
    infinite: Infinite,
) -> Result<String> {
    let mut object = Object::new(names.len(), values.len(), infinite)?;
    let mut names = Names::new(names);
    for value in values {
        let (name, value) = (names.next()?, value?);
        if !(skip_null && matches!(value, RowValue::Null)) {
            object.add(name, value)?;
        }
    }
    names.end()?;
    object.finish()
}

/// A JSON object with those members whose values change, from the first of each pair to the second.
///
/// What became NULL is null. `1`, `1.0` and `'1'` are different.
///
/// # Errors
/// As for [`members`].
pub fn changed_members<'v>(
    names: &str,
    changes: impl ExactSizeIterator<Item = Result<(RowValue<'v>, RowValue<'v>)>>,
    infinite: Infinite,
) -> Result<String> {
    let mut object = Object::new(names.len(), changes.len(), infinite)?;
    let mut names = Names::new(names);
    for change in changes {
        let (name, (before, after)) = (names.next()?, change?);
        if !are_equal(name, before, after)? {
            object.add(name, after)?;
        }
    }
    names.end()?;
    object.finish()
}

/// Whether two values are written as equal JSON.
fn are_equal(name: Name<'_>, before: RowValue<'_>, after: RowValue<'_>) -> Result<bool> {
    match (before, after) {
        (RowValue::Null, RowValue::Null) => Ok(true),
        (RowValue::Integer(before), RowValue::Integer(after)) => Ok(before == after),
        (RowValue::Real(before), RowValue::Real(after)) => Ok(before == after),
        (RowValue::Text(before), RowValue::Text(after)) => Ok(before == after),
        (RowValue::Blob, _) | (_, RowValue::Blob) => Err(name.error(BLOB)),
        _ => Ok(false),
    }
}

const BLOB: &str = "JSON cannot hold BLOB values";

/// A JSON object under construction.
struct Object {
    json: String,
    infinite: Infinite,
}

impl Object {
    fn new(length_of_names: usize, count: usize, infinite: Infinite) -> Result<Self> {
        let mut json = String::new();
        // Room for most rows.
        json.try_reserve(length_of_names.saturating_add(count.saturating_mul(32)))?;
        Ok(Self { json, infinite })
    }

    /// Adds a member.
    fn add(&mut self, name: Name<'_>, value: RowValue<'_>) -> Result<()> {
        let json = &mut self.json;
        if json.is_empty() {
            write_raw(json, "{")?;
            write_raw(json, name.0.get(1..).unwrap_or_default())?;
        } else {
            write_raw(json, name.0)?;
        }
        match value {
            RowValue::Null => write_raw(json, "null"),
            RowValue::Integer(integer) => write_integer(json, integer),
            RowValue::Real(real) if real.is_infinite() => match self.infinite {
                Infinite::Kept => write_real(json, real),
                Infinite::AsNull => write_raw(json, "null"),
                Infinite::Refused => Err(name.error("JSON cannot hold infinite numbers")),
            },
            // Adding zero makes a negative zero a positive one, as SQLite writes it.
            RowValue::Real(real) => write_real(json, real + 0.0),
            RowValue::Text(text) => write_string(json, text),
            RowValue::Blob => Err(name.error(BLOB)),
        }
    }

    fn finish(mut self) -> Result<String> {
        let end = if self.json.is_empty() { "{}" } else { "}" };
        write_raw(&mut self.json, end)?;
        Ok(self.json)
    }
}

/// The name of a member as JSON, with the character before it and the colon after it: `,"name":`.
#[derive(Clone, Copy)]
struct Name<'n>(&'n str);

impl Name<'_> {
    /// An argument error about the column.
    fn error(self, problem: &str) -> Error {
        let name = self.0.trim_start_matches(['{', ',']).trim_end_matches(':');
        Error::argument(format!("column {name}: {problem}"))
    }
}

/// The names of a JSON object without values and white space, one after the other.
///
/// Triggers hold such text in the form that we write. Any other text is an error, and never ends in malformed JSON.
struct Names<'n> {
    rest: &'n str,
    before: u8,
}

impl<'n> Names<'n> {
    fn new(names: &'n str) -> Self {
        Self { rest: names, before: b'{' }
    }

    fn next(&mut self) -> Result<Name<'n>> {
        let bytes = self.rest.as_bytes();
        let end = if bytes.first() == Some(&self.before) { string_end(bytes, 1) } else { None };
        let end = end.filter(|end| bytes.get(*end) == Some(&b':')).ok_or_else(unexpected_names)?;
        let (name, rest) = self.rest.split_at_checked(end + 1).ok_or_else(unexpected_names)?;
        (self.rest, self.before) = (rest, b',');
        Ok(Name(name))
    }

    fn end(self) -> Result<()> {
        let is_end = self.rest == if self.before == b'{' { "{}" } else { "}" };
        if is_end { Ok(()) } else { Err(unexpected_names()) }
    }
}

fn unexpected_names() -> Error {
    Error::argument("the first argument must be as many names as there are columns, as in {\"a\":,\"b\":}")
}

/// Where the JSON string ends that begins at `start`.
fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    if bytes.get(start) != Some(&b'"') {
        return None;
    }
    let mut position = start + 1;
    loop {
        position = find_quote_backslash_or_control(bytes, position);
        match bytes.get(position)? {
            b'"' => return Some(position + 1),
            b'\\' => position += escape_length(bytes.get(position..)?)?,
            _ => return None,
        }
    }
}

/// The length of the escape that `bytes` begins with.
#[cold]
fn escape_length(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => bytes.get(2..6)?.iter().all(u8::is_ascii_hexdigit).then_some(6),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json;
    use proptest::prelude::*;
    use std::string::ToString;
    use std::vec::Vec;

    fn row(names: &str, values: &[RowValue<'_>], skip_null: bool, infinite: Infinite) -> Result<String> {
        members(names, values.iter().map(|value| Ok(*value)), skip_null, infinite)
    }

    fn patch(names: &str, changes: &[(RowValue<'_>, RowValue<'_>)]) -> Result<String> {
        changed_members(names, changes.iter().map(|change| Ok(*change)), Infinite::Refused)
    }

    use RowValue::{Blob, Integer, Null, Real, Text};

    #[test]
    fn rows_keep_order_and_nulls_and_upload_data_leaves_nulls_out() {
        let values = [Text("a\"b"), Null, Integer(-5), Real(1.0), Real(-0.0)];
        let names = r#"{"z":,"y\"":,"é":,"":,"w":}"#;
        assert_eq!(
            row(names, &values, false, Infinite::Kept).unwrap(),
            r#"{"z":"a\"b","y\"":null,"é":-5,"":1.0,"w":0.0}"#
        );
        assert_eq!(row(names, &values, true, Infinite::Kept).unwrap(), r#"{"z":"a\"b","é":-5,"":1.0,"w":0.0}"#);
        assert_eq!(row("{}", &[], false, Infinite::Kept).unwrap(), "{}");
        assert_eq!(row(r#"{"a":}"#, &[Null], true, Infinite::Kept).unwrap(), "{}");
    }

    #[test]
    fn changes_compare_as_json() {
        let names = r#"{"a":,"b":,"c":,"d":,"e":,"f":,"g":,"h":,"i":}"#;
        let changes = [
            (Integer(1), Integer(1)),
            (Integer(1), Real(1.0)),
            (Text("1"), Integer(1)),
            (Null, Null),
            (Null, Text("")),
            (Text("x"), Null),
            (Real(0.0), Real(-0.0)),
            (Text("x"), Text("x")),
            (Real(f64::INFINITY), Real(f64::INFINITY)),
        ];
        assert_eq!(patch(names, &changes).unwrap(), r#"{"b":1.0,"c":1,"e":"","f":null}"#);
    }

    #[test]
    fn blobs_are_refused_on_both_sides() {
        for result in [
            row(r#"{"a":}"#, &[Blob], true, Infinite::Kept),
            patch(r#"{"a":}"#, &[(Blob, Null)]),
            patch(r#"{"a":}"#, &[(Null, Blob)]),
            patch(r#"{"a":}"#, &[(Blob, Blob)]),
        ] {
            assert_eq!(
                result.unwrap_err().to_string(),
                r#"invalid argument: column "a": JSON cannot hold BLOB values"#
            );
        }
    }

    #[test]
    fn infinite_reals_are_kept_or_refused() {
        let values = [Real(f64::INFINITY), Real(f64::NEG_INFINITY)];
        let names = r#"{"a":,"b":}"#;
        assert_eq!(row(names, &values, false, Infinite::Kept).unwrap(), r#"{"a":9.0e+999,"b":-9.0e+999}"#);
        assert_eq!(row(names, &values, false, Infinite::AsNull).unwrap(), r#"{"a":null,"b":null}"#);
        assert!(row(names, &values, true, Infinite::Refused).is_err());
        assert!(patch(r#"{"a":}"#, &[(Null, Real(f64::INFINITY))]).is_err());
    }

    #[test]
    fn names_must_fit_and_be_json() {
        for names in [
            "",
            "{}",
            "a",
            "{a:}",
            r#"{"a":"#,
            r#"{"a":,"b":}"#,
            r#"{"a":,}"#,
            r#"{ "a":}"#,
            r#"{"a":} "#,
            r#"{"\q":}"#,
            r#"{"\u12":}"#,
            "{\"\n\":}",
            r#"{"a\":}"#,
            r#"{"a":}x"#,
            r#"{"\"#,
            r#"["a":}"#,
            r#"{"a"}"#,
            r#"{"a",}"#,
        ] {
            assert!(row(names, &[Null], false, Infinite::Kept).is_err(), "{names}");
        }
        assert!(row(r#"{"a":}"#, &[], false, Infinite::Kept).is_err());
        assert_eq!(row(r#"{"\u00e9\n\\":}"#, &[Null], false, Infinite::Kept).unwrap(), r#"{"\u00e9\n\\":null}"#);
    }

    fn value() -> impl Strategy<Value = Option<serde_json::Value>> {
        prop_oneof![
            Just(None),
            any::<i64>().prop_map(|integer| Some(integer.into())),
            (-3_i64..3).prop_map(|integer| Some(integer.into())),
            (-3_i64..3).prop_map(|integer| Some((integer as f64).into())),
            any::<f64>().prop_map(|real| Some(if real.is_finite() { real.into() } else { 0.5.into() })),
            "[a\"é\n]{0,3}".prop_map(|text| Some(text.into())),
        ]
    }

    fn as_row_value(value: &Option<serde_json::Value>) -> RowValue<'_> {
        match value {
            None => Null,
            Some(serde_json::Value::String(text)) => Text(text),
            Some(number) => match number.as_i64() {
                Some(integer) => Integer(integer),
                None => Real(number.as_f64().unwrap()),
            },
        }
    }

    proptest! {
        /// The upload data is the same as `powersync_diff` makes of the stored rows.
        #[test]
        fn changes_are_the_difference_of_the_rows(changes in proptest::collection::vec((value(), value()), 0..9)) {
            let names: Vec<String> = (0..changes.len()).map(|index| format!("\"c{index}\":")).collect();
            let names = format!("{{{}}}", names.join(","));
            let pairs: Vec<_> =
                changes.iter().map(|(before, after)| (as_row_value(before), as_row_value(after))).collect();
            let (before, after): (Vec<_>, Vec<_>) = pairs.iter().copied().unzip();
            let before = row(&names, &before, false, Infinite::Kept).unwrap();
            let after_json = row(&names, &after, false, Infinite::Kept).unwrap();
            prop_assert_eq!(patch(&names, &pairs).unwrap(), json::diff(&before, &after_json).unwrap());
            prop_assert_eq!(
                row(&names, &after, true, Infinite::Refused).unwrap(),
                json::diff("{}", &after_json).unwrap()
            );
        }
    }
}
