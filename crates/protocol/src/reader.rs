//! Pulling values out of a line, whatever its encoding, and out of JSON that the SDK gives.

use alloc::collections::TryReserveError;
use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use super::bson_reader::BsonReader;
use super::json_reader::JsonReader;
use super::priority::Priority;
use super::scratch::Scratch;
use crate::error::{ProtocolError, ProtocolErrorKind};
use rowtide_json::Quoted;
use rowtide_json::{Number, SyntaxError, check_standard, whole_number};

/// The deepest nesting of what is read, also in parts that are skipped (docs/reference/protocol.md#encodings).
pub(crate) const NESTING_LIMIT: usize = 128;

/// Why a value could not be read.
pub(crate) enum ReadError {
    /// The line is malformed, or not what was asked for.
    Syntax(SyntaxError),
    /// Memory ran out.
    OutOfMemory(TryReserveError),
}

impl From<SyntaxError> for ReadError {
    fn from(error: SyntaxError) -> Self {
        Self::Syntax(error)
    }
}

impl From<TryReserveError> for ReadError {
    fn from(error: TryReserveError) -> Self {
        Self::OutOfMemory(error)
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
pub struct Failed;

type Result<T, E = Failed> = core::result::Result<T, E>;

/// Reads `text`, standard JSON that the SDK gives, with `read`. Messages call it `what`.
///
/// # Errors
/// An argument error that names the member and the byte offset; out of memory.
pub fn read_argument<'a, T>(
    text: &'a str,
    what: &'static str,
    scratch: &'a mut Scratch,
    read: impl FnOnce(&mut Reader<'a>) -> Result<T>,
) -> crate::error::Result<T> {
    let mut reader = Reader { kind: ProtocolErrorKind::Argument, what, ..Reader::json(text, scratch) };
    let value = reader.check(text).and_then(|()| read(&mut reader));
    value.and_then(|value| reader.finish().map(|()| value)).map_err(|failed| reader.into_error(failed))
}

/// A position in a line or an argument.
///
/// One type for both encodings, with a branch in each small step, rather than two copies of the whole decoder. The
/// steps stay calls for the same reason: inlined at every place that reads a member, they take three times the space
/// for no speed.
pub struct Reader<'a> {
    source: Source<'a>,
    /// What is read, and the kind of errors in it.
    what: &'static str,
    kind: ProtocolErrorKind,
    /// The name of the last member, for messages.
    member: &'a str,
    failure: Option<ProtocolError>,
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
    pub(crate) fn json(line: &'a str, scratch: &'a mut Scratch) -> Self {
        Self::new(Source::Json(JsonReader::new(line, scratch)), "JSON line")
    }

    pub(crate) fn bson(line: &'a [u8]) -> Self {
        Self::new(Source::Bson(BsonReader::new(line)), "BSON line")
    }

    const fn new(source: Source<'a>, what: &'static str) -> Self {
        Self { source, what, kind: ProtocolErrorKind::Line, member: "", failure: None }
    }

    /// Fails unless `text`, which is read, is JSON without extensions.
    #[inline(never)]
    fn check(&mut self, text: &str) -> Result<()> {
        check_standard(text).map_err(|error| self.keep(error.into()))
    }

    /// Enters an object.
    #[inline(never)]
    pub fn begin_object(&mut self) -> Result<()> {
        pull!(self.begin_object())
    }

    /// The name of the innermost object's next member, whose value must then be read; `None` leaves the object.
    #[inline(never)]
    pub fn next_member(&mut self) -> Result<Option<&'a str>> {
        let name = pull!(self.next_member())?;
        self.member = name.unwrap_or_default();
        Ok(name)
    }

    /// Reads an array, each of whose elements `read` reads.
    pub fn array<T>(&mut self, read: impl Fn(&mut Self) -> Result<T>) -> Result<Vec<T>> {
        self.filtered_array(|reader| read(reader).map(Some))
    }

    /// Reads an array, each of whose elements `read` reads, and leaves out those for which it finds nothing.
    pub(crate) fn filtered_array<T>(&mut self, read: impl Fn(&mut Self) -> Result<Option<T>>) -> Result<Vec<T>> {
        let mut elements = Vec::new();
        self.each_element(&mut |reader| {
            if let Some(element) = read(reader)? {
                elements.try_reserve(1).map_err(|error| reader.keep(error.into()))?;
                elements.push(element);
            }
            Ok(())
        })?;
        Ok(elements)
    }

    /// Reads an array, each of whose elements `read` reads.
    fn each_element(&mut self, read: &mut dyn FnMut(&mut Self) -> Result<()>) -> Result<()> {
        self.begin_array()?;
        while self.next_element()? {
            read(self)?;
        }
        Ok(())
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
    pub fn optional<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T>) -> Result<Option<T>> {
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
    pub fn is_string(&mut self) -> bool {
        match &mut self.source {
            Source::Json(reader) => reader.is_string(),
            Source::Bson(reader) => reader.is_string(),
        }
    }

    /// A string.
    #[inline(never)]
    pub fn string(&mut self) -> Result<&'a str> {
        pull!(self.string())
    }

    /// A boolean.
    #[inline(never)]
    pub fn boolean(&mut self) -> Result<bool> {
        pull!(self.boolean())
    }

    #[inline(never)]
    pub(crate) fn number(&mut self) -> Result<Number> {
        pull!(self.number())
    }

    /// Reads a number that is whole, however it is written.
    pub fn integer(&mut self) -> Result<i64> {
        match self.number()? {
            Number::Integer(integer) => Ok(integer),
            Number::Real(real) => whole_number(real).ok_or_else(|| self.fail("expected an integer of 64 bits")),
        }
    }

    /// A priority: an integer in its range.
    pub fn priority(&mut self) -> Result<Priority> {
        let number = self.integer()?;
        Priority::try_from(number).map_err(|_| self.fail("expected a priority from 0 to 3"))
    }

    /// Skips a value of any type.
    #[inline(never)]
    pub fn skip(&mut self) -> Result<()> {
        pull!(self.skip())
    }

    /// Whether an array comes next.
    pub fn is_array(&mut self) -> bool {
        match &mut self.source {
            Source::Json(reader) => reader.is_array(),
            Source::Bson(reader) => reader.is_array(),
        }
    }

    /// The exact text of a value of any type, which comes next in JSON.
    #[inline(never)]
    pub fn value_text(&mut self) -> Result<&'a str> {
        match &mut self.source {
            Source::Json(reader) => reader.value_text().map_err(|error| self.keep(error)),
            Source::Bson(_) => Err(self.fail("expected JSON")),
        }
    }

    /// The exact text of an object, which comes next in JSON, or `None` if something else does.
    #[inline(never)]
    pub fn object_text(&mut self) -> Result<Option<&'a str>> {
        match &mut self.source {
            Source::Json(reader) => reader.object_text().map_err(|error| self.keep(error)),
            Source::Bson(_) => Ok(None),
        }
    }

    /// Checks that nothing follows.
    #[inline(never)]
    pub(crate) fn finish(&mut self) -> Result<()> {
        self.member = "";
        pull!(self.finish())
    }

    /// A copy of what was read.
    pub fn copy(&mut self, text: &str) -> Result<String> {
        let mut copy = String::new();
        if let Err(error) = copy.try_reserve_exact(text.len()) {
            return Err(self.keep(error.into()));
        }
        copy.push_str(text);
        Ok(copy)
    }

    /// Fails because of what was just read.
    #[cold]
    pub fn fail(&mut self, reason: &str) -> Failed {
        let position = match &self.source {
            Source::Json(reader) => reader.position(),
            Source::Bson(reader) => reader.position(),
        };
        self.fail_at(reason, position)
    }

    /// The error that made reading fail.
    #[cold]
    #[inline(never)]
    pub(crate) fn into_error(self, _: Failed) -> ProtocolError {
        self.failure.unwrap_or_else(|| {
            ProtocolError::new(ProtocolErrorKind::Internal, "reading a line failed without a reason")
        })
    }

    #[cold]
    #[inline(never)]
    fn keep(&mut self, error: ReadError) -> Failed {
        match error {
            ReadError::Syntax(SyntaxError { position, reason }) => self.fail_at(reason, position),
            ReadError::OutOfMemory(error) => {
                self.failure = Some(error.into());
                Failed
            }
        }
    }

    fn fail_at(&mut self, reason: &str, position: usize) -> Failed {
        let mut message = format!("{reason} at byte {position} of the {}", self.what);
        if !self.member.is_empty() {
            message = format!("{message}, member {}", Quoted(excerpt(self.member)));
        }
        self.failure = Some(ProtocolError::new(self.kind, message));
        Failed
    }
}

/// What the member called `name`, which an object must have, holds.
pub fn required<T>(reader: &mut Reader<'_>, value: Option<T>, name: &str) -> Result<T> {
    value.ok_or_else(|| missing(reader, name))
}

#[cold]
fn missing(reader: &mut Reader<'_>, name: &str) -> Failed {
    reader.fail(&format!("an object without {} ends", Quoted(name)))
}

/// The beginning of a name that the service chose, for messages.
pub(crate) fn excerpt(name: &str) -> &str {
    const LENGTH: usize = 40;
    name.char_indices().nth(LENGTH).and_then(|(end, _)| name.get(..end)).unwrap_or(name)
}
