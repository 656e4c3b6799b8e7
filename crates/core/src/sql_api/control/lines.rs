//! Commands that bring a line from the service.

use sqlite_nostd::ValueType;

use super::Call;
use super::payload;
use crate::engine::{Event, Outcome};
use crate::error::{Error, Result};
use crate::protocol::{Scratch, decode_binary, decode_text};

/// `line_text`
pub fn line_text(call: Call<'_>) -> Result<Outcome> {
    let text = payload::text(call.payload, "a line")?;
    call.engine.require_iteration()?;
    let mut scratch = Scratch::new();
    let line = decode_text(text, &mut scratch)?;
    call.engine.handle(Event::Line { line, size: text.len() }, call.storage)
}

/// `line_binary`
pub fn line_binary(call: Call<'_>) -> Result<Outcome> {
    if call.payload.value_type() != ValueType::Blob {
        return Err(Error::argument("Second argument must be a byte array: a line"));
    }
    call.engine.require_iteration()?;
    let bytes = call.payload.blob()?;
    let mut scratch = Scratch::new();
    let line = decode_binary(bytes, &mut scratch)?;
    call.engine.handle(Event::Line { line, size: bytes.len() }, call.storage)
}
