//! Writing JSON text, append-only.
//!
//! Reals are written with the fewest digits that read back as the same number, always with a fraction or an exponent
//! (`1.0`, `0.1`, `1e+16`), as `powersync_diff` has always done. SQLite's own `json_object` keeps only 15 digits
//! before 3.43. An infinite real, which SQLite holds for numbers like `1e400`, becomes `9.0e+999` as in current SQLite:
//! a number that every reader takes for infinite. Versions before 3.43 would write `Inf`, which nobody can read.

use alloc::string::String;
use core::fmt;

use super::scan::find_quote_backslash_or_control;
use crate::error::{Error, Result};

/// A JSON text that is being written. It keeps an error until the end, so that code that writes need not look after each
/// step: that code is most of what writing takes. Methods take the text in front of a value, such as a member's name.
#[derive(Debug, Default)]
pub struct Json {
    text: String,
    error: Option<Error>,
}

impl Json {
    /// An empty text with memory for what most calls write, so that it need not grow step by step.
    pub fn with_room() -> Self {
        let mut text = String::new();
        let error = text.try_reserve_exact(1000).err().map(Error::from);
        Self { text, error }
    }

    /// What is written up to now.
    pub fn written(&self) -> &str {
        &self.text
    }

    /// Takes away what was written behind the first `length` bytes.
    pub fn shorten(&mut self, length: usize) {
        while self.text.len() > length && self.text.pop().is_some() {}
    }

    /// Appends `text` as it is.
    pub fn raw(&mut self, text: &str) {
        if self.error.is_none() {
            self.error = write_raw(&mut self.text, text).err();
        }
    }

    /// Appends a comma, unless it is the first element or member that follows.
    pub fn comma(&mut self) {
        if !matches!(self.text.as_bytes().last(), None | Some(b'[' | b'{')) {
            self.raw(",");
        }
    }

    /// Appends `before`, and a text that is JSON.
    pub fn json(&mut self, before: &str, json: &str) {
        self.raw(before);
        self.raw(json);
    }

    /// Appends `before`, and a string; see [`write_string`].
    pub fn string(&mut self, before: &str, text: &str) {
        self.raw(before);
        if self.error.is_none() {
            self.error = write_string(&mut self.text, text).err();
        }
    }

    /// Appends `before`, and a string or `null`.
    pub fn optional_string(&mut self, before: &str, text: Option<&str>) {
        match text {
            Some(text) => self.string(before, text),
            None => self.json(before, "null"),
        }
    }

    /// Appends `before`, and an integer.
    pub fn integer(&mut self, before: &str, integer: i64) {
        self.json(before, itoa::Buffer::new().format(integer));
    }

    /// Appends `before`, and an integer or `null`.
    pub fn optional_integer(&mut self, before: &str, integer: Option<i64>) {
        match integer {
            Some(integer) => self.integer(before, integer),
            None => self.json(before, "null"),
        }
    }

    /// Appends `before`, and an integer as a string: a number in JSON loses digits above 2⁵³ in many readers.
    pub fn id(&mut self, before: &str, id: i64) {
        self.json(before, "\"");
        self.integer("", id);
        self.raw("\"");
    }

    /// Appends `before`, and `true` or `false`.
    pub fn bool(&mut self, before: &str, value: bool) {
        self.json(before, if value { "true" } else { "false" });
    }

    /// Appends a real; see [`write_real`].
    pub fn real(&mut self, real: f64) {
        format_real(real, |text| self.raw(text));
    }

    /// The text.
    ///
    /// # Errors
    /// Out of memory.
    pub fn finish(self) -> Result<String> {
        match self.error {
            Some(error) => Err(error),
            None => Ok(self.text),
        }
    }
}

/// Appends `text` as it is.
///
/// # Errors
/// Out of memory.
#[inline(never)]
pub fn write_raw(json: &mut String, text: &str) -> Result<()> {
    json.try_reserve(text.len())?;
    json.push_str(text);
    Ok(())
}

/// Appends `text` as a JSON string, with the escapes that `JSON.stringify` and SQLite use: only quotes, backslashes and
/// control characters are escaped.
///
/// # Errors
/// Out of memory.
pub fn write_string(json: &mut String, text: &str) -> Result<()> {
    json.try_reserve(text.len().saturating_add(2))?;
    json.push('"');
    let bytes = text.as_bytes();
    let mut next = find_quote_backslash_or_control(bytes, 0);
    if next == bytes.len() {
        // Most strings need no escape; there is room for them.
        json.push_str(text);
        json.push('"');
        return Ok(());
    }
    let mut written = 0;
    loop {
        debug_assert!(text.get(written..next).is_some(), "an escape within a character");
        write_raw(json, text.get(written..next).unwrap_or_default())?;
        let Some(&byte) = bytes.get(next) else { break };
        write_raw(json, escape(byte))?;
        written = next + 1;
        next = find_quote_backslash_or_control(bytes, written);
    }
    write_raw(json, "\"")
}

/// The escape of a quote, backslash or control character.
pub(crate) fn escape(byte: u8) -> &'static str {
    match byte {
        b'"' => "\\\"",
        b'\\' => "\\\\",
        b'\n' => "\\n",
        b'\r' => "\\r",
        b'\t' => "\\t",
        0x08 => "\\b",
        0x0c => "\\f",
        _ => {
            debug_assert!(byte < 0x20, "a byte that needs no escape");
            let start = usize::from(byte).saturating_mul(ESCAPE_LENGTH);
            CONTROL_ESCAPES.get(start..start.saturating_add(ESCAPE_LENGTH)).unwrap_or_default()
        }
    }
}

const ESCAPE_LENGTH: usize = 6;

/// One text, for a list of texts would be several times as long.
const CONTROL_ESCAPES: &str = "\
    \\u0000\\u0001\\u0002\\u0003\\u0004\\u0005\\u0006\\u0007\\u0008\\u0009\\u000a\\u000b\\u000c\\u000d\\u000e\\u000f\
    \\u0010\\u0011\\u0012\\u0013\\u0014\\u0015\\u0016\\u0017\\u0018\\u0019\\u001a\\u001b\\u001c\\u001d\\u001e\\u001f";

/// Appends an integer.
///
/// # Errors
/// Out of memory.
pub fn write_integer(json: &mut String, integer: i64) -> Result<()> {
    write_raw(json, itoa::Buffer::new().format(integer))
}

/// Appends a real. NaN, which SQLite cannot hold, becomes `null`.
///
/// # Errors
/// Out of memory.
pub fn write_real(json: &mut String, real: f64) -> Result<()> {
    format_real(real, |text| write_raw(json, text))
}

/// Gives `write` the text of a real; see [`write_real`].
pub(crate) fn format_real<T>(real: f64, write: impl FnOnce(&str) -> T) -> T {
    if real.is_nan() {
        return write("null");
    }
    if real.is_infinite() {
        return write(if real > 0.0 { "9.0e+999" } else { "-9.0e+999" });
    }
    write(zmij::Buffer::new().format_finite(real))
}

/// Shows a name in a message: in quotes, with control characters escaped.
pub struct Quoted<'n>(pub &'n str);

impl fmt::Display for Quoted<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = String::new();
        write_string(&mut text, self.0).map_err(|_| fmt::Error)?;
        formatter.write_str(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn string(text: &str) -> String {
        let mut json = String::new();
        write_string(&mut json, text).unwrap();
        json
    }

    fn real(real: f64) -> String {
        let mut json = String::new();
        write_real(&mut json, real).unwrap();
        json
    }

    #[test]
    fn only_what_must_be_escaped_is() {
        assert_eq!(string(""), r#""""#);
        assert_eq!(string("a/é😀\u{7f}\u{2028}"), "\"a/é😀\u{7f}\u{2028}\"");
        assert_eq!(string("\"\\\u{8}\u{c}\n\r\t\0\u{1f}"), r#""\"\\\b\f\n\r\t\u0000\u001f""#);
    }

    #[test]
    fn reals_have_the_shortest_form_with_a_fraction_or_an_exponent() {
        for (number, text) in [
            (0.0, "0.0"),
            (-0.0, "-0.0"),
            (1.0, "1.0"),
            (-1.5, "-1.5"),
            (0.1 + 0.2, "0.30000000000000004"),
            (100.0, "100.0"),
            (123456.789e3, "123456789.0"),
            (1e15, "1000000000000000.0"),
            (1234567890123456.7, "1234567890123456.8"),
            (1e16, "1e+16"),
            (12345678901234567.0, "1.2345678901234568e+16"),
            (1e300, "1e+300"),
            (1e-4, "0.0001"),
            (1e-5, "0.00001"),
            (1.5e-5, "0.000015"),
            (1e-6, "1e-6"),
            (1.5e-7, "1.5e-7"),
            (5e-324, "5e-324"),
            (-f64::MAX, "-1.7976931348623157e+308"),
            (f64::INFINITY, "9.0e+999"),
            (f64::NEG_INFINITY, "-9.0e+999"),
            (f64::NAN, "null"),
        ] {
            assert_eq!(real(number), text);
        }
    }

    #[test]
    fn values_follow_what_is_before_them() {
        let mut json = Json::with_room();
        json.raw("[");
        for id in [1, i64::MIN] {
            json.comma();
            json.id("{\"id\":", id);
            json.integer(",\"n\":", id);
            json.optional_integer(",\"o\":", None);
            json.raw("}");
        }
        let length = json.written().len();
        json.comma();
        json.bool("", true);
        json.shorten(length);
        json.comma();
        json.optional_string("", Some("\"é"));
        json.optional_string(",", None);
        json.json(",", "{}");
        json.bool(",", false);
        json.comma();
        json.real(0.5);
        json.raw("]");
        let expected = r#"[{"id":"1","n":1,"o":null},{"id":"-9223372036854775808","n":-9223372036854775808,"o":null},"\"é",null,{},false,0.5]"#;
        assert_eq!(json.finish().unwrap(), expected);
    }

    #[test]
    fn an_error_is_kept() {
        let mut json = Json { text: String::new(), error: Some(Error::invalid("no memory")) };
        json.comma();
        json.string("", "a");
        json.integer("", 1);
        assert_eq!(json.written(), "");
        assert_eq!(json.finish(), Err(Error::invalid("no memory")));
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(number in any::<f64>(), text in any::<String>()) {
            let read: serde_json::Value = serde_json::from_str(&string(&text)).unwrap();
            prop_assert_eq!(read.as_str(), Some(text.as_str()));
            if number.is_finite() {
                prop_assert_eq!(real(number).parse::<f64>().unwrap().to_bits(), number.to_bits());
            }
        }
    }

    #[test]
    fn names_in_messages_are_quoted() {
        assert_eq!(alloc::format!("{}", Quoted("a\"b\0")), r#""a\"b\u0000""#);
    }
}
