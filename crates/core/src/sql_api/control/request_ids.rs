//! Commands about checkpoint request ids (sync client, The gate).

use sqlite_nostd::ValueType;

use super::Call;
use super::payload;
use crate::engine::{Event, Outcome, TargetChange};
use crate::error::{Error, Result};

/// `seed_checkpoint_request_id`
pub fn seed(call: Call<'_>) -> Result<Outcome> {
    call.engine.require_iteration()?;
    match payload::integer(call.payload)? {
        None => Err(Error::argument("checkpoint request id must be an integer or integer string")),
        Some(id) if id <= 0 => Err(Error::argument("checkpoint request id must be a positive integer")),
        Some(id) => call.engine.handle(Event::SeedRequestId(id), call.storage),
    }
}

/// `next_checkpoint_request_id`
pub fn next(call: Call<'_>) -> Result<Outcome> {
    call.engine.handle(Event::NextRequestId, call.storage)
}

/// `current_checkpoint_request_id`
pub fn current(call: Call<'_>) -> Result<Outcome> {
    call.engine.handle(Event::CurrentRequestId, call.storage)
}

/// `target_checkpoint_request_id`
pub fn target(call: Call<'_>) -> Result<Outcome> {
    let change = match payload::integer(call.payload)? {
        None if call.payload.value_type() == ValueType::Null => TargetChange::Keep,
        None => {
            return Err(Error::argument("target checkpoint request id must be an integer, integer string, or null"));
        }
        Some(0) => TargetChange::Clear,
        Some(id) if id < 0 => {
            return Err(Error::argument("target checkpoint request id must be a non-negative integer"));
        }
        Some(id) => TargetChange::Set(id),
    };
    call.engine.handle(Event::TargetRequestId(change), call.storage)
}
