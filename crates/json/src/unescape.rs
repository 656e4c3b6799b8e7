//! The escapes of JSON strings.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::lexer::SyntaxError;
use super::scan::{STEP, quote_or_backslash};
use crate::error::Result;

/// One escape of a string.
pub(super) struct Escape {
    /// What it means; U+FFFD for a surrogate without its other half.
    pub character: char,
    /// How many bytes it has in the text; 12 for a surrogate pair.
    pub length: usize,
    /// Whether it is a surrogate without its other half.
    pub is_lone_surrogate: bool,
}

impl Escape {
    const fn simple(character: char) -> Self {
        Self { character, length: 2, is_lone_surrogate: false }
    }
}

/// Reads the escape whose backslash is at `position`.
pub(super) fn read_escape(bytes: &[u8], position: usize) -> Result<Escape, SyntaxError> {
    let simple = match bytes.get(position + 1) {
        Some(&byte @ (b'"' | b'\\' | b'/')) => char::from(byte),
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(b'u') => return read_unicode_escape(bytes, position),
        _ => return Err(SyntaxError { position, reason: "invalid escape in a string" }),
    };
    Ok(Escape::simple(simple))
}

#[cold]
fn read_unicode_escape(bytes: &[u8], position: usize) -> Result<Escape, SyntaxError> {
    let Some(unit) = hexadecimal(bytes, position + 2) else {
        return Err(SyntaxError { position, reason: "invalid \\u escape in a string" });
    };
    if let Some(character) = char::from_u32(unit) {
        return Ok(Escape { character, length: 6, is_lone_surrogate: false });
    }
    if unit < 0xdc00
        && bytes.get(position + 6) == Some(&b'\\')
        && bytes.get(position + 7) == Some(&b'u')
        && let Some(low @ 0xdc00..=0xdfff) = hexadecimal(bytes, position + 8)
        && let Some(character) = char::from_u32(0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00))
    {
        return Ok(Escape { character, length: 12, is_lone_surrogate: false });
    }
    Ok(Escape { character: char::REPLACEMENT_CHARACTER, length: 6, is_lone_surrogate: true })
}

/// The number that the four hexadecimal digits at `position` write.
fn hexadecimal(bytes: &[u8], position: usize) -> Option<u32> {
    let digits = bytes.get(position..)?.first_chunk::<4>()?;
    digits.iter().try_fold(0, |number, &digit| Some(number << 4 | char::from(digit).to_digit(16)?))
}

/// What [`unescape_into`] did.
pub(super) struct Unescaped {
    /// Where it stopped: at the closing quote or the end of the text.
    pub end: usize,
    /// How many bytes it wrote: never more than it read.
    pub written: usize,
}

/// Unescapes the string whose first byte after the opening quote is at `from`, into `buffer`, in one pass.
pub(super) fn unescape_into(bytes: &[u8], from: usize, buffer: &mut [u8]) -> Result<Unescaped, SyntaxError> {
    let mut end = from;
    let mut written = 0;
    loop {
        // Copies whole words and takes back what is behind a quote or backslash.
        while let Some(source) = bytes.get(end..).and_then(|rest| rest.first_chunk::<STEP>())
            && let Some(target) = buffer.get_mut(written..).and_then(|rest| rest.first_chunk_mut::<STEP>())
        {
            *target = *source;
            let length = quote_or_backslash(*source);
            let copied = length.unwrap_or(STEP);
            end += copied;
            written += copied;
            if length.is_some() {
                break;
            }
        }
        let target = buffer.get_mut(written);
        match (bytes.get(end), target) {
            (None | Some(b'"'), _) => return Ok(Unescaped { end, written }),
            (Some(b'\\'), target) => {
                // Row data is JSON inside of a string: nearly all of its escapes are quotes.
                if bytes.get(end + 1) == Some(&b'"')
                    && let Some(target) = target
                {
                    *target = b'"';
                    end += 2;
                    written += 1;
                } else {
                    let escape = read_escape(bytes, end)?;
                    debug_assert!(written <= buffer.len(), "more was written than there is room for");
                    let free = buffer.get_mut(written..).unwrap_or_default();
                    written += write_character(escape.character, free)
                        .ok_or(SyntaxError { position: end, reason: TOO_SMALL })?;
                    end += escape.length;
                }
            }
            (Some(&byte), Some(target)) => {
                *target = byte;
                end += 1;
                written += 1;
            }
            (Some(_), None) => return Err(SyntaxError { position: end, reason: TOO_SMALL }),
        }
    }
}

const TOO_SMALL: &str = "a string is longer than the memory set aside for it";

/// Writes `character` to the beginning of `buffer` and returns its length.
fn write_character(character: char, buffer: &mut [u8]) -> Option<usize> {
    let mut encoded = [0; 4];
    let encoded = character.encode_utf8(&mut encoded).as_bytes();
    buffer.get_mut(..encoded.len())?.copy_from_slice(encoded);
    Some(encoded.len())
}

/// A string as it is in a text, between its quotes.
#[derive(Debug, Clone, Copy)]
pub struct RawString<'a> {
    pub(super) body: &'a str,
    pub(super) is_escaped: bool,
}

impl<'a> RawString<'a> {
    /// The string that is meant.
    ///
    /// # Errors
    /// An invalid escape; out of memory.
    pub fn decode(self) -> Result<Cow<'a, str>> {
        if !self.is_escaped {
            return Ok(Cow::Borrowed(self.body));
        }
        let mut buffer = Vec::new();
        buffer.try_reserve_exact(self.body.len())?;
        buffer.resize(self.body.len(), 0);
        let unescaped = unescape_into(self.body.as_bytes(), 0, &mut buffer)?;
        buffer.truncate(unescaped.written);
        let text = String::from_utf8(buffer);
        text.map(Cow::Owned).map_err(|_| SyntaxError { position: 0, reason: "invalid UTF-8 in a string" }.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn unescaped(body: &str) -> Result<String> {
        RawString { body, is_escaped: true }.decode().map(Cow::into_owned)
    }

    #[test]
    fn every_escape_is_read() {
        assert_eq!(unescaped(r#"\"\\\/\b\f\n\r\t\u0041\u00e9\u20ac"#).unwrap(), "\"\\/\u{8}\u{c}\n\r\tAé€");
        assert_eq!(unescaped(r"plain text before \u0000 and after it").unwrap(), "plain text before \0 and after it");
    }

    #[test]
    fn surrogates_pair_up_and_lone_ones_are_replaced() {
        assert_eq!(unescaped(r"\ud83d\ude00").unwrap(), "😀");
        assert_eq!(unescaped(r"\uD83D\uDE00!").unwrap(), "😀!");
        assert_eq!(unescaped(r"\ud83d").unwrap(), "\u{fffd}");
        assert_eq!(unescaped(r"\ude00\ud83d").unwrap(), "\u{fffd}\u{fffd}");
        assert_eq!(unescaped(r"\ud83dx\ude00").unwrap(), "\u{fffd}x\u{fffd}");
        assert_eq!(unescaped(r"\ud83d\ud83d\ude00").unwrap(), "\u{fffd}😀");
        assert_eq!(unescaped(r"\ud83d\u0041").unwrap(), "\u{fffd}A");
    }

    #[test]
    fn wrong_escapes_are_errors_with_their_position() {
        for body in [r"ab\x41", r"ab\u00g0", r"ab\u12", r"ab\u+123", r"ab\'", "ab\\"] {
            let error = unescaped(body).unwrap_err().to_string();
            assert!(error.contains("at byte 2"), "{body}: {error}");
        }
    }

    #[test]
    fn memory_that_is_too_small_is_an_error() {
        for length in 0..8 {
            assert!(unescape_into(b"\\n\\u20acabcd", 0, &mut [0; 8][..length]).is_err());
        }
        let mut buffer = [0; 8];
        assert_eq!(unescape_into(b"\\n\\u20acabcd\"", 0, &mut buffer).unwrap().written, 8);
        assert_eq!(&buffer, "\n€abcd".as_bytes());
    }
}
