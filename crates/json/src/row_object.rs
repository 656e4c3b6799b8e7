//! JSON objects made from the columns of a row, without an intermediate JSON text: what a row is stored as, and what
//! the upload queue says about it (docs/reference/schema.md#json-tables).
//!
//! Text stays text, also where it came from a JSON function.
#![deny(clippy::arithmetic_side_effects)]

use alloc::format;
use alloc::vec::Vec;

use crate::error::{Error, Result};
use crate::find_quote_backslash_or_control;
use crate::writer::{escape, format_real};

/// A column's value.
#[derive(Debug, Clone, Copy)]
pub enum RowValue<'v> {
    /// NULL
    Null,
    /// An integer.
    Integer(i64),
    /// A real, which is never NaN.
    Real(f64),
    /// The bytes of text. If they are not UTF-8, neither is the object.
    Text(&'v [u8]),
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

/// A JSON object under construction: one value or pair of values after the other, in the order of their names.
#[derive(Debug)]
pub struct RowObject<'o> {
    json: &'o mut Vec<u8>,
    names: Names<'o>,
    infinite: Infinite,
}

const BLOB: &str = "JSON cannot hold BLOB values";

impl<'o> RowObject<'o> {
    /// An object without members, which takes the place of what `json` holds.
    ///
    /// The names of the members come as a JSON object without its values, `{"a":,"b":}`, so that each can be copied
    /// with what is around it. `count` says how many values will come, to reserve memory.
    ///
    /// # Errors
    /// Out of memory.
    pub fn new(json: &'o mut Vec<u8>, names: &'o str, count: usize, infinite: Infinite) -> Result<Self> {
        json.clear();
        // Room for most rows.
        json.try_reserve(names.len().saturating_add(count.saturating_mul(32)))?;
        Ok(Self { json, names: Names { bytes: names.as_bytes(), position: 0 }, infinite })
    }

    /// Adds the next member.
    ///
    /// # Errors
    /// An argument error for a blob, a refused infinite real, or names that have come to their end; out of memory.
    pub fn add(&mut self, value: RowValue<'_>) -> Result<()> {
        let name = self.names.next()?;
        self.write(name, value)
    }

    /// Adds the next member unless its value is NULL.
    ///
    /// # Errors
    /// As for [`Self::add`].
    pub fn add_unless_null(&mut self, value: RowValue<'_>) -> Result<()> {
        let name = self.names.next()?;
        if matches!(value, RowValue::Null) { Ok(()) } else { self.write(name, value) }
    }

    /// Adds the next member, with the value `after`, if that is another than `before`.
    ///
    /// What became NULL is null. `1`, `1.0` and `'1'` are different.
    ///
    /// # Errors
    /// As for [`Self::add`]; blobs on both sides are refused.
    pub fn add_if_changed(&mut self, before: RowValue<'_>, after: RowValue<'_>) -> Result<()> {
        let name = self.names.next()?;
        if are_equal(name, before, after)? { Ok(()) } else { self.write(name, after) }
    }

    /// Completes the object: `json` now holds it, in UTF-8 if all texts were.
    ///
    /// # Errors
    /// An argument error if there are more names; out of memory.
    pub fn finish(self) -> Result<()> {
        self.names.end()?;
        let end: &[u8] = if self.json.is_empty() { b"{}" } else { b"}" };
        append(self.json, end)
    }

    fn write(&mut self, name: Name<'_>, value: RowValue<'_>) -> Result<()> {
        let json = &mut *self.json;
        json.try_reserve(name.0.len().saturating_add(1))?;
        json.push(if json.is_empty() { b'{' } else { b',' });
        json.extend_from_slice(name.0);
        match value {
            RowValue::Null => append(json, b"null"),
            RowValue::Integer(integer) => append(json, itoa::Buffer::new().format(integer).as_bytes()),
            RowValue::Real(real) if real.is_infinite() => match self.infinite {
                Infinite::Kept => format_real(real, |text| append(json, text.as_bytes())),
                Infinite::AsNull => append(json, b"null"),
                Infinite::Refused => Err(name.error("JSON cannot hold infinite numbers")),
            },
            // Adding zero makes a negative zero a positive one, as SQLite writes it.
            RowValue::Real(real) => format_real(real + 0.0, |text| append(json, text.as_bytes())),
            RowValue::Text(text) => append_string(json, text),
            RowValue::Blob => Err(name.error(BLOB)),
        }
    }
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

#[inline(never)]
fn append(json: &mut Vec<u8>, bytes: &[u8]) -> Result<()> {
    json.try_reserve(bytes.len())?;
    json.extend_from_slice(bytes);
    Ok(())
}

/// Appends `text` as a JSON string, escaped as [`write_string`](crate::writer::write_string) does.
fn append_string(json: &mut Vec<u8>, text: &[u8]) -> Result<()> {
    json.try_reserve(text.len().saturating_add(2))?;
    json.push(b'"');
    let mut rest = text;
    loop {
        let (plain, found) = rest.split_at_checked(find_quote_backslash_or_control(rest, 0)).unwrap_or((rest, &[]));
        let Some((&byte, after)) = found.split_first() else { break };
        append(json, plain)?;
        append(json, escape(byte).as_bytes())?;
        rest = after;
    }
    // Most strings need no escape; there is room for them.
    append(json, rest)?;
    append(json, b"\"")
}

/// The name of a member as JSON, with the colon after it: `"name":`.
#[derive(Clone, Copy)]
struct Name<'n>(&'n [u8]);

impl Name<'_> {
    /// An argument error about the column.
    #[cold]
    fn error(self, problem: &str) -> Error {
        debug_assert!(core::str::from_utf8(self.0).is_ok(), "a name is cut within a character");
        let name = core::str::from_utf8(self.0).unwrap_or_default().trim_end_matches(':');
        Error::invalid(format!("column {name}: {problem}"))
    }
}

/// The names of a JSON object without values and white space, one after the other.
///
/// Triggers hold such text in the form that we write. Any other text is an error, and never ends in malformed JSON.
#[derive(Debug)]
struct Names<'n> {
    bytes: &'n [u8],
    /// Of the character before the next name.
    position: usize,
}

impl<'n> Names<'n> {
    fn next(&mut self) -> Result<Name<'n>> {
        let start = self.position.saturating_add(1);
        let before = if self.position == 0 { b'{' } else { b',' };
        let is_expected = self.bytes.get(self.position) == Some(&before) && self.bytes.get(start) == Some(&b'"');
        let end = if is_expected { string_end(self.bytes, start) } else { None };
        let end = end.filter(|end| self.bytes.get(*end) == Some(&b':')).ok_or_else(unexpected_names)?;
        self.position = end.saturating_add(1);
        debug_assert!(start < self.position, "a name ends before it begins");
        Ok(Name(self.bytes.get(start..self.position).unwrap_or_default()))
    }

    fn end(self) -> Result<()> {
        let rest = self.bytes.get(self.position..);
        let expected: &[u8] = if self.position == 0 { b"{}" } else { b"}" };
        if rest == Some(expected) { Ok(()) } else { Err(unexpected_names()) }
    }
}

#[cold]
fn unexpected_names() -> Error {
    Error::invalid("the first argument must be as many names as there are columns, as in {\"a\":,\"b\":}")
}

/// Where the JSON string ends whose opening quote is at `start`.
fn string_end(bytes: &[u8], start: usize) -> Option<usize> {
    let mut position = start.checked_add(1)?;
    loop {
        position = find_quote_backslash_or_control(bytes, position);
        match bytes.get(position)? {
            b'"' => return position.checked_add(1),
            b'\\' => position = position.checked_add(escape_length(bytes.get(position..)?)?)?,
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

    use proptest::prelude::*;
    use std::string::{String, ToString};
    use std::vec::Vec;

    fn object(names: &str, infinite: Infinite, fill: impl FnOnce(&mut RowObject<'_>) -> Result<()>) -> Result<String> {
        // What was there before does not matter.
        let mut json = b"old".to_vec();
        let mut object = RowObject::new(&mut json, names, 0, infinite)?;
        fill(&mut object)?;
        object.finish()?;
        Ok(String::from_utf8(json).unwrap())
    }

    fn row(names: &str, values: &[RowValue<'_>], skip_null: bool, infinite: Infinite) -> Result<String> {
        let add = |object: &mut RowObject<'_>, value| {
            if skip_null { object.add_unless_null(value) } else { object.add(value) }
        };
        object(names, infinite, |object| values.iter().try_for_each(|value| add(object, *value)))
    }

    fn patch(names: &str, changes: &[(RowValue<'_>, RowValue<'_>)]) -> Result<String> {
        let add = |object: &mut RowObject<'_>| {
            changes.iter().try_for_each(|(before, after)| object.add_if_changed(*before, *after))
        };
        object(names, Infinite::Refused, add)
    }

    use RowValue::{Blob, Integer, Null, Real};

    #[allow(non_snake_case, reason = "stands for the variant")]
    fn Text(text: &str) -> RowValue<'_> {
        RowValue::Text(text.as_bytes())
    }

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
            assert_eq!(result.unwrap_err().to_string(), r#"column "a": JSON cannot hold BLOB values"#);
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
            prop_assert_eq!(patch(&names, &pairs).unwrap(), crate::diff(&before, &after_json).unwrap());
            prop_assert_eq!(
                row(&names, &after, true, Infinite::Refused).unwrap(),
                crate::diff("{}", &after_json).unwrap()
            );
        }
    }
}
