//! Cuts the bytes of a stream into lines. Chunks of the network begin and end anywhere.

use std::fmt;

use crate::options::Encoding;

/// The longest line, in bytes. A row can have 15 MiB; this leaves ample room.
const LONGEST: usize = 256 * 1024 * 1024;

/// The length of the smallest BSON document: its own length and the final zero byte.
const SMALLEST_DOCUMENT: usize = 5;

/// A line, ready for `powersync_control`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Line {
    /// JSON text, for `line_text`.
    Text(String),
    /// A BSON document, for `line_binary`.
    Binary(Vec<u8>),
}

impl Line {
    /// Its length in bytes.
    pub(crate) fn len(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Binary(bytes) => bytes.len(),
        }
    }
}

/// Why a stream cannot be cut, and where.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct CutError {
    line: u64,
    problem: Problem,
}

#[derive(Debug, PartialEq, Eq)]
enum Problem {
    TooLong,
    NotUtf8,
    Length(i32),
    Terminator,
}

impl fmt::Display for CutError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {} ", self.line)?;
        match self.problem {
            Problem::TooLong => write!(formatter, "is longer than {LONGEST} bytes"),
            Problem::NotUtf8 => write!(formatter, "is no UTF-8"),
            Problem::Length(length) => write!(formatter, "is a BSON document with a length of {length} bytes"),
            Problem::Terminator => write!(formatter, "is a BSON document without an end"),
        }
    }
}

/// Bytes in, lines out.
pub(crate) struct Cutter {
    encoding: Encoding,
    buffer: Vec<u8>,
    /// Where the next line begins.
    start: usize,
    /// Up to where there is no newline.
    searched: usize,
    /// How many lines were cut.
    lines: u64,
}

impl Cutter {
    pub(crate) fn new(encoding: Encoding) -> Self {
        Self { encoding, buffer: Vec::new(), start: 0, searched: 0, lines: 0 }
    }

    /// Adds what has come.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next line that is complete.
    ///
    /// # Errors
    /// What follows is no line.
    pub(crate) fn next(&mut self) -> Result<Option<Line>, CutError> {
        let line = match self.encoding {
            Encoding::Json => self.json(),
            Encoding::Bson => self.bson(),
        };
        line.map_err(|problem| CutError { line: self.lines + 1, problem }).inspect(|line| {
            self.lines += u64::from(line.is_some());
        })
    }

    /// Whether a line has begun and not ended.
    pub(crate) fn is_within_line(&self) -> bool {
        let rest = self.rest();
        match self.encoding {
            Encoding::Json => !rest.iter().all(u8::is_ascii_whitespace),
            Encoding::Bson => !rest.is_empty(),
        }
    }

    fn rest(&self) -> &[u8] {
        self.buffer.get(self.start..).unwrap_or_default()
    }

    fn json(&mut self) -> Result<Option<Line>, Problem> {
        loop {
            let unsearched = self.buffer.get(self.searched..).unwrap_or_default();
            let Some(at) = memchr::memchr(b'\n', unsearched) else {
                self.searched = self.buffer.len();
                return if self.rest().len() > LONGEST { Err(Problem::TooLong) } else { Ok(None) };
            };
            let end = self.searched + at;
            let line = self.buffer.get(self.start..end).unwrap_or_default().trim_ascii_end();
            let text = match line {
                [] => None,
                line => Some(std::str::from_utf8(line).map_err(|_| Problem::NotUtf8)?.to_owned()),
            };
            self.start = end + 1;
            self.searched = self.start;
            if let Some(text) = text {
                return Ok(Some(Line::Text(text)));
            }
        }
    }

    fn bson(&mut self) -> Result<Option<Line>, Problem> {
        let Some(prefix) = self.rest().first_chunk::<4>() else { return Ok(None) };
        let length = i32::from_le_bytes(*prefix);
        let expected = match usize::try_from(length) {
            Ok(length) if length > LONGEST => return Err(Problem::TooLong),
            Ok(length) if length >= SMALLEST_DOCUMENT => length,
            _ => return Err(Problem::Length(length)),
        };
        let Some(document) = self.rest().get(..expected) else { return Ok(None) };
        if document.last() != Some(&0) {
            return Err(Problem::Terminator);
        }
        let document = document.to_vec();
        self.start += expected;
        self.searched = self.start;
        Ok(Some(Line::Binary(document)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All lines of a stream that comes in chunks of this size.
    fn cut(encoding: Encoding, bytes: &[u8], chunk: usize) -> Result<(Vec<Line>, bool), CutError> {
        let (mut cutter, mut lines) = (Cutter::new(encoding), Vec::new());
        for chunk in bytes.chunks(chunk) {
            cutter.push(chunk);
            while let Some(line) = cutter.next()? {
                lines.push(line);
            }
        }
        Ok((lines, cutter.is_within_line()))
    }

    fn document(length: usize) -> Vec<u8> {
        let mut bytes = (length as i32).to_le_bytes().to_vec();
        bytes.resize(length, 0);
        bytes
    }

    #[test]
    fn json_is_cut_at_newlines_wherever_chunks_end() {
        let bytes = "{\"a\":\"ä\"}\r\n\n  \n{\"b\":2}\n{\"c\"".as_bytes();
        let lines = ["{\"a\":\"ä\"}", "{\"b\":2}"].map(|text| Line::Text(text.into()));
        for chunk in 1..=bytes.len() {
            assert_eq!(cut(Encoding::Json, bytes, chunk).unwrap(), (lines.to_vec(), true), "chunks of {chunk}");
        }
    }

    #[test]
    fn bson_is_cut_by_its_lengths_wherever_chunks_end() {
        // A newline in a length must not be taken for one of JSON.
        let documents = [document(10), document(5), document(700)];
        let bytes = [documents.concat(), vec![7, 0, 0]].concat();
        for chunk in 1..=bytes.len() {
            let lines = documents.clone().map(Line::Binary).to_vec();
            assert_eq!(cut(Encoding::Bson, &bytes, chunk).unwrap(), (lines, true), "chunks of {chunk}");
        }
    }

    #[test]
    fn blanks_at_the_end_are_no_line() {
        assert_eq!(cut(Encoding::Json, b"{}\n \n ", 2).unwrap(), (vec![Line::Text("{}".into())], false));
        assert!(!cut(Encoding::Bson, &document(5), 2).unwrap().1);
    }

    #[test]
    fn what_is_no_line_is_refused_with_its_number() {
        let message = |encoding, bytes: &[u8]| cut(encoding, bytes, 3).unwrap_err().to_string();
        let after = |tail: &[u8]| message(Encoding::Bson, &[document(5).as_slice(), tail].concat());
        assert_eq!(message(Encoding::Json, b"{}\n\xff\n"), "line 2 is no UTF-8");
        assert_eq!(after(&[0; 4]), "line 2 is a BSON document with a length of 0 bytes");
        assert_eq!(after(&[0xff; 4]), "line 2 is a BSON document with a length of -1 bytes");
        assert_eq!(after(&[0, 0, 0, 0x7f]), "line 2 is longer than 268435456 bytes");
        assert_eq!(after(&[5, 0, 0, 0, 1]), "line 2 is a BSON document without an end");
    }
}
