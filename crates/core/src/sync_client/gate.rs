//! The gate: whether local writes hold back publishing, and the request ids that open it
//! (docs/reference/sync-client.md#the-gate).

use crate::error::{Error, ErrorKind, Result};

use super::event::TargetChange;
use crate::sync_client::storage::{RequestId, Storage, UNKNOWN_REQUEST_ID};

/// Whether downloads may be published: nothing waits for its upload, and everything uploaded came back.
pub(super) fn is_open(storage: &mut dyn Storage) -> Result<bool> {
    if !storage.upload_queue_is_empty()? {
        return Ok(false);
    }
    let Some(target) = storage.request_id(RequestId::Target)? else { return Ok(true) };
    let seen = storage.request_id(RequestId::LastSeen)?.unwrap_or(0);
    Ok(target <= seen)
}

/// Whether a checkpoint that waits has a chance when an upload is completed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Acknowledgement {
    /// Nothing is left for it to acknowledge.
    Sufficient,
    /// The service will send one that acknowledges more.
    Outstanding,
    /// Everything was uploaded, and no request id was stored for it, so that nothing can acknowledge it.
    NotRequested,
}

/// What a checkpoint that includes `write_checkpoint` acknowledges.
pub(super) fn acknowledgement(write_checkpoint: Option<i64>, storage: &mut dyn Storage) -> Result<Acknowledgement> {
    let target = storage.request_id(RequestId::Target)?.unwrap_or(0);
    if target == UNKNOWN_REQUEST_ID {
        // A write that came after the request id was stored is an ordinary race: its own upload follows.
        let is_uploaded = storage.upload_queue_is_empty()?;
        return Ok(if is_uploaded { Acknowledgement::NotRequested } else { Acknowledgement::Outstanding });
    }
    Ok(match write_checkpoint {
        Some(write_checkpoint) if write_checkpoint >= target => Acknowledgement::Sufficient,
        // It says nothing about uploads, and holds back nothing if an earlier one has said enough.
        None if is_open(storage)? => Acknowledgement::Sufficient,
        _ => Acknowledgement::Outstanding,
    })
}

/// Stores the counter as it is given.
pub(super) fn seed_request_id(id: i64, storage: &mut dyn Storage) -> Result<i64> {
    storage.set_request_id(RequestId::LastRequested, Some(id))?;
    Ok(id)
}

/// The counter, None if it was never seeded.
pub(super) fn current_request_id(storage: &mut dyn Storage) -> Result<Option<i64>> {
    storage.request_id(RequestId::LastRequested)
}

/// Counts on.
pub(super) fn next_request_id(storage: &mut dyn Storage) -> Result<i64> {
    let Some(last) = storage.request_id(RequestId::LastRequested)? else {
        return Err(Error::state("Checkpoint request state has not been seeded"));
    };
    let Some(next) = last.checked_add(1) else {
        return Err(Error::state("The checkpoint request id cannot grow beyond 9223372036854775807"));
    };
    storage.set_request_id(RequestId::LastRequested, Some(next))?;
    Ok(next)
}

/// Changes the target, and returns the one before. A damaged one can be replaced.
pub(crate) fn change_target(change: TargetChange, storage: &mut dyn Storage) -> Result<Option<i64>> {
    let previous = match storage.request_id(RequestId::Target) {
        Err(error) if error.kind() == ErrorKind::LocalData && change != TargetChange::Keep => None,
        previous => previous?,
    };
    match change {
        TargetChange::Keep => {}
        TargetChange::Clear => storage.set_request_id(RequestId::Target, None)?,
        TargetChange::Set(target) => storage.set_request_id(RequestId::Target, Some(target))?,
    }
    Ok(previous)
}
