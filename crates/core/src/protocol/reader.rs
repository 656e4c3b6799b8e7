//! Pulling values out of a line, whatever its encoding.

use alloc::format;
use alloc::vec::Vec;

use super::bson_reader::BsonReader;
use super::json_reader::JsonReader;
use super::scratch::Scratch;
use crate::error::{Error, ErrorKind};
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

/// Reading failed; the [`Reader`] keeps the error.
///
/// Every step can fail, and returning nothing but this keeps the code of the decoder at half of its size.
#[derive(Debug, Clone, Copy)]
pub(super) struct Failed;

type Result<T, E = Failed> = core::result::Result<T, E>;

/// A position in a line.
///
/// One type for both encodings, with a branch in each small step, rather than two copies of the whole decoder. The steps
/// stay calls for the same reason: inlined wherever a member is read, they take three times the space for no speed.
pub(super) struct Reader<'a> {
    source: Source<'a>,
    /// The name of the last member, for messages.
    member: &'a str,
    failure: Option<Error>,
}

/// Calls a method of whichever reader it is, and says in errors where in the line it was.
macro_rules! pull {
    ($self:ident . $method:ident ()) => {{
        let result = match &mut $self.source {
            Source::Json(reader) => reader.$method(),
            Source::Bson(reader) => reader.$method(),
        };
        match result {
            Ok(value) => Ok(value),
            Err(error) => Err($self.keep(error)),
        }
    }};
}

impl<'a> Reader<'a> {
    pub(super) fn json(line: &'a str, scratch: &'a mut Scratch) -> Self {
        Self { source: Source::Json(JsonReader::new(line, scratch)), member: "", failure: None }
    }

    pub(super) fn bson(line: &'a [u8]) -> Self {
        Self { source: Source::Bson(BsonReader::new(line)), member: "", failure: None }
    }

    /// Enters an object.
    #[inline(never)]
    pub(super) fn begin_object(&mut self) -> Result<()> {
        pull!(self.begin_object())
    }

    /// The name of the innermost object's next member, whose value must then be read; `None` leaves the object.
    #[inline(never)]
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
        self.begin_array()?;
        while self.next_element()? {
            if let Some(element) = read(self)? {
                elements.try_reserve(1).map_err(|error| self.keep(ReadError::Other(error.into())))?;
                elements.push(element);
            }
        }
        Ok(elements)
    }

    #[inline(never)]
    fn begin_array(&mut self) -> Result<()> {
        pull!(self.begin_array())
    }

    #[inline(never)]
    fn next_element(&mut self) -> Result<bool> {
        pull!(self.next_element())
    }

    /// Reads a value with `read`, or null, which equals absence.
    pub(super) fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
        if self.take_null() { Ok(None) } else { read(self).map(Some) }
    }

    #[inline(never)]
    fn take_null(&mut self) -> bool {
        match &mut self.source {
            Source::Json(reader) => reader.take_null(),
            Source::Bson(reader) => reader.take_null(),
        }
    }

    /// Whether a string comes next.
    pub(super) fn is_string(&mut self) -> bool {
        match &mut self.source {
            Source::Json(reader) => reader.is_string(),
            Source::Bson(reader) => reader.is_string(),
        }
    }

    #[inline(never)]
    pub(super) fn string(&mut self) -> Result<&'a str> {
        pull!(self.string())
    }

    #[inline(never)]
    pub(super) fn boolean(&mut self) -> Result<bool> {
        pull!(self.boolean())
    }

    #[inline(never)]
    pub(super) fn number(&mut self) -> Result<Number> {
        pull!(self.number())
    }

    /// Reads a number that is whole, however it is written.
    pub(super) fn integer(&mut self) -> Result<i64> {
        match self.number()? {
            Number::Integer(integer) => Ok(integer),
            Number::Real(real) => whole_number(real).ok_or_else(|| self.fail("expected an integer of 64 bits")),
        }
    }

    /// Skips a value of any type.
    #[inline(never)]
    pub(super) fn skip(&mut self) -> Result<()> {
        pull!(self.skip())
    }

    /// The exact text of an object, which comes next in JSON, or `None` if something else does.
    #[inline(never)]
    pub(super) fn object_text(&mut self) -> Result<Option<&'a str>> {
        match &mut self.source {
            Source::Json(reader) => reader.object_text().map_err(|error| self.keep(error)),
            Source::Bson(_) => Ok(None),
        }
    }

    /// Checks that nothing follows.
    #[inline(never)]
    pub(super) fn finish(&mut self) -> Result<()> {
        self.member = "";
        pull!(self.finish())
    }

    /// Fails because of what was just read.
    #[cold]
    pub(super) fn fail(&mut self, reason: &str) -> Failed {
        let position = match &self.source {
            Source::Json(reader) => reader.position(),
            Source::Bson(reader) => reader.position(),
        };
        self.fail_at(reason, position)
    }

    /// The error that made reading fail.
    #[cold]
    pub(super) fn into_error(self, _: Failed) -> Error {
        self.failure.unwrap_or_else(|| Error::new(ErrorKind::Internal, "reading a line failed without a reason"))
    }

    #[cold]
    #[inline(never)]
    fn keep(&mut self, error: ReadError) -> Failed {
        match error {
            ReadError::Syntax(SyntaxError { position, reason }) => self.fail_at(reason, position),
            ReadError::Other(error) => {
                self.failure = Some(error);
                Failed
            }
        }
    }

    fn fail_at(&mut self, reason: &str, position: usize) -> Failed {
        let encoding = match &self.source {
            Source::Json(_) => "JSON",
            Source::Bson(_) => "BSON",
        };
        let mut message = format!("{reason} at byte {position} of the {encoding} line");
        if !self.member.is_empty() {
            message = format!("{message}, member {:?}", excerpt(self.member));
        }
        self.failure = Some(Error::protocol(message));
        Failed
    }
}

/// The beginning of a name that the service chose, for messages.
pub(super) fn excerpt(name: &str) -> &str {
    const LENGTH: usize = 40;
    name.char_indices().nth(LENGTH).and_then(|(end, _)| name.get(..end)).unwrap_or(name)
}
