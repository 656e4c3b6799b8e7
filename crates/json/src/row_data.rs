//! Whether the data of a row can be shown to SQLite's JSON functions, and what to show them instead.

use alloc::string::String;

use crate::error::Result;
use crate::{Lexer, Nesting, STORED_NESTING_LIMIT, SyntaxError, rewrite_foreign};

/// What is published of row data that is unreadable.
pub const UNREADABLE_ROW: &str = "{}";

/// The data of a row, as far as it can be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowData<'a> {
    /// A JSON object that every supported SQLite reads.
    AsIs(&'a str),
    /// The same object with what SQLite cannot read replaced.
    Rewritten(String),
    /// Nothing that can be published, and why, without any of the data.
    Unreadable(&'static str),
}

/// What to publish of a row's `data`, so that the JSON functions of every SQLite from 3.38 on read it.
///
/// Data that is a strict RFC 8259 object is published as it is, also with numbers like `1e400`, which SQLite reads as
/// infinite. Bare `NaN`, `Infinity` and `-Infinity` are replaced by `null` (docs/reference/protocol.md#row-data), and
/// escapes of lone surrogates, of which SQLite would make text that is no UTF-8, by `\ufffd`. Everything else is
/// unreadable: no object, other syntax that only some versions take, raw control characters, deeper than 990 levels.
///
/// # Errors
/// Out of memory.
pub fn publishable(data: &str) -> Result<RowData<'_>> {
    Ok(match has_foreign(data) {
        Ok(false) => RowData::AsIs(data),
        Ok(true) => RowData::Rewritten(rewrite_foreign(data)?),
        Err(error) => RowData::Unreadable(error.reason),
    })
}

/// Whether readable data holds something to rewrite.
fn has_foreign(data: &str) -> Result<bool, SyntaxError> {
    let mut lexer = Lexer::strict(data);
    if lexer.peek() != Some(b'{') {
        return Err(lexer.error("expected a JSON object"));
    }
    lexer.skip_value(&mut Nesting::new(STORED_NESTING_LIMIT))?;
    lexer.expect_end()?;
    Ok(lexer.has_foreign())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn rewritten(data: &str) -> String {
        match publishable(data).unwrap() {
            RowData::Rewritten(text) => text,
            other => panic!("{data} is {other:?}"),
        }
    }

    #[test]
    fn strict_objects_are_published_as_they_are() {
        for data in [
            "{}",
            " {\n\t\"a\" : [ ] , \"b\" : { } } \r\n",
            r#"{"a":null,"b":true,"c":false,"d":-0,"e":1.5E-3,"f":1e400,"g":123456789012345678901234567890}"#,
            r#"{"a":"\"\\\/\b\f\n\r\t\u0000\u00e9\ud83d\ude00 é😀","a\u0020b":[[],[{}],[1,"x"]]}"#,
            r#"{"NaN":"NaN Infinity -Infinity"}"#,
            "{\"a\":\"\u{7f}\u{2028}\"}",
        ] {
            assert_eq!(publishable(data), Ok(RowData::AsIs(data)));
        }
    }

    #[test]
    fn values_that_are_not_finite_become_null() {
        assert_eq!(
            rewritten(r#"{"a":NaN,"b":[-Infinity , Infinity],"c":"NaN"}"#),
            r#"{"a":null,"b":[null , null],"c":"NaN"}"#
        );
        assert_eq!(rewritten(r#"{"NaN\"Infinity":NaN}"#), r#"{"NaN\"Infinity":null}"#);
        assert_eq!(rewritten(r#"{"\\":NaN,"é":-1}"#), r#"{"\\":null,"é":-1}"#);
    }

    #[test]
    fn lone_surrogates_are_replaced_and_pairs_kept() {
        assert_eq!(
            rewritten(r#"{"\udc00":"\ud83d\ude00\uD83D","b":"\\ud800\ud800\ud83d\ude00\u0041"}"#),
            r#"{"\ufffd":"\ud83d\ude00\ufffd","b":"\\ud800\ufffd\ud83d\ude00\u0041"}"#
        );
    }

    #[test]
    fn everything_else_is_unreadable_and_says_where() {
        for (data, position) in [
            ("", 0),
            ("[]", 0),
            ("null", 0),
            ("\"{}\"", 0),
            ("{", 1),
            ("{\"a\":1", 6),
            ("{} {}", 3),
            ("{}\0", 2),
            ("\u{feff}{}", 0),
            ("{\"a\":1,}", 7),
            ("{a:1}", 1),
            ("{'a':1}", 1),
            ("{\"a\"1}", 4),
            ("{\"a\":01}", 5),
            ("{\"a\":-01}", 6),
            ("{\"a\":+1}", 5),
            ("{\"a\":.5}", 5),
            ("{\"a\":5.}", 7),
            ("{\"a\":1e}", 7),
            ("{\"a\":-}", 6),
            ("{\"a\":0x1}", 6),
            ("{\"a\":nan}", 5),
            ("{\"a\":-NaN}", 6),
            ("{\"a\":True}", 5),
            ("{\"a\":[1}", 7),
            ("{\"a\":[1,]}", 8),
            ("{\"a\":{]}", 6),
            ("{\"a\":\"\t\"}", 6),
            ("{\"a\":\"\\x41\"}", 6),
            ("{\"a\":\"\\'\"}", 6),
            ("{\"a\":\"\\u12g4\"}", 6),
            ("{\"a\":\"", 6),
            ("{\"a\":\"\\\"}", 6),
            ("{\"a\":/**/1}", 5),
        ] {
            let error = has_foreign(data).unwrap_err();
            assert_eq!(error.position, position, "{data}: {error}");
            assert_eq!(publishable(data), Ok(RowData::Unreadable(error.reason)));
        }
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |levels: usize| format!("{{\"a\":{}{}}}", "[".repeat(levels - 1), "]".repeat(levels - 1));
        assert!(matches!(publishable(&nested(STORED_NESTING_LIMIT)), Ok(RowData::AsIs(_))));
        assert!(matches!(publishable(&nested(STORED_NESTING_LIMIT + 1)), Ok(RowData::Unreadable(_))));
        assert!(matches!(publishable(&nested(1_000_000)), Ok(RowData::Unreadable(_))));
        assert!(matches!(publishable(&"{\"a\":".repeat(100_000)), Ok(RowData::Unreadable(_))));
    }
}
