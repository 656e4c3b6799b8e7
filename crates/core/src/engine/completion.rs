//! Completing a checkpoint: validating what was downloaded, publishing it or keeping it until local writes are
//! acknowledged (sync client, Life of an iteration).

use alloc::boxed::Box;
use alloc::vec;
use alloc::vec::Vec;

use super::change::{Change, TargetChange, Waiting};
use super::gate::{self, Acknowledgement};
use super::instruction::Instruction;
use super::iteration::{Iteration, Next, Reaction};
use super::memory::{append, copy, format, push};
use super::status::{Connection, Status};
use super::streams::{self, StreamRow};
use super::target::{ChangedTarget, Target};
use crate::error::{Error, Result};
use crate::protocol::{Checksum, Priority};
use crate::storage::{ChangedBucket, Extent, FULL_CHECKPOINT_PRIORITY, RequestId, Storage, Timestamp};

/// A bucket whose operations do not sum up to what the checkpoint says.
struct InvalidBucket {
    name: Box<str>,
    expected: Checksum,
    actual: Checksum,
}

/// What was published, as far as memory has to follow.
struct Publication {
    time: Timestamp,
    streams: Vec<StreamRow>,
}

impl Iteration {
    /// All data for the target was sent.
    pub(super) fn checkpoint_complete(&self, storage: &mut dyn Storage) -> Result<Reaction<'static>> {
        let target = complete_target(self.target.as_ref())?;
        let changed = match validate(target, None, storage)? {
            Ok(changed) => changed,
            Err(invalid) => return delete_invalid("checkpoint", &invalid, storage),
        };
        record_validated(target, &changed, storage)?;
        if gate::is_open(storage)? {
            self.publish_all(target, &changed, "Validated and applied checkpoint", storage)
        } else {
            self.delay(target, &changed, storage)
        }
    }

    /// All data for the buckets up to `priority` was sent.
    pub(super) fn partial_checkpoint_complete(
        &self,
        priority: Priority,
        storage: &mut dyn Storage,
    ) -> Result<Reaction<'static>> {
        let target = complete_target(self.target.as_ref())?;
        let changed = match validate(target, Some(priority), storage)? {
            Ok(changed) => changed,
            Err(invalid) => return delete_invalid("partial checkpoint", &invalid, storage),
        };
        if priority != Priority::HIGHEST && !gate::is_open(storage)? {
            let (change, next) = self.connect()?;
            return Ok(Reaction::with(vec![Instruction::CheckpointDelayedDueToLocalData], next).changing(change));
        }
        let is_involved = |id| target.involves(id, priority);
        let extent = Extent::Partial { priority: priority.into(), is_involved: &is_involved };
        storage.complete(&changed, target.last_op_id, extent)?;
        let publication = self.publish(target, &changed, Some(priority), storage)?;
        Ok(Reaction::only(Next::Report).changing(self.adopt_partial(publication, priority)?))
    }

    /// The upload queue was sent: tries a checkpoint again that waits for it.
    pub(super) fn upload_completed(&self, storage: &mut dyn Storage) -> Result<Reaction<'static>> {
        const STILL_WAITING: &str = "Could not apply pending checkpoint even after completed upload";
        let (Some(target), Waiting::Validated | Waiting::Overtaken) = (&self.target, self.waiting) else {
            return Ok(Reaction::only(Next::Continue));
        };
        let keep_waiting = |reason: &str| {
            let line = format(format_args!("{STILL_WAITING}{reason}"))?;
            Ok(Reaction::with(vec![Instruction::warning(line)], Next::Continue))
        };
        match gate::acknowledgement(target.write_checkpoint, storage)? {
            Acknowledgement::Sufficient => {}
            Acknowledgement::Outstanding => return Ok(Reaction::only(Next::Continue)),
            Acknowledgement::NotRequested => {
                return keep_waiting(
                    ": no checkpoint request id is stored for the uploaded writes. Request a write checkpoint from the \
                     service and store it with target_checkpoint_request_id",
                );
            }
        }
        if self.waiting == Waiting::Overtaken {
            return keep_waiting(": more data arrived since it was validated. Will retry at next checkpoint.");
        }
        let changed = match validate(target, None, storage)? {
            Ok(changed) => changed,
            Err(invalid) => return delete_invalid("checkpoint", &invalid, storage),
        };
        record_validated(target, &changed, storage)?;
        if !gate::is_open(storage)? {
            return keep_waiting("");
        }
        self.publish_all(target, &changed, "Applied pending checkpoint after completed upload", storage)
    }

    /// Publishes the whole target.
    fn publish_all(
        &self,
        target: &Target,
        changed: &[ChangedBucket],
        log_line: &str,
        storage: &mut dyn Storage,
    ) -> Result<Reaction<'static>> {
        let request_id = target.write_checkpoint;
        let Publication { time, streams } = self.publish(target, changed, None, storage)?;
        if let Some(id) = request_id {
            storage.set_request_id(RequestId::LastApplied, Some(id))?;
        }
        let mut status = Status { connection: Connection::Connected, ..self.status.copy()? };
        status.record_full_sync(time, request_id);
        let mut instructions = vec![Instruction::debug(log_line)];
        if let Some(id) = request_id {
            let line = format(format_args!("Applied checkpoint request id {id}"))?;
            push(&mut instructions, Instruction::debug(line))?;
        }
        push(&mut instructions, Instruction::DidCompleteSync { applied_checkpoint_request_id: request_id })?;
        Ok(Reaction::with(instructions, Next::Report).changing(Change {
            status: Some(status),
            streams: Some(streams),
            waiting: Some(Waiting::No),
            target: Some(TargetChange::Settle(target.settled_progress()?)),
            ..Change::default()
        }))
    }

    /// Keeps the validated target until local writes are acknowledged. Priority 0 does not wait.
    fn delay(
        &self,
        target: &Target,
        changed: &[ChangedBucket],
        storage: &mut dyn Storage,
    ) -> Result<Reaction<'static>> {
        let change = if target.progress.is_all_highest_priority() {
            let publication = self.publish(target, changed, Some(Priority::HIGHEST), storage)?;
            self.adopt_partial(publication, Priority::HIGHEST)?
        } else {
            self.connect()?.0
        };
        let log_line =
            "Could not apply checkpoint due to local data. Will retry at completed upload or next checkpoint.";
        let instructions = vec![Instruction::CheckpointDelayedDueToLocalData, Instruction::info(log_line)];
        let change = Change { waiting: Some(Waiting::Validated), ..change };
        Ok(Reaction::with(instructions, Next::Report).changing(change))
    }

    fn adopt_partial(&self, publication: Publication, priority: Priority) -> Result<Change<'static>> {
        let mut status = Status { connection: Connection::Connected, ..self.status.copy()? };
        status.record_sync(priority.into(), publication.time);
        Ok(Change { status: Some(status), streams: Some(publication.streams), ..Change::default() })
    }

    /// Publishes the buckets up to `limit` (None: all).
    fn publish(
        &self,
        target: &Target,
        changed: &[ChangedBucket],
        limit: Option<Priority>,
        storage: &mut dyn Storage,
    ) -> Result<Publication> {
        match limit {
            None => storage.publish(changed, Extent::Full)?,
            Some(priority) => {
                let is_involved = |id| target.involves(id, priority);
                storage.publish(changed, Extent::Partial { priority: priority.into(), is_involved: &is_involved })?;
            }
        }
        let time = storage.now()?;
        storage.record_sync_time(limit.map_or(FULL_CHECKPOINT_PRIORITY, i64::from), time)?;
        let streams = streams::record_sync(&self.streams, &self.requested, &target.progress, limit, time, storage)?;
        Ok(Publication { time, streams })
    }
}

fn complete_target<T>(target: Option<T>) -> Result<T> {
    target.ok_or_else(|| Error::protocol("Received checkpoint complete without previous checkpoint"))
}

/// Compares the checksums of the buckets that a publish up to `limit` has to look at. All others were found valid
/// before, and nothing happened to them since.
fn validate(
    target: &Target,
    limit: Option<Priority>,
    storage: &mut dyn Storage,
) -> Result<Result<Vec<ChangedBucket>, Vec<InvalidBucket>>> {
    let (mut changed, mut invalid) = (Vec::new(), Vec::new());
    for ChangedTarget { name, id, checksum, count } in target.changed(limit) {
        let actual = match id {
            Some(id) => storage.checksum(id)?,
            None => Checksum::ZERO,
        };
        if actual != checksum {
            invalid.try_reserve(1)?;
            invalid.push(InvalidBucket { name: copy(name)?, expected: checksum, actual });
        }
        changed.try_reserve(1)?;
        changed.extend(id.map(|id| ChangedBucket { id, count }));
    }
    Ok(if invalid.is_empty() { Ok(changed) } else { Err(invalid) })
}

/// Deletes the buckets, so that the next iteration downloads them again, and ends this one.
fn delete_invalid(what: &str, invalid: &[InvalidBucket], storage: &mut dyn Storage) -> Result<Reaction<'static>> {
    let mut line = format(format_args!("Could not apply {what}, Checksums didn't match, failed for: "))?;
    for (index, InvalidBucket { name, expected, actual }) in invalid.iter().enumerate() {
        storage.delete_bucket(name)?;
        let separator = if index == 0 { "" } else { ", " };
        let (expected, actual) = (expected.get(), actual.get());
        append(&mut line, format_args!("{separator}{name} (expected {expected:#010x}, got {actual:#010x})"))?;
    }
    Ok(Reaction::with(vec![Instruction::warning(line)], Next::Close { hide_disconnect: false }))
}

/// Stores that the whole target is valid.
fn record_validated(target: &Target, changed: &[ChangedBucket], storage: &mut dyn Storage) -> Result<()> {
    storage.complete(changed, target.last_op_id, Extent::Full)?;
    if let Some(write_checkpoint) = target.write_checkpoint {
        storage.set_request_id(RequestId::LastSeen, Some(write_checkpoint))?;
    }
    Ok(())
}
