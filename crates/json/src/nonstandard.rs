//! Replacing what JavaScript writes into JSON texts and JSON does not have.

use alloc::string::String;

use super::scan::find_quote_or_backslash;
use super::unescape::read_escape;
use super::writer::write_raw;
use crate::error::Result;

/// `text` with `null` for bare values that are not finite, and `\ufffd` for escapes of lone surrogates.
///
/// The text must have been read by a [`Lexer`](super::Lexer) from end to end: then `N` and `I` are outside of strings
/// only as the first letters of such values.
pub fn rewrite_foreign(text: &str) -> Result<String> {
    let mut rewritten = String::new();
    rewritten.try_reserve(text.len())?;
    let mut rest = text;
    while let Some(found) = rest.find(['"', 'N', 'I']) {
        let (before, from) = rest.split_at_checked(found).unwrap_or((rest, ""));
        if let Some(after_quote) = from.strip_prefix('"') {
            write_raw(&mut rewritten, before)?;
            write_raw(&mut rewritten, "\"")?;
            rest = rewrite_string(after_quote, &mut rewritten)?;
        } else {
            let word = if from.starts_with('N') { "NaN" } else { "Infinity" };
            debug_assert!(from.starts_with(word), "the text was not read by a lexer before");
            write_raw(&mut rewritten, before.strip_suffix('-').unwrap_or(before))?;
            write_raw(&mut rewritten, "null")?;
            rest = from.strip_prefix(word).unwrap_or_default();
        }
    }
    write_raw(&mut rewritten, rest)?;
    Ok(rewritten)
}

/// Rewrites a string up to and with its closing quote, and returns what follows.
fn rewrite_string<'a>(body: &'a str, rewritten: &mut String) -> Result<&'a str> {
    let mut rest = body;
    loop {
        let found = find_quote_or_backslash(rest.as_bytes(), 0);
        let is_escape = rest.as_bytes().get(found) == Some(&b'\\');
        let (length, replacement) = if is_escape {
            let escape = read_escape(rest.as_bytes(), found)?;
            (escape.length, escape.is_lone_surrogate.then_some("\\ufffd"))
        } else {
            (1, None)
        };
        debug_assert!(rest.is_char_boundary(found + length), "the text was not read by a lexer before");
        let (kept, after) = rest.split_at_checked(found + length).unwrap_or((rest, ""));
        match replacement {
            Some(replacement) => {
                write_raw(rewritten, kept.get(..found).unwrap_or_default())?;
                write_raw(rewritten, replacement)?;
            }
            None => write_raw(rewritten, kept)?,
        }
        rest = after;
        if !is_escape {
            return Ok(rest);
        }
    }
}
