//! Commands that bring a line from the service.

use rowtide_protocol::{Scratch, decode_binary, decode_text};
use sqlite_nostd::ValueType;

use super::Call;
use super::payload;
use crate::error::{Error, Result};
use crate::sync_client::Event;

/// Memory for decoding that is kept from one line to the next, in bytes: services send lines of some 1 MB.
const KEPT_SCRATCH: usize = 1 << 20;

/// A line that has fewer bytes than one in so many of the memory kept gives it back.
const KEPT_FACTOR: usize = 100;

/// `line_text`
pub(super) fn line_text(mut call: Call<'_>) -> Result<()> {
    let text = payload::text(call.payload, "a line")?;
    call.engine.require_iteration()?;
    // Asking for fresh memory costs more than a tenth of decoding: the system clears it page by page.
    let mut scratch = call.session.scratch.take();
    // After large lines, a short one such as that which publishes them needs the memory elsewhere.
    scratch.trim(text.len().saturating_mul(KEPT_FACTOR));
    let outcome = match decode_text(text, &mut scratch) {
        Ok(line) => call.handle(Event::Line { line, size: text.len() }),
        Err(error) => Err(error.into()),
    };
    scratch.trim(if call.engine.has_iteration() { KEPT_SCRATCH } else { 0 });
    call.session.scratch.set(scratch);
    outcome
}

/// `line_binary`
pub(super) fn line_binary(mut call: Call<'_>) -> Result<()> {
    if call.payload.value_type() != ValueType::Blob {
        return Err(Error::argument("Second argument must be a byte array: a line"));
    }
    call.engine.require_iteration()?;
    let bytes = call.payload.blob()?;
    let mut scratch = Scratch::new();
    let line = decode_binary(bytes, &mut scratch)?;
    call.handle(Event::Line { line, size: bytes.len() })
}
