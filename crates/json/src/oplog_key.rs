//! Repairing keys of operations that old JavaScript SDKs encoded twice.

use alloc::string::String;

use super::lexer::Lexer;
use crate::error::Result;

/// The repaired form of a `key` of the form `type/id/"json string"`: its last part decoded. `None` for a key that needs
/// no repair (docs/reference/functions.md#powersync_remove_duplicate_key_encoding).
///
/// The opening quote is the last one before the closing quote that is not escaped, that is, which an even number of
/// backslashes precedes, and it must begin a part: a healthy key that merely ends in a quoted word stays as it is.
///
/// # Errors
/// Out of memory.
pub fn remove_duplicate_key_encoding(key: &str) -> Result<Option<String>> {
    let Some((prefix, encoded)) = split_encoded_part(key) else { return Ok(None) };
    let mut lexer = Lexer::strict(encoded);
    let Ok(part) = lexer.string() else { return Ok(None) };
    if lexer.expect_end().is_err() {
        return Ok(None);
    }
    let decoded = part.decode()?;
    let mut repaired = String::new();
    repaired.try_reserve_exact(prefix.len().saturating_add(decoded.len()))?;
    repaired.push_str(prefix);
    repaired.push_str(&decoded);
    Ok(Some(repaired))
}

/// Splits a key before the opening quote of its last part.
fn split_encoded_part(key: &str) -> Option<(&str, &str)> {
    let inner = key.strip_suffix('"')?;
    let mut quotes = inner.rmatch_indices('"').map(|(position, _)| position);
    let opening = quotes.find(|&position| {
        let before = inner.as_bytes().get(..position).unwrap_or_default();
        before.iter().rev().take_while(|&&byte| byte == b'\\').count().is_multiple_of(2)
    })?;
    key.split_at_checked(opening).filter(|(prefix, _)| prefix.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_encoded_last_part_is_decoded() {
        for (key, repaired) in [
            (r#"a/b/"c""#, "a/b/c"),
            (r#"a/b/"""#, "a/b/"),
            (r#"a/b/"c\"d""#, r#"a/b/c"d"#),
            (r#"a/b/"c\\""#, r"a/b/c\"),
            (r#"a/b/"a\\\"b""#, r#"a/b/a\"b"#),
            (r#"a/"b"/"c""#, r#"a/"b"/c"#),
            (r#"a"b/c/"d""#, r#"a"b/c/d"#),
            (r#"a/b/"c\u0061""#, "a/b/ca"),
            (r#"a/b\\/"c""#, r"a/b\\/c"),
            (r#"a/b/"uuid/uuid""#, "a/b/uuid/uuid"),
        ] {
            assert_eq!(remove_duplicate_key_encoding(key).unwrap().as_deref(), Some(repaired), "{key}");
        }
    }

    #[test]
    fn a_key_that_needs_no_repair_is_left_alone() {
        for key in ["", "\"", "\"\"", "a/b/c", "a/b/c\"", "a/b/\"c", "/\"", r#"a/b/"\x""#, "a/b/\"\n\"", r#"a/b/"c" "#]
        {
            assert_eq!(remove_duplicate_key_encoding(key).unwrap(), None, "{key}");
        }
        // The text before the opening quote does not end a part.
        for key in [r#"a/b/say "hi""#, r#"x"abc""#, r#"a/b/"x\\"y""#] {
            assert_eq!(remove_duplicate_key_encoding(key).unwrap(), None, "{key}");
        }
    }
}
