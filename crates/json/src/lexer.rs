//! The tokens of a JSON text, one after the other, and where a text is no JSON.

use core::fmt;

use super::nesting::{Container, Nesting};
use super::scan::{find_quote_backslash_or_control, find_quote_or_backslash};
use super::unescape::{RawString, read_escape, unescape_into};

/// What an unquoted word means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Literal {
    /// `null`
    Null,
    /// `true`
    True,
    /// `false`
    False,
    /// `NaN`, `Infinity` or `-Infinity`, which is no JSON.
    NotFinite,
}

/// A position in a JSON text.
#[derive(Debug, Clone)]
pub struct Lexer<'a> {
    text: &'a str,
    position: usize,
    is_strict: bool,
    /// Where the first value that is not finite was skipped.
    not_finite: Option<usize>,
    has_lone_surrogate: bool,
}

impl<'a> Lexer<'a> {
    /// The beginning of `text`.
    pub const fn new(text: &'a str) -> Self {
        Self { text, position: 0, is_strict: false, not_finite: None, has_lone_surrogate: false }
    }

    /// The beginning of `text`, in whose strings raw control characters are errors.
    pub const fn strict(text: &'a str) -> Self {
        Self { is_strict: true, ..Self::new(text) }
    }

    /// The byte offset.
    pub const fn position(&self) -> usize {
        self.position
    }

    /// Whether what was skipped holds a value that is not finite, or an escape of a lone surrogate.
    pub const fn has_foreign(&self) -> bool {
        self.has_lone_surrogate || self.not_finite.is_some()
    }

    /// Where the first value that is not finite was skipped.
    pub(super) const fn not_finite(&self) -> Option<usize> {
        self.not_finite
    }

    /// An error at this position.
    pub const fn error(&self, reason: &'static str) -> SyntaxError {
        SyntaxError { position: self.position, reason }
    }

    /// The text from `start` to this position.
    pub fn since(&self, start: usize) -> &'a str {
        debug_assert!(self.text.get(start..self.position).is_some(), "a position of another text");
        self.text.get(start..self.position).unwrap_or_default()
    }

    #[inline(always)]
    fn at(&self, position: usize) -> Option<u8> {
        self.text.as_bytes().get(position).copied()
    }

    /// The first byte that is no white space, after which the position then is no more than that byte.
    #[inline(always)]
    pub fn peek(&mut self) -> Option<u8> {
        loop {
            match self.at(self.position) {
                Some(b' ' | b'\t' | b'\n' | b'\r') => self.position += 1,
                next => return next,
            }
        }
    }

    /// Skips white space and, if it comes next, `byte`.
    #[inline(always)]
    pub fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.position += 1;
        }
        found
    }

    /// Skips white space and `byte`.
    #[inline(always)]
    pub fn expect(&mut self, byte: u8, reason: &'static str) -> Result<(), SyntaxError> {
        if self.eat(byte) { Ok(()) } else { Err(self.error(reason)) }
    }

    /// Skips white space up to the end of the text.
    pub fn expect_end(&mut self) -> Result<(), SyntaxError> {
        if self.peek().is_none() { Ok(()) } else { Err(self.error("expected the end")) }
    }

    /// Reads a string, whose opening quote comes next, if it has no escapes. Otherwise the position is then after the
    /// opening quote, where [`Self::unescape`] continues.
    #[inline]
    pub fn plain_string(&mut self) -> Result<Option<&'a str>, SyntaxError> {
        self.expect(b'"', "expected a string")?;
        let start = self.position;
        let end = find_quote_or_backslash(self.text.as_bytes(), start);
        match self.at(end) {
            Some(b'"') => {
                self.position = end + 1;
                debug_assert!(self.text.get(start..end).is_some(), "a quote within a character");
                Ok(Some(self.text.get(start..end).unwrap_or_default()))
            }
            Some(_) => Ok(None),
            None => Err(self.error(UNTERMINATED)),
        }
    }

    /// Unescapes the string, after whose opening quote the position is, into `buffer`, and returns its length in bytes.
    pub fn unescape(&mut self, buffer: &mut [u8]) -> Result<usize, SyntaxError> {
        let unescaped = unescape_into(self.text.as_bytes(), self.position, buffer)?;
        if unescaped.end >= self.text.len() {
            return Err(self.error(UNTERMINATED));
        }
        self.position = unescaped.end + 1;
        Ok(unescaped.written)
    }

    /// The number of bytes from this position to the end of the text.
    pub const fn remaining(&self) -> usize {
        self.text.len().saturating_sub(self.position)
    }

    /// Reads a string, whose opening quote comes next, and checks its escapes without decoding them.
    pub fn string(&mut self) -> Result<RawString<'a>, SyntaxError> {
        self.expect(b'"', "expected a string")?;
        let bytes = self.text.as_bytes();
        let start = self.position;
        let mut is_escaped = false;
        let mut end = start;
        loop {
            end = find_quote_backslash_or_control(bytes, end);
            match bytes.get(end) {
                Some(b'"') => break,
                Some(b'\\') => {
                    let escape = read_escape(bytes, end)?;
                    is_escaped = true;
                    self.has_lone_surrogate |= escape.is_lone_surrogate;
                    end += escape.length;
                }
                Some(_) if self.is_strict => {
                    return Err(SyntaxError { position: end, reason: "control character in a string" });
                }
                Some(_) => end += 1,
                None => return Err(self.error(UNTERMINATED)),
            }
        }
        self.position = end + 1;
        debug_assert!(self.text.get(start..end).is_some(), "a quote within a character");
        Ok(RawString { body: self.text.get(start..end).unwrap_or_default(), is_escaped })
    }

    /// Reads the name of a member and the colon after it.
    pub fn member_name(&mut self) -> Result<RawString<'a>, SyntaxError> {
        if self.peek() != Some(b'"') {
            return Err(self.error("expected a member name"));
        }
        let name = self.string()?;
        self.expect_colon()?;
        Ok(name)
    }

    /// Skips the colon after a member's name.
    #[inline]
    pub fn expect_colon(&mut self) -> Result<(), SyntaxError> {
        self.expect(b':', "expected a colon")
    }

    /// Reads an unquoted word, if one comes next.
    pub fn literal(&mut self) -> Option<Literal> {
        const WORDS: [(&str, Literal); 6] = [
            ("null", Literal::Null),
            ("true", Literal::True),
            ("false", Literal::False),
            ("NaN", Literal::NotFinite),
            ("Infinity", Literal::NotFinite),
            ("-Infinity", Literal::NotFinite),
        ];
        self.peek();
        let rest = self.text.as_bytes().get(self.position..)?;
        let (word, literal) = WORDS.iter().find(|(word, _)| rest.starts_with(word.as_bytes()))?;
        self.position += word.len();
        Some(*literal)
    }

    /// Reads a number, which comes next, and returns its text.
    pub fn number(&mut self) -> Result<&'a str, SyntaxError> {
        self.peek();
        let start = self.position;
        let mut position = start;
        if self.at(position) == Some(b'-') {
            position += 1;
        }
        let integer = position;
        position = self.after_digits(integer)?;
        if self.at(integer) == Some(b'0') && position > integer + 1 {
            return Err(SyntaxError { position: integer, reason: "leading zero in a number" });
        }
        if self.at(position) == Some(b'.') {
            position = self.after_digits(position + 1)?;
        }
        if matches!(self.at(position), Some(b'e' | b'E')) {
            position += 1;
            if matches!(self.at(position), Some(b'+' | b'-')) {
                position += 1;
            }
            position = self.after_digits(position)?;
        }
        self.position = position;
        Ok(self.since(start))
    }

    fn after_digits(&self, from: usize) -> Result<usize, SyntaxError> {
        let mut position = from;
        while self.at(position).is_some_and(|byte| byte.is_ascii_digit()) {
            position += 1;
        }
        if position == from { Err(SyntaxError { position, reason: "expected a digit" }) } else { Ok(position) }
    }

    /// Skips a value, and with it everything up to the end of the containers that are open in `nesting`.
    pub fn skip_value(&mut self, nesting: &mut Nesting) -> Result<(), SyntaxError> {
        #[cfg(test)]
        let start = self.position;
        let skipped = self.skip_whole_value(nesting);
        #[cfg(test)]
        bytes_skipped::add(self.position - start);
        skipped
    }

    fn skip_whole_value(&mut self, nesting: &mut Nesting) -> Result<(), SyntaxError> {
        let outside = nesting.depth();
        loop {
            if self.skip_scalar_or_open(nesting)? {
                continue;
            }
            loop {
                if nesting.depth() == outside {
                    return Ok(());
                }
                let is_object = nesting.innermost() == Some(Container::Object);
                if self.eat(b',') {
                    if is_object {
                        self.member_name()?;
                    }
                    break;
                }
                self.expect(if is_object { b'}' } else { b']' }, "expected a comma or the end of a container")?;
                nesting.close();
            }
        }
    }

    /// Skips a scalar or an empty container, or opens a container up to its first value (then `true`).
    fn skip_scalar_or_open(&mut self, nesting: &mut Nesting) -> Result<bool, SyntaxError> {
        let (container, end) = match self.peek() {
            Some(b'"') => return self.string().map(|_| false),
            Some(b'{') => (Container::Object, b'}'),
            Some(b'[') => (Container::Array, b']'),
            Some(b'0'..=b'9') => return self.number().map(|_| false),
            Some(_) => {
                let start = self.position;
                match self.literal() {
                    Some(Literal::NotFinite) => self.not_finite = self.not_finite.or(Some(start)),
                    Some(_) => {}
                    None if self.at(self.position) == Some(b'-') => _ = self.number()?,
                    None => return Err(self.error("expected a value")),
                }
                return Ok(false);
            }
            None => return Err(self.error("unexpected end")),
        };
        if !nesting.open(container) {
            return Err(self.error("nesting too deep"));
        }
        self.position += 1;
        if self.eat(end) {
            nesting.close();
            return Ok(false);
        }
        if container == Container::Object {
            self.member_name()?;
        }
        Ok(true)
    }
}

/// Text that is no JSON, or not the JSON that was asked for: what is wrong, and where. Never holds any of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SyntaxError {
    /// The byte offset at which reading failed.
    pub position: usize,
    /// What was expected, or what is wrong.
    pub reason: &'static str,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} at byte {}", self.reason, self.position)
    }
}

impl core::error::Error for SyntaxError {}

const UNTERMINATED: &str = "unterminated string";

/// How many bytes of values this thread has skipped, so that tests notice work that grows faster than its input.
#[cfg(test)]
pub(super) mod bytes_skipped {
    use core::cell::Cell;

    std::thread_local!(static COUNT: Cell<usize> = const { Cell::new(0) });

    pub(crate) fn add(bytes: usize) {
        COUNT.set(COUNT.get() + bytes);
    }

    /// The count since the last call.
    pub(crate) fn take() -> usize {
        COUNT.take()
    }
}
