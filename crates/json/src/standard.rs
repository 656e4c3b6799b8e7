//! Whether a text is JSON as every program reads it.

use super::lexer::Lexer;
use super::lexer::SyntaxError;
use super::nesting::Nesting;

/// The deepest nesting of a value that is stored. SQLite reads 1000 levels (2000 before 3.42); the rest is for objects
/// around the value.
pub const STORED_NESTING_LIMIT: usize = 990;

/// Checks that `text` is one JSON value after RFC 8259, however deeply nested.
///
/// # Errors
/// What is wrong, and where. Running out of memory shows as nesting that is too deep.
pub fn check_standard(text: &str) -> Result<(), SyntaxError> {
    check(text, usize::MAX)
}

/// Checks that `text` is one JSON value after RFC 8259 that SQLite can still read inside another object.
///
/// # Errors
/// What is wrong, and where.
pub fn check_stored(text: &str) -> Result<(), SyntaxError> {
    check(text, STORED_NESTING_LIMIT)
}

fn check(text: &str, nesting_limit: usize) -> Result<(), SyntaxError> {
    let mut lexer = Lexer::strict(text);
    lexer.skip_value(&mut Nesting::new(nesting_limit))?;
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
    fn what_is_stored_must_not_be_nested_deeper_than_sqlite_reads() {
        let nested = |levels| "[".repeat(levels) + &"]".repeat(levels);
        assert_eq!(check_stored(&nested(STORED_NESTING_LIMIT)), Ok(()));
        let error = check_stored(&nested(STORED_NESTING_LIMIT + 1)).unwrap_err();
        assert_eq!(error.to_string(), "nesting too deep at byte 990");
        assert!(check_stored("{\"a\":NaN}").is_err());
    }

    #[test]
    fn no_nesting_is_too_deep() {
        let deep = "[{\"a\":".repeat(50_000) + "1" + &"}]".repeat(50_000);
        assert_eq!(check_standard(&deep), Ok(()));
        assert!(check_standard(&deep.replace("1}]}", "1}}}")).is_err());
    }
}
