//! Building SQL text and messages: quoting of identifiers, literals and JSON paths, so that any name stays a name; and
//! copying texts of any size.

use alloc::string::String;
use core::fmt::{self, Write};

use rowtide_json::writer::write_string;

use crate::error::{Error, ErrorKind, Result};

/// A copy of `text`, whose size others decide.
///
/// # Errors
/// Out of memory.
pub(crate) fn copy(text: &str) -> Result<String> {
    let mut copy = String::new();
    copy.try_reserve_exact(text.len())?;
    copy.push_str(text);
    Ok(copy)
}

/// The text of `arguments`.
///
/// # Errors
/// Out of memory.
pub(crate) fn format(arguments: fmt::Arguments<'_>) -> Result<String> {
    let mut text = String::new();
    append(&mut text, arguments)?;
    Ok(text)
}

/// Appends the text of `arguments`.
///
/// # Errors
/// Out of memory.
pub(crate) fn append(text: &mut String, arguments: fmt::Arguments<'_>) -> Result<()> {
    let mut writer = FallibleWriter { text, error: None };
    match writer.write_fmt(arguments) {
        Ok(()) => Ok(()),
        Err(fmt::Error) => {
            let fallback = || Error::new(ErrorKind::Internal, "a value could not be written as text");
            Err(writer.error.unwrap_or_else(fallback))
        }
    }
}

struct FallibleWriter<'t> {
    text: &'t mut String,
    error: Option<Error>,
}

impl Write for FallibleWriter<'_> {
    fn write_str(&mut self, part: &str) -> fmt::Result {
        match self.text.try_reserve(part.len()) {
            Ok(()) => {
                self.text.push_str(part);
                Ok(())
            }
            Err(error) => {
                self.error = Some(error.into());
                Err(fmt::Error)
            }
        }
    }
}

/// Appends `name` as a quoted SQL identifier.
pub(crate) fn push_identifier(sql: &mut String, name: &str) {
    push_quoted(sql, name, '"');
}

/// Appends `text` as an SQL string literal.
pub(crate) fn push_literal(sql: &mut String, text: &str) {
    push_quoted(sql, text, '\'');
}

/// `name` as a quoted SQL identifier.
pub(crate) fn identifier(name: &str) -> String {
    let mut sql = String::with_capacity(name.len().saturating_add(2));
    push_identifier(&mut sql, name);
    sql
}

/// Writes a name as a quoted SQL identifier.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Identifier<'n>(pub &'n str);

impl fmt::Display for Identifier<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("\"")?;
        for (index, piece) in self.0.split('"').enumerate() {
            formatter.write_str(if index > 0 { "\"\"" } else { "" })?;
            formatter.write_str(piece)?;
        }
        formatter.write_str("\"")
    }
}

/// `text` as an SQL string literal.
pub(crate) fn literal(text: &str) -> String {
    let mut sql = String::with_capacity(text.len().saturating_add(2));
    push_literal(&mut sql, text);
    sql
}

/// Makes `text` the content of `buffer`.
///
/// # Errors
/// Out of memory.
pub(crate) fn overwrite(buffer: &mut String, text: &str) -> Result<()> {
    reserve_anew(buffer, text.len())?;
    buffer.push_str(text);
    Ok(())
}

/// Empties `buffer` and makes room for `length` bytes. Its memory is kept unless it is far more than needed.
///
/// # Errors
/// Out of memory.
pub(crate) fn reserve_anew(buffer: &mut String, length: usize) -> Result<()> {
    const KEPT: usize = 64 * 1024;
    if buffer.capacity() > KEPT.max(length.saturating_mul(4)) {
        *buffer = String::new();
    }
    buffer.clear();
    Ok(buffer.try_reserve(length)?)
}

fn push_quoted(sql: &mut String, text: &str, quote: char) {
    sql.push(quote);
    for (index, piece) in text.split(quote).enumerate() {
        if index > 0 {
            sql.push(quote);
            sql.push(quote);
        }
        sql.push_str(piece);
    }
    sql.push(quote);
}

/// Appends the SQLite JSON path of the member `name` of an object, as an SQL string literal.
///
/// Names that mean themselves after `$.` stay unquoted (docs/reference/schema.md#schema-json): views of published
/// versions have them so, and must not differ from ours.
///
/// # Errors
/// Out of memory.
pub(crate) fn push_json_path(sql: &mut String, name: &str) -> Result<()> {
    let mut path = String::with_capacity(name.len().saturating_add(4));
    path.push_str("$.");
    if is_plain_member_name(name) {
        path.push_str(name);
    } else {
        write_string(&mut path, name)?;
    }
    push_literal(sql, &path);
    Ok(())
}

/// Whether every version of SQLite reads `$.name` as the member `name`.
fn is_plain_member_name(name: &str) -> bool {
    !name.is_empty()
        && !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.contains(|character: char| matches!(character, '.' | '[' | '"' | '\\') || character.is_ascii_control())
}

/// Whether the statement `sql` begins, ends or undoes a transaction or savepoint.
pub(crate) fn is_transaction_control(sql: &str) -> bool {
    const WORDS: [&str; 6] = ["BEGIN", "COMMIT", "END", "ROLLBACK", "SAVEPOINT", "RELEASE"];
    let mut rest = sql;
    loop {
        // As SQLite does, which also skips a byte order mark.
        rest = rest.trim_start_matches(|c: char| c.is_ascii_whitespace() || c == '\u{feff}');
        let comment_end = match rest.get(..2) {
            Some("--") => rest.find('\n'),
            Some("/*") => rest.as_bytes().windows(2).skip(2).position(|pair| pair == b"*/").map(|end| end + 4),
            _ => break,
        };
        rest = comment_end.and_then(|end| rest.get(end..)).unwrap_or("");
    }
    let is_part_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '$') || !c.is_ascii();
    let end = rest.find(|c: char| !is_part_of_name(c)).unwrap_or(rest.len());
    let word = rest.get(..end).unwrap_or("");
    WORDS.iter().any(|control| word.eq_ignore_ascii_case(control))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quotes_are_doubled() {
        assert_eq!(identifier("a"), r#""a""#);
        assert_eq!(identifier(r#"a"b"""#), r#""a""b""""""#);
        assert_eq!(identifier(""), r#""""#);
        assert_eq!(literal("it's"), "'it''s'");
        assert_eq!(literal("'"), "''''");
        assert_eq!(literal(r#"a"b"#), r#"'a"b'"#);
    }

    #[test]
    fn statements_about_transactions_are_recognised() {
        for sql in [
            "COMMIT",
            "commit;",
            " End TRANSACTION",
            "\u{feff}\tROLLBACK TO s",
            "-- why\nBEGIN",
            "/**/ /* a\n-- b */ -- c\n RELEASE s",
            "SAVEPOINT\"s\"",
        ] {
            assert!(is_transaction_control(sql), "{sql:?}");
        }
        for sql in [
            "",
            "INSERT OR ROLLBACK INTO t VALUES (?)",
            "-- COMMIT",
            "/* COMMIT",
            "/*/ COMMIT",
            "'COMMIT'",
            "COMMITTED",
            "endé",
            "SELECT 'x'; COMMIT",
            "é",
        ] {
            assert!(!is_transaction_control(sql), "{sql:?}");
        }
    }

    #[test]
    fn only_names_that_a_path_would_misread_are_quoted_in_it() {
        let path = |name: &str| {
            let mut sql = String::new();
            push_json_path(&mut sql, name).unwrap();
            sql
        };
        for (name, expected) in [
            ("a", "'$.a'"),
            ("owner_id", "'$.owner_id'"),
            ("a b-c]", "'$.a b-c]'"),
            ("é$", "'$.é$'"),
            ("it's", "'$.it''s'"),
            ("", r#"'$.""'"#),
            ("1a", r#"'$."1a"'"#),
            ("a.b", r#"'$."a.b"'"#),
            ("$.x", r#"'$."$.x"'"#),
            ("[a]", r#"'$."[a]"'"#),
            (r#"a"'b"#, r#"'$."a\"''b"'"#),
            (r"a\b", r#"'$."a\\b"'"#),
            ("a\nb", r#"'$."a\nb"'"#),
        ] {
            assert_eq!(path(name), expected, "{name:?}");
        }
    }
}
