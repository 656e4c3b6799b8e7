//! Pulling values out of a line, whatever its encoding.

use alloc::format;
use alloc::vec::Vec;

use super::bson_reader::BsonReader;
use super::json_reader::JsonReader;
use super::scratch::Scratch;
use crate::error::{Error, Result};
use crate::json::{Number, SyntaxError, whole_number};

/// The deepest nesting of a line, also in parts that are skipped (sync protocol).
pub(super) const NESTING_LIMIT: usize = 128;

/// Why a value could not be read.
pub(super) enum ReadError {
    /// The line is malformed, or not what was asked for.
    Syntax(SyntaxError),
    /// Out of memory, and the like.
    Other(Error),
}

impl From<SyntaxError> for ReadError {
    fn from(error: SyntaxError) -> Self {
        Self::Syntax(error)
    }
}

impl From<Error> for ReadError {
    fn from(error: Error) -> Self {
        Self::Other(error)
    }
}

#[expect(clippy::large_enum_variant, reason = "there is one reader for each line, on the stack")]
enum Source<'a> {
    Json(JsonReader<'a>),
    Bson(BsonReader<'a>),
}

/// A position in a line.
///
/// One type for both encodings, with a branch in each small step, rather than two copies of the whole decoder.
pub(super) struct Reader<'a> {
    source: Source<'a>,
    /// The name of the last member, for messages.
    member: &'a str,
}

/// Calls a method of whichever reader it is, and says in errors where in the line it was.
macro_rules! pull {
    ($self:ident . $method:ident ()) => {{
        let result = match &mut $self.source {
            Source::Json(reader) => reader.$method(),
            Source::Bson(reader) => reader.$method(),
        };
        result.map_err(|error| $self.located(error))
    }};
}

impl<'a> Reader<'a> {
    pub(super) fn json(line: &'a str, scratch: &'a mut Scratch) -> Self {
        Self { source: Source::Json(JsonReader::new(line, scratch)), member: "" }
    }

    pub(super) fn bson(line: &'a [u8]) -> Self {
        Self { source: Source::Bson(BsonReader::new(line)), member: "" }
    }

    /// Enters an object.
    pub(super) fn begin_object(&mut self) -> Result<()> {
        pull!(self.begin_object())
    }

    /// The name of the innermost object's next member, whose value must then be read; `None` leaves the object.
    #[inline]
    pub(super) fn next_member(&mut self) -> Result<Option<&'a str>> {
        let name = pull!(self.next_member())?;
        self.member = name.unwrap_or_default();
        Ok(name)
    }

    /// Reads an array, each of whose elements `read` reads.
    pub(super) fn array<T>(&mut self, read: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.filtered_array(|reader| read(reader).map(Some))
    }

    /// Reads an array, each of whose elements `read` reads, and leaves out those for which it finds nothing.
    pub(super) fn filtered_array<T>(&mut self, read: impl Fn(&mut Self) -> Result<Option<T>>) -> Result<Vec<T>> {
        let mut elements = Vec::new();
        pull!(self.begin_array())?;
        while pull!(self.next_element())? {
            if let Some(element) = read(self)? {
                elements.try_reserve(1)?;
                elements.push(element);
            }
        }
        Ok(elements)
    }

    /// Reads a value with `read`, or null, which equals absence.
    #[inline]
    pub(super) fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        let is_null = match &mut self.source {
            Source::Json(reader) => reader.take_null(),
            Source::Bson(reader) => reader.take_null(),
        };
        if is_null { Ok(None) } else { read(self).map(Some) }
    }

    /// Whether a string comes next.
    pub(super) fn is_string(&mut self) -> bool {
        match &mut self.source {
            Source::Json(reader) => reader.is_string(),
            Source::Bson(reader) => reader.is_string(),
        }
    }

    pub(super) fn string(&mut self) -> Result<&'a str> {
        pull!(self.string())
    }

    pub(super) fn boolean(&mut self) -> Result<bool> {
        pull!(self.boolean())
    }

    pub(super) fn number(&mut self) -> Result<Number> {
        pull!(self.number())
    }

    /// Reads a number that is whole, however it is written.
    pub(super) fn integer(&mut self) -> Result<i64> {
        match self.number()? {
            Number::Integer(integer) => Ok(integer),
            Number::Real(real) => whole_number(real).ok_or_else(|| self.error("expected an integer of 64 bits")),
        }
    }

    /// Skips a value of any type.
    pub(super) fn skip(&mut self) -> Result<()> {
        pull!(self.skip())
    }

    /// The exact text of an object, which comes next in JSON, or `None` if something else does.
    pub(super) fn object_text(&mut self) -> Result<Option<&'a str>> {
        match &mut self.source {
            Source::Json(reader) => reader.object_text().map_err(|error| self.located(error)),
            Source::Bson(_) => Ok(None),
        }
    }

    /// Checks that nothing follows.
    pub(super) fn finish(&mut self) -> Result<()> {
        self.member = "";
        pull!(self.finish())
    }

    /// An error about what was just read.
    #[cold]
    pub(super) fn error(&self, reason: &str) -> Error {
        let position = match &self.source {
            Source::Json(reader) => reader.position(),
            Source::Bson(reader) => reader.position(),
        };
        self.error_at(reason, position)
    }

    #[cold]
    fn located(&self, error: ReadError) -> Error {
        match error {
            ReadError::Syntax(SyntaxError { position, reason }) => self.error_at(reason, position),
            ReadError::Other(error) => error,
        }
    }

    fn error_at(&self, reason: &str, position: usize) -> Error {
        let encoding = match &self.source {
            Source::Json(_) => "JSON",
            Source::Bson(_) => "BSON",
        };
        if self.member.is_empty() {
            return Error::protocol(format!("{reason} at byte {position} of the {encoding} line"));
        }
        let member = excerpt(self.member);
        Error::protocol(format!("{reason} at byte {position} of the {encoding} line, member {member:?}"))
    }
}

/// The beginning of a name that the service chose, for messages.
pub(super) fn excerpt(name: &str) -> &str {
    const LENGTH: usize = 40;
    name.char_indices().nth(LENGTH).and_then(|(end, _)| name.get(..end)).unwrap_or(name)
}
