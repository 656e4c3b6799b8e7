//! Splits the body of a sync response into lines, as an SDK does with what arrives from the network
//! (docs/reference/protocol.md#encodings).
//!
//! Reads JSON lines and concatenated BSON documents, each also compressed with gzip, and distinguishes them by their
//! first bytes. Nothing in the input is trusted: a length is checked before it is used, and memory grows with the bytes
//! that are really there.

use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;

/// Longest line accepted, in bytes. A single row can have 15 MiB; this leaves ample room.
pub const MAXIMUM_LINE_LENGTH: usize = 256 * 1024 * 1024;

/// Length of the smallest BSON document: its own length and the final zero byte.
const SMALLEST_DOCUMENT: usize = 5;

/// One sync line, ready for `powersync_control`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// JSON text, for `line_text`.
    Text(String),
    /// A BSON document, for `line_binary`.
    Binary(Vec<u8>),
}

impl Line {
    /// Length in bytes.
    pub fn len(&self) -> usize {
        match self {
            Line::Text(text) => text.len(),
            Line::Binary(bytes) => bytes.len(),
        }
    }

    /// Whether the line has no bytes at all; readers give no such lines.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// How the lines of a stream are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// JSON objects, one a line.
    Json,
    /// BSON documents, one after the other.
    Bson,
}

/// Why a stream cannot be read on, and where.
#[derive(Debug)]
pub struct StreamError {
    /// Number of the line that cannot be read, counted from 1.
    pub line: u64,
    /// Offset of its first byte in the (decompressed) stream.
    pub offset: u64,
    /// What is wrong with it.
    pub problem: Problem,
}

/// What is wrong with a line.
#[derive(Debug)]
pub enum Problem {
    /// The source failed, for instance because the gzip data are damaged.
    Read(io::Error),
    /// The stream ends inside a BSON document of this many bytes.
    Truncated {
        /// Bytes that the document should have.
        expected: usize,
        /// Bytes that were there.
        found: usize,
    },
    /// A BSON document claims an impossible length.
    Length(i32),
    /// A BSON document does not end with a zero byte.
    Terminator,
    /// Longer than [`MAXIMUM_LINE_LENGTH`].
    TooLong,
    /// A JSON line that is not UTF-8.
    NotUtf8,
}

impl fmt::Display for StreamError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "line {} at byte {}: ", self.line, self.offset)?;
        match &self.problem {
            Problem::Read(error) => write!(formatter, "cannot be read: {error}"),
            Problem::Truncated { expected, found } => {
                write!(formatter, "the stream ends after {found} of {expected} bytes")
            }
            Problem::Length(length) => write!(formatter, "a BSON document cannot have a length of {length} bytes"),
            Problem::Terminator => write!(formatter, "the BSON document does not end with a zero byte"),
            Problem::TooLong => write!(formatter, "longer than {MAXIMUM_LINE_LENGTH} bytes"),
            Problem::NotUtf8 => write!(formatter, "the JSON text is not UTF-8"),
        }
    }
}

impl std::error::Error for StreamError {}

/// Where a line begins in the (decompressed) stream.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Position {
    /// Its number, counted from 1. Blank lines count too, as in an editor.
    pub line: u64,
    /// Offset of its first byte.
    pub offset: u64,
}

/// The lines of one stream, in order. Ends after the first error.
pub struct Lines<'r> {
    source: Box<dyn BufRead + 'r>,
    encoding: Encoding,
    /// Of the line that was read last.
    position: Position,
    /// Of what is read next.
    offset: u64,
    failed: bool,
}

impl<'r> Lines<'r> {
    /// Starts reading `source`: looks at the first bytes to learn how the stream is written.
    ///
    /// # Errors
    /// If those bytes cannot be read.
    pub fn new(source: impl Read + 'r) -> io::Result<Self> {
        let (start, source) = peek(source)?;
        let (start, source): (_, Box<dyn Read + 'r>) = if start.starts_with(&[0x1f, 0x8b]) {
            let (start, source) = peek(MultiGzDecoder::new(BufReader::new(source)))?;
            (start, Box::new(source))
        } else {
            (start, Box::new(source))
        };
        let encoding = detect(&start);
        let source = Box::new(BufReader::new(source));
        Ok(Lines { source, encoding, position: Position::default(), offset: 0, failed: false })
    }

    /// How the lines are written; JSON for an empty stream.
    pub fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Where the line begins that was read last.
    pub fn position(&self) -> Position {
        self.position
    }

    fn read_line(&mut self) -> Result<Option<Line>, Problem> {
        match self.encoding {
            Encoding::Json => self.read_json(),
            Encoding::Bson => self.read_bson(),
        }
    }

    fn begin_line(&mut self) {
        self.position = Position { line: self.position.line + 1, offset: self.offset };
    }

    fn read_json(&mut self) -> Result<Option<Line>, Problem> {
        loop {
            let mut bytes = Vec::new();
            let limit = MAXIMUM_LINE_LENGTH as u64 + 1;
            let length = (&mut self.source).take(limit).read_until(b'\n', &mut bytes).map_err(Problem::Read)?;
            if length == 0 {
                return Ok(None);
            }
            if length > MAXIMUM_LINE_LENGTH {
                return Err(Problem::TooLong);
            }
            if bytes.iter().all(u8::is_ascii_whitespace) {
                self.offset += length as u64;
                self.begin_line();
                continue;
            }
            bytes.truncate(bytes.trim_ascii_end().len());
            self.offset += length as u64;
            return String::from_utf8(bytes).map(|text| Some(Line::Text(text))).map_err(|_| Problem::NotUtf8);
        }
    }

    fn read_bson(&mut self) -> Result<Option<Line>, Problem> {
        let mut bytes = Vec::new();
        self.read_up_to(4, &mut bytes)?;
        if bytes.is_empty() {
            return Ok(None);
        }
        let Ok(prefix) = <[u8; 4]>::try_from(bytes.as_slice()) else {
            return Err(Problem::Truncated { expected: SMALLEST_DOCUMENT, found: bytes.len() });
        };
        let length = i32::from_le_bytes(prefix);
        let expected = match usize::try_from(length) {
            Ok(length) if length > MAXIMUM_LINE_LENGTH => return Err(Problem::TooLong),
            Ok(length) if length >= SMALLEST_DOCUMENT => length,
            _ => return Err(Problem::Length(length)),
        };
        self.read_up_to(expected - prefix.len(), &mut bytes)?;
        if bytes.len() < expected {
            return Err(Problem::Truncated { expected, found: bytes.len() });
        }
        if bytes.last() != Some(&0) {
            return Err(Problem::Terminator);
        }
        self.offset += expected as u64;
        Ok(Some(Line::Binary(bytes)))
    }

    fn read_up_to(&mut self, count: usize, bytes: &mut Vec<u8>) -> Result<usize, Problem> {
        (&mut self.source).take(count as u64).read_to_end(bytes).map_err(Problem::Read)
    }
}

impl Iterator for Lines<'_> {
    type Item = Result<Line, StreamError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.failed {
            return None;
        }
        self.begin_line();
        let result = self.read_line();
        self.failed = result.is_err();
        let Position { line, offset } = self.position;
        result.map_err(|problem| StreamError { line, offset, problem }).transpose()
    }
}

/// The first four bytes (fewer in a shorter source), and a reader that gives them again.
fn peek<R: Read>(mut source: R) -> io::Result<(Vec<u8>, impl Read + use<R>)> {
    let mut start = Vec::new();
    (&mut source).take(4).read_to_end(&mut start)?;
    Ok((start.clone(), io::Cursor::new(start).chain(source)))
}

/// Tells the encodings apart by the fourth byte: the highest of a BSON document's length, which is far below any
/// character of JSON text.
fn detect(start: &[u8]) -> Encoding {
    match start.get(3) {
        Some(byte) if *byte < b'\t' => Encoding::Bson,
        _ => Encoding::Json,
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<Line>, StreamError> {
        Lines::new(bytes).unwrap().collect()
    }

    fn document(length: usize) -> Vec<u8> {
        let mut bytes = (length as i32).to_le_bytes().to_vec();
        bytes.resize(length, 0);
        bytes
    }

    #[test]
    fn json_lines_are_split() {
        let lines = read(b"{\"a\":1}\r\n\n  \n{\"b\":2}\n{\"c\":3}").unwrap();
        assert_eq!(lines, ["{\"a\":1}", "{\"b\":2}", "{\"c\":3}"].map(|text| Line::Text(text.into())));
    }

    #[test]
    fn blank_lines_count() {
        let mut lines = Lines::new(b"{}\n\n  \n{}\n\n\xff".as_slice()).unwrap();
        let positions = [1, 2].map(|_| lines.next().map(|_| lines.position()));
        assert_eq!(positions, [Some(Position { line: 1, offset: 0 }), Some(Position { line: 4, offset: 7 })]);
        assert_eq!(lines.next().unwrap().unwrap_err().to_string(), "line 6 at byte 11: the JSON text is not UTF-8");
    }

    #[test]
    fn bson_documents_are_split() {
        // 123 is the code of `{`: a document of that length must not be taken for JSON.
        let parts = [document(123), document(5), document(8827)];
        assert_eq!(read(&parts.concat()).unwrap(), parts.map(Line::Binary));
    }

    #[test]
    fn compressed_streams_are_read() {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        encoder.write_all(&document(5)).unwrap();
        assert_eq!(read(&encoder.finish().unwrap()).unwrap(), [Line::Binary(document(5))]);
    }

    /// A source that gives one byte at a time, as a slow network may.
    struct Drip<'b>(&'b [u8]);

    impl Read for Drip<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            let count = buffer.len().min(1);
            self.0.read(&mut buffer[..count])
        }
    }

    #[test]
    fn a_slow_source_is_read_alike() {
        let lines: Result<Vec<_>, _> = Lines::new(Drip(&document(123))).unwrap().collect();
        assert_eq!(lines.unwrap(), [Line::Binary(document(123))]);
    }

    #[test]
    fn an_empty_stream_has_no_lines() {
        assert_eq!(read(b"").unwrap(), []);
    }

    #[test]
    fn impossible_lengths_are_refused() {
        let message = |bytes: &[u8]| read(bytes).unwrap_err().to_string();
        let after = |tail: &[u8]| [document(5).as_slice(), tail].concat();
        assert_eq!(message(&after(&[0; 4])), "line 2 at byte 5: a BSON document cannot have a length of 0 bytes");
        assert_eq!(message(&after(&[0xff; 4])), "line 2 at byte 5: a BSON document cannot have a length of -1 bytes");
        assert_eq!(message(&after(&[5, 0])), "line 2 at byte 5: the stream ends after 2 of 5 bytes");
        assert_eq!(message(&after(&[9, 0, 0, 0, 1])), "line 2 at byte 5: the stream ends after 5 of 9 bytes");
        assert_eq!(
            message(&after(&[5, 0, 0, 0, 1])),
            "line 2 at byte 5: the BSON document does not end with a zero byte"
        );
        assert_eq!(message(&after(&[0, 0, 0, 0x7f])), "line 2 at byte 5: longer than 268435456 bytes");
    }

    #[test]
    fn text_that_is_not_utf8_is_refused_and_ends_the_stream() {
        let mut lines = Lines::new(b"{}   \n\xff\n{}\n".as_slice()).unwrap();
        assert_eq!(lines.next().unwrap().unwrap(), Line::Text("{}".into()));
        assert_eq!(lines.next().unwrap().unwrap_err().to_string(), "line 2 at byte 6: the JSON text is not UTF-8");
        assert!(lines.next().is_none());
    }
}
