//! Pulling values out of a line that is JSON text.

use core::mem;

use super::reader::{NESTING_LIMIT, ReadError};
use super::scratch::Scratch;
use rowtide_json::{Lexer, Literal, Nesting, Number, SyntaxError, parse_number};

type Result<T, E = ReadError> = core::result::Result<T, E>;

/// A position in a JSON line.
pub(super) struct JsonReader<'a> {
    lexer: Lexer<'a>,
    /// The number of open containers.
    depth: usize,
    /// Whether a container was opened and nothing read from it yet.
    is_first: bool,
    /// The scratch memory, as long as no string needed it.
    unused: Option<&'a mut Scratch>,
    /// What is left of the scratch memory.
    free: &'a mut [u8],
}

impl<'a> JsonReader<'a> {
    pub(super) fn new(line: &'a str, scratch: &'a mut Scratch) -> Self {
        Self { lexer: Lexer::new(line), depth: 0, is_first: false, unused: Some(scratch), free: &mut [] }
    }

    pub(super) const fn position(&self) -> usize {
        self.lexer.position()
    }

    pub(super) fn begin_object(&mut self) -> Result<()> {
        self.begin(b'{', "expected an object")
    }

    pub(super) fn begin_array(&mut self) -> Result<()> {
        self.begin(b'[', "expected an array")
    }

    fn begin(&mut self, bracket: u8, reason: &'static str) -> Result<()> {
        self.lexer.expect(bracket, reason)?;
        if self.depth >= NESTING_LIMIT {
            return Err(self.lexer.error("nesting too deep").into());
        }
        self.depth = self.depth.saturating_add(1);
        self.is_first = true;
        Ok(())
    }

    pub(super) fn next_member(&mut self) -> Result<Option<&'a str>> {
        if !self.next(b'}', "expected a comma or the end of an object")? {
            return Ok(None);
        }
        let name = self.string()?;
        self.lexer.expect_colon()?;
        Ok(Some(name))
    }

    pub(super) fn next_element(&mut self) -> Result<bool> {
        self.next(b']', "expected a comma or the end of an array")
    }

    /// Goes on to the next part of the innermost container; `false` at its end.
    fn next(&mut self, bracket: u8, reason: &'static str) -> Result<bool> {
        let is_first = mem::take(&mut self.is_first);
        if self.lexer.eat(bracket) {
            self.depth = self.depth.saturating_sub(1);
            return Ok(false);
        }
        if !is_first {
            self.lexer.expect(b',', reason)?;
        }
        Ok(true)
    }

    pub(super) fn take_null(&mut self) -> bool {
        self.lexer.peek() == Some(b'n') && self.lexer.literal() == Some(Literal::Null)
    }

    pub(super) fn is_string(&mut self) -> bool {
        self.lexer.peek() == Some(b'"')
    }

    pub(super) fn is_array(&mut self) -> bool {
        self.lexer.peek() == Some(b'[')
    }

    pub(super) fn string(&mut self) -> Result<&'a str> {
        match self.lexer.plain_string()? {
            Some(text) => Ok(text),
            None => self.escaped_string(),
        }
    }

    fn escaped_string(&mut self) -> Result<&'a str> {
        if let Some(scratch) = self.unused.take() {
            // Unescaping never makes a string longer, so what is left of the line bounds what all its strings need.
            self.free = scratch.reserve(self.lexer.remaining())?;
        }
        let position = self.lexer.position();
        let free = mem::take(&mut self.free);
        let length = self.lexer.unescape(free)?;
        debug_assert!(length <= free.len(), "more was unescaped than there is room for");
        let (text, rest) = free.split_at_mut_checked(length).unwrap_or_default();
        self.free = rest;
        let invalid = SyntaxError { position, reason: "invalid UTF-8 in a string" };
        str::from_utf8(text).map_err(|_| invalid.into())
    }

    pub(super) fn boolean(&mut self) -> Result<bool> {
        match self.lexer.literal() {
            Some(Literal::True) => Ok(true),
            Some(Literal::False) => Ok(false),
            _ => Err(self.lexer.error("expected true or false").into()),
        }
    }

    pub(super) fn number(&mut self) -> Result<Number> {
        match self.lexer.peek() {
            Some(b'-' | b'0'..=b'9') => Ok(parse_number(self.lexer.number()?)),
            _ => Err(self.lexer.error("expected a number").into()),
        }
    }

    pub(super) fn skip(&mut self) -> Result<()> {
        self.lexer.skip_value(&mut Nesting::new(NESTING_LIMIT.saturating_sub(self.depth)))?;
        Ok(())
    }

    /// The exact text of a value of any type.
    pub(super) fn value_text(&mut self) -> Result<&'a str> {
        self.lexer.peek();
        let start = self.lexer.position();
        self.skip()?;
        Ok(self.lexer.since(start))
    }

    /// The exact text of an object, which comes next, or `None` if something else does.
    pub(super) fn object_text(&mut self) -> Result<Option<&'a str>> {
        if self.lexer.peek() == Some(b'{') { self.value_text().map(Some) } else { Ok(None) }
    }

    pub(super) fn finish(&mut self) -> Result<()> {
        Ok(self.lexer.expect_end()?)
    }
}
