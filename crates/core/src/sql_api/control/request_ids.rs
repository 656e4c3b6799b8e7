//! Commands about checkpoint request ids (docs/reference/sync-client.md#the-gate).

use sqlite_nostd::ValueType;

use super::Call;
use super::payload;
use crate::error::{Error, Result};
use crate::sync_client::{Event, TargetChange};

/// `seed_checkpoint_request_id`
pub(super) fn seed(mut call: Call<'_>) -> Result<()> {
    call.engine.require_iteration()?;
    match payload::integer(call.payload)? {
        None => Err(Error::argument("checkpoint request id must be an integer or integer string")),
        Some(id) if id <= 0 => Err(Error::argument("checkpoint request id must be a positive integer")),
        Some(id) => call.handle(Event::SeedRequestId(id)),
    }
}

/// `next_checkpoint_request_id`
pub(super) fn next(mut call: Call<'_>) -> Result<()> {
    call.handle(Event::NextRequestId)
}

/// `current_checkpoint_request_id`
pub(super) fn current(mut call: Call<'_>) -> Result<()> {
    call.handle(Event::CurrentRequestId)
}

/// `target_checkpoint_request_id`
pub(super) fn target(mut call: Call<'_>) -> Result<()> {
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
    call.handle(Event::TargetRequestId(change))
}
