//! The shapes of payloads that more than one command has.

use alloc::format;

use rowtide_json::parse_integer;
use rowtide_protocol::{Failed, Reader, required};
use sqlite_nostd::{Value, ValueType};

use crate::error::{Error, Result};
use crate::sync_client::StreamKey;

/// The payload as text. `what` says what it should hold.
pub(super) fn text<'v>(payload: &'v Value, what: &str) -> Result<&'v str> {
    match payload.value_type() {
        ValueType::Text => Ok(payload.text()?),
        _ => Err(Error::argument(format!("Second argument must be a string: {what}"))),
    }
}

/// An integer, given as one or in decimal digits; None for anything else.
pub(super) fn integer(payload: &Value) -> Result<Option<i64>> {
    Ok(match payload.value_type() {
        ValueType::Integer => Some(payload.integer()),
        ValueType::Text => parse_integer(payload.text()?),
        _ => None,
    })
}

/// Reads a stream with its parameters.
pub(super) fn stream(reader: &mut Reader<'_>) -> Result<StreamKey, Failed> {
    let (mut name, mut params, mut parameters) = (None, None, None);
    reader.begin_object()?;
    while let Some(member) = reader.next_member()? {
        match member {
            "name" => name = reader.optional(Reader::string)?,
            "params" => params = reader.optional(Reader::value_text)?,
            // How the Rust SDK calls them.
            "parameters" => parameters = reader.optional(Reader::value_text)?,
            _ => reader.skip()?,
        }
    }
    let name = required(reader, name, "name")?;
    Ok(StreamKey { name: reader.copy(name)?, parameters: reader.copy(params.or(parameters).unwrap_or("null"))? })
}
