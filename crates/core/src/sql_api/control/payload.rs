//! The shapes of payloads that more than one command has.

use alloc::format;
use alloc::string::{String, ToString};

use serde::Deserialize;
use serde_json::value::RawValue;
use sqlite_nostd::{Value, ValueType};

use crate::engine::StreamKey;
use crate::error::{Error, Result};

/// The payload as text. `what` says what it should hold.
pub fn text<'v>(payload: &'v Value, what: &str) -> Result<&'v str> {
    match payload.value_type() {
        ValueType::Text => Ok(payload.text()?),
        _ => Err(Error::argument(format!("Second argument must be a string: {what}"))),
    }
}

/// Parses JSON text. `what` says what it should hold.
pub fn json<'j, T: Deserialize<'j>>(text: &'j str, what: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|error| Error::argument(format!("{what}: {error}")))
}

/// An integer, given as one or in decimal digits; None for anything else.
pub fn integer(payload: &Value) -> Result<Option<i64>> {
    Ok(match payload.value_type() {
        ValueType::Integer => Some(payload.integer()),
        ValueType::Text => payload.text()?.parse().ok(),
        _ => None,
    })
}

/// A stream with its parameters.
#[derive(Deserialize)]
pub struct StreamJson<'j> {
    name: String,
    #[serde(borrow, default)]
    params: Option<&'j RawValue>,
    /// How the Rust SDK calls them.
    #[serde(borrow, default)]
    parameters: Option<&'j RawValue>,
}

impl From<StreamJson<'_>> for StreamKey {
    fn from(stream: StreamJson<'_>) -> Self {
        let parameters = stream.params.or(stream.parameters).map_or("null", RawValue::get).to_string();
        Self { name: stream.name, parameters }
    }
}
