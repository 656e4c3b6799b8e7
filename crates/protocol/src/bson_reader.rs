//! Pulling values out of a line that is a BSON document.
//!
//! No length that the document declares is trusted: every read is checked against the end of the innermost document,
//! and that against the ends of those around it. See <https://bsonspec.org/spec.html> for the format.

use super::reader::{NESTING_LIMIT, ReadError};
use rowtide_json::{Number, SyntaxError};

type Result<T, E = ReadError> = core::result::Result<T, E>;

mod element {
    pub(super) const DOUBLE: u8 = 0x01;
    pub(super) const STRING: u8 = 0x02;
    pub(super) const DOCUMENT: u8 = 0x03;
    pub(super) const ARRAY: u8 = 0x04;
    pub(super) const BINARY: u8 = 0x05;
    pub(super) const UNDEFINED: u8 = 0x06;
    pub(super) const OBJECT_ID: u8 = 0x07;
    pub(super) const BOOLEAN: u8 = 0x08;
    pub(super) const DATE: u8 = 0x09;
    pub(super) const NULL: u8 = 0x0a;
    pub(super) const REGULAR_EXPRESSION: u8 = 0x0b;
    pub(super) const DB_POINTER: u8 = 0x0c;
    pub(super) const CODE: u8 = 0x0d;
    pub(super) const SYMBOL: u8 = 0x0e;
    pub(super) const CODE_WITH_SCOPE: u8 = 0x0f;
    pub(super) const INT32: u8 = 0x10;
    pub(super) const TIMESTAMP: u8 = 0x11;
    pub(super) const INT64: u8 = 0x12;
    pub(super) const DECIMAL128: u8 = 0x13;
    pub(super) const MAX_KEY: u8 = 0x7f;
    pub(super) const MIN_KEY: u8 = 0xff;
}

/// A position in a BSON line.
pub(super) struct BsonReader<'a> {
    bytes: &'a [u8],
    position: usize,
    /// The type of the value that comes next.
    element: u8,
    /// Where the innermost open document ends, or the line.
    end: usize,
    /// Where the documents around the innermost one end, and the line, outermost first.
    outer_ends: [usize; NESTING_LIMIT],
    /// The number of open documents.
    depth: usize,
}

impl<'a> BsonReader<'a> {
    pub(super) const fn new(line: &'a [u8]) -> Self {
        let outer_ends = [0; NESTING_LIMIT];
        Self { bytes: line, position: 0, element: element::DOCUMENT, end: line.len(), outer_ends, depth: 0 }
    }

    pub(super) const fn position(&self) -> usize {
        self.position
    }

    const fn error(&self, reason: &'static str) -> ReadError {
        ReadError::Syntax(SyntaxError { position: self.position, reason })
    }

    pub(super) fn begin_object(&mut self) -> Result<()> {
        self.expect(element::DOCUMENT, "expected a document")?;
        self.open_document()
    }

    pub(super) fn begin_array(&mut self) -> Result<()> {
        self.expect(element::ARRAY, "expected an array")?;
        self.open_document()
    }

    fn expect(&self, element: u8, reason: &'static str) -> Result<()> {
        if self.element == element { Ok(()) } else { Err(self.error(reason)) }
    }

    fn open_document(&mut self) -> Result<()> {
        let start = self.position;
        let end = start.checked_add(self.length(5)?).filter(|&end| end <= self.end);
        let end = end.ok_or_else(|| self.error("a document is longer than what contains it"))?;
        let outer_end = self.outer_ends.get_mut(self.depth);
        *outer_end.ok_or(SyntaxError { position: start, reason: "nesting too deep" })? = self.end;
        self.depth = self.depth.saturating_add(1);
        self.end = end;
        Ok(())
    }

    fn close_document(&mut self) -> Result<()> {
        if self.position != self.end {
            return Err(self.error("a document ends before its declared length"));
        }
        debug_assert!((1..=self.outer_ends.len()).contains(&self.depth), "a document ends that did not begin");
        self.depth = self.depth.saturating_sub(1);
        self.end = self.outer_ends.get(self.depth).copied().unwrap_or_default();
        Ok(())
    }

    #[inline]
    pub(super) fn next_member(&mut self) -> Result<Option<&'a str>> {
        let [element] = self.array()?;
        self.element = element;
        if element == 0 {
            self.close_document()?;
            return Ok(None);
        }
        self.c_string().map(Some)
    }

    pub(super) fn next_element(&mut self) -> Result<bool> {
        Ok(self.next_member()?.is_some())
    }

    pub(super) const fn take_null(&self) -> bool {
        self.element == element::NULL
    }

    pub(super) const fn is_string(&self) -> bool {
        self.element == element::STRING
    }

    pub(super) const fn is_array(&self) -> bool {
        self.element == element::ARRAY
    }

    pub(super) fn string(&mut self) -> Result<&'a str> {
        self.expect(element::STRING, "expected a string")?;
        self.string_body()
    }

    pub(super) fn boolean(&mut self) -> Result<bool> {
        self.expect(element::BOOLEAN, "expected a boolean")?;
        match self.array()? {
            [0] => Ok(false),
            [1] => Ok(true),
            _ => Err(self.error("a boolean is neither 0 nor 1")),
        }
    }

    pub(super) fn number(&mut self) -> Result<Number> {
        Ok(match self.element {
            element::INT32 => Number::Integer(i32::from_le_bytes(self.array()?).into()),
            element::INT64 => Number::Integer(i64::from_le_bytes(self.array()?)),
            element::DOUBLE => Number::Real(f64::from_le_bytes(self.array()?)),
            _ => return Err(self.error("expected a number")),
        })
    }

    pub(super) fn skip(&mut self) -> Result<()> {
        let outside = self.depth;
        loop {
            self.skip_scalar_or_open()?;
            loop {
                if self.depth == outside {
                    return Ok(());
                }
                if self.next_element()? {
                    break;
                }
            }
        }
    }

    /// Skips a value, or opens it if it is a document.
    fn skip_scalar_or_open(&mut self) -> Result<()> {
        let length = match self.element {
            element::UNDEFINED | element::NULL | element::MAX_KEY | element::MIN_KEY => 0,
            element::BOOLEAN => 1,
            element::INT32 => 4,
            element::DOUBLE | element::DATE | element::TIMESTAMP | element::INT64 => 8,
            element::OBJECT_ID => 12,
            element::DECIMAL128 => 16,
            element::STRING | element::CODE | element::SYMBOL => return self.string_body().map(drop),
            // The length does not count the byte for the kind of bytes.
            element::BINARY => self.length(0)?.saturating_add(1),
            element::REGULAR_EXPRESSION => {
                self.c_string()?;
                return self.c_string().map(drop);
            }
            element::DB_POINTER => {
                self.string_body()?;
                12
            }
            element::DOCUMENT | element::ARRAY => return self.open_document(),
            element::CODE_WITH_SCOPE => return self.open_scope(),
            _ => return Err(self.error("unknown element type")),
        };
        self.take(length).map(drop)
    }

    /// Skips the code of a function and opens the document of its variables.
    fn open_scope(&mut self) -> Result<()> {
        let start = self.position;
        let end = start.checked_add(self.length(0)?);
        self.string_body()?;
        self.open_document()?;
        if end == Some(self.end) { Ok(()) } else { Err(self.error("a function has a wrong length")) }
    }

    pub(super) fn finish(&self) -> Result<()> {
        if self.position == self.bytes.len() { Ok(()) } else { Err(self.error("bytes after the end of the document")) }
    }

    /// A length of at least `minimum`.
    fn length(&mut self, minimum: usize) -> Result<usize> {
        let position = self.position;
        let length = usize::try_from(i32::from_le_bytes(self.array()?)).ok().filter(|&length| length >= minimum);
        length.ok_or(SyntaxError { position, reason: "invalid length" }.into())
    }

    /// A length, and that many bytes of text with a zero at the end.
    fn string_body(&mut self) -> Result<&'a str> {
        let length = self.length(1)?;
        let position = self.position;
        let (terminator, text) = self.take(length)?.split_last().unwrap_or((&1, &[]));
        if *terminator != 0 {
            return Err(SyntaxError { position, reason: "a string does not end at its declared length" }.into());
        }
        str::from_utf8(text).map_err(|_| SyntaxError { position, reason: "invalid UTF-8 in a string" }.into())
    }

    /// Text up to a zero.
    #[inline]
    fn c_string(&mut self) -> Result<&'a str> {
        debug_assert!(self.bytes.get(self.position..self.end).is_some(), "a position beyond the document");
        let rest = self.bytes.get(self.position..self.end).unwrap_or_default();
        let length = rest.iter().position(|&byte| byte == 0);
        let length = length.ok_or_else(|| self.error("unterminated name"))?;
        let text = rest.get(..length).and_then(|text| str::from_utf8(text).ok());
        let text = text.ok_or_else(|| self.error("invalid UTF-8 in a name"))?;
        self.position = self.position.saturating_add(length).saturating_add(1);
        Ok(text)
    }

    #[inline]
    fn array<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH]> {
        let array = self.take(LENGTH)?.first_chunk();
        array.copied().ok_or_else(|| self.error(TRUNCATED))
    }

    #[inline]
    fn take(&mut self, length: usize) -> Result<&'a [u8]> {
        let end = self.position.checked_add(length).filter(|&end| end <= self.end);
        let taken = end.and_then(|end| self.bytes.get(self.position..end));
        let taken = taken.ok_or_else(|| self.error(TRUNCATED))?;
        self.position = end.unwrap_or_default();
        Ok(taken)
    }
}

const TRUNCATED: &str = "a value is longer than what contains it";
