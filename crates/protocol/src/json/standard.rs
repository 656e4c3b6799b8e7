//! Whether a text is JSON as every program reads it.

use super::lexer::Lexer;
use super::nesting::Nesting;
use super::syntax_error::SyntaxError;

/// Checks that `text` is one JSON value after RFC 8259, however deeply nested.
///
/// # Errors
/// What is wrong, and where. Running out of memory shows as nesting that is too deep.
pub fn check_standard(text: &str) -> Result<(), SyntaxError> {
    let mut lexer = Lexer::strict(text);
    lexer.skip_value(&mut Nesting::new(usize::MAX))?;
    lexer.expect_end()?;
    match lexer.not_finite() {
        Some(position) => Err(SyntaxError { position, reason: "expected a value" }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn only_standard_json_passes() {
        for text in ["{}", " [1, 2.5e3, null] ", "\"\\u00e9\"", "9.0e+999", "[\"NaN\", true]", "\"\\ud800\""] {
            assert_eq!(check_standard(text), Ok(()), "{text}");
        }
        for (text, message) in [
            ("", "unexpected end at byte 0"),
            (" {", "expected a member name at byte 2"),
            ("{a:1}", "expected a member name at byte 1"),
            ("{\"a\":Inf}", "expected a value at byte 5"),
            (" NaN", "expected a value at byte 1"),
            ("[1, -Infinity, NaN]", "expected a value at byte 4"),
            ("'a'", "expected a value at byte 0"),
            ("{} {}", "expected the end at byte 3"),
            ("\"\\q\"", "invalid escape in a string at byte 1"),
            ("\"a\nb\"", "control character in a string at byte 2"),
            ("{\"a\nb\":1}", "control character in a string at byte 3"),
            ("01", "leading zero in a number at byte 0"),
        ] {
            assert_eq!(check_standard(text).unwrap_err().to_string(), message, "{text}");
        }
    }

    #[test]
    fn no_nesting_is_too_deep() {
        let deep = "[{\"a\":".repeat(50_000) + "1" + &"}]".repeat(50_000);
        assert_eq!(check_standard(&deep), Ok(()));
        assert!(check_standard(&deep.replace("1}]}", "1}}}")).is_err());
    }
}
