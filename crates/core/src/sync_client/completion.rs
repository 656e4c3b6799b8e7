//! Completing a checkpoint: validating what was downloaded, publishing it or keeping it until local writes are
//! acknowledged (docs/reference/sync-client.md#checkpoint_complete).

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use rowtide_protocol::{Checksum, Priority};

use super::change::{Change, PhaseChange};
use super::event::GateMode;
use super::gate::{self, Acknowledgement};
use super::instruction::Instruction;
use super::iteration::{Iteration, NextStep, Transition};
use super::memory::{append, copy, format, push};
use super::phase::{Phase, Waiting};
use super::status::{Connection, Status};
use super::streams::{self, StreamRow};
use super::target::{ChangedTarget, Target};
use crate::error::Result;
use crate::sync_client::storage::{
    ChangedBucket, FULL_CHECKPOINT_PRIORITY, FindingKind, RequestId, Scope, Storage, Timestamp,
};

/// Logged when stored data are ahead of the checkpoint.
const PUT_OFF: &str =
    "Stored data are ahead of the checkpoint, as another client has got newer ones. Will retry at next checkpoint.";

/// Logged when local writes hold back a checkpoint, followed by the reason.
const DELAYED: &str =
    "Could not apply checkpoint due to local data. Will retry at completed upload or next checkpoint. Reason: ";

/// The number of keep-alives, about 20 seconds apart, for which the service may take to reach what was stored before
/// the iteration began. If nothing changes in that time, it has started over.
const QUIET_KEEP_ALIVES: u32 = 2;

/// What comparing a checkpoint with stored data gives.
enum Verdict {
    /// It is valid. These of its buckets have to be published.
    Valid(Vec<ChangedBucket>),
    /// Stored data are ahead of it: it is not valid yet.
    Ahead {
        /// The operation up to which they are stored.
        held: i64,
    },
    /// Another iteration deleted buckets that the service takes as received.
    Gone,
    /// These buckets are wrong.
    Invalid(Vec<InvalidBucket>),
}

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
    pub(super) fn checkpoint_complete(&self, storage: &mut dyn Storage) -> Result<Transition<'static>> {
        let target = self.phase.complete_target()?;
        let changed = match self.validate(target, None, storage)? {
            Verdict::Valid(changed) => changed,
            Verdict::Ahead { held } => return self.put_off(held),
            Verdict::Gone => return Ok(download_again()),
            Verdict::Invalid(invalid) => return delete_invalid("checkpoint", &invalid, target, None, storage),
        };
        self.record_validated(target, &changed, storage)?;
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
    ) -> Result<Transition<'static>> {
        let target = self.phase.complete_target()?;
        let changed = match self.validate(target, Some(priority), storage)? {
            Verdict::Valid(changed) => changed,
            Verdict::Ahead { .. } => {
                let (change, next) = self.connect()?;
                return Ok(Transition::with(vec![Instruction::debug(PUT_OFF)], next).changing(change));
            }
            Verdict::Gone => return Ok(download_again()),
            Verdict::Invalid(invalid) => {
                return delete_invalid("partial checkpoint", &invalid, target, Some(priority), storage);
            }
        };
        let is_involved = |id| target.involves(id, priority);
        let scope = Scope::Partial { is_involved: &is_involved };
        if priority != Priority::HIGHEST && !gate::is_open(storage)? {
            if self.gate == GateMode::Rows {
                storage.publish_around_local_writes(&changed, scope)?;
            }
            let (change, next) = self.connect()?;
            return Ok(Transition::with(vec![Instruction::CheckpointDelayedDueToLocalData], next).changing(change));
        }
        storage.complete(&changed, target.last_op_id, scope)?;
        record_checksums(&[], target, Some(priority), storage)?;
        let mut instructions = Vec::new();
        let publication = self.publish(target, &changed, Some(priority), storage, &mut instructions)?;
        let change = self.adopt_partial(publication, priority)?;
        Ok(Transition::with(instructions, NextStep::Report).changing(change))
    }

    /// The upload queue was sent: tries a checkpoint again that waits for it.
    pub(super) fn upload_completed(&self, storage: &mut dyn Storage) -> Result<Transition<'static>> {
        const STILL_WAITING: &str = "Could not apply pending checkpoint even after completed upload: ";
        const OVERTAKEN: &str = "Could not apply pending checkpoint even after completed upload: more data arrived \
            since it was validated. Will retry at next checkpoint.";
        let Phase::Checkpoint {
            target,
            waiting: Some(waiting @ (Waiting::Validated | Waiting::PerhapsPublished | Waiting::Overtaken)),
        } = &self.phase
        else {
            return Ok(Transition::only(NextStep::Continue));
        };
        match gate::acknowledgement(target.write_checkpoint, storage)? {
            Acknowledgement::Sufficient => {}
            Acknowledgement::Outstanding => return Ok(Transition::only(NextStep::Continue)),
            Acknowledgement::NotRequested => return Ok(keep_waiting(&storage.explain_gate(STILL_WAITING)?)),
        }
        if *waiting == Waiting::Overtaken {
            return Ok(keep_waiting(OVERTAKEN));
        }
        let changed = match self.validate(target, None, storage)? {
            Verdict::Valid(changed) => changed,
            Verdict::Ahead { .. } => return Ok(keep_waiting(OVERTAKEN)),
            Verdict::Gone => return Ok(download_again()),
            Verdict::Invalid(invalid) => return delete_invalid("checkpoint", &invalid, target, None, storage),
        };
        self.record_validated(target, &changed, storage)?;
        if !gate::is_open(storage)? {
            return Ok(keep_waiting(&storage.explain_gate(STILL_WAITING)?));
        }
        self.publish_all(target, &changed, "Applied pending checkpoint after completed upload", storage)
    }

    /// Looks again, at a keep-alive, at a checkpoint that is waiting: nothing else may come for a long time.
    pub(super) fn reconsider(&self, storage: &mut dyn Storage) -> Result<Transition<'static>> {
        let Phase::Checkpoint { target, waiting: Some(waiting) } = &self.phase else {
            return self.go_on_waiting(None);
        };
        let may_be_ahead = match waiting {
            Waiting::Validated | Waiting::Overtaken => return self.go_on_waiting(None),
            Waiting::PerhapsPublished if !gate::is_open(storage)? => {
                return self.go_on_waiting(Some(Waiting::Validated));
            }
            Waiting::PerhapsPublished => true,
            Waiting::Ahead { quiet_keep_alives, .. } => *quiet_keep_alives < QUIET_KEEP_ALIVES,
        };
        match self.compare(target, None, may_be_ahead, storage)? {
            Verdict::Valid(changed) => {
                self.record_validated(target, &changed, storage)?;
                if gate::is_open(storage)? {
                    self.publish_all(target, &changed, "Applied pending checkpoint", storage)
                } else {
                    self.delay(target, &changed, storage)
                }
            }
            Verdict::Ahead { held } => self.go_on_waiting(Some(waiting.still_ahead(held))),
            Verdict::Gone => Ok(download_again()),
            Verdict::Invalid(invalid) => delete_invalid("checkpoint", &invalid, target, None, storage),
        }
    }

    fn go_on_waiting(&self, waiting: Option<Waiting>) -> Result<Transition<'static>> {
        let (change, next) = self.connect()?;
        Ok(Transition::only(next).changing(Change { phase: waiting.map(PhaseChange::Wait), ..change }))
    }

    /// Keeps the target until the next checkpoint: stored data are ahead of it.
    fn put_off(&self, held: i64) -> Result<Transition<'static>> {
        let phase = Some(PhaseChange::Wait(Waiting::Ahead { held, quiet_keep_alives: 0 }));
        let change = Change { phase, ..self.connect()?.0 };
        Ok(Transition::with(vec![Instruction::debug(PUT_OFF)], NextStep::Report).changing(change))
    }

    /// Publishes the whole target.
    fn publish_all(
        &self,
        target: &Target,
        changed: &[ChangedBucket],
        log_line: &str,
        storage: &mut dyn Storage,
    ) -> Result<Transition<'static>> {
        let request_id = target.write_checkpoint;
        let mut instructions = vec![Instruction::debug(log_line)];
        let Publication { time, streams } = self.publish(target, changed, None, storage, &mut instructions)?;
        if let Some(id) = request_id {
            self.record_acknowledged(RequestId::LastApplied, id, storage)?;
        }
        let mut status = Status { connection: Connection::Connected, ..self.status.copy()? };
        status.record_full_sync(time, request_id);
        if let Some(id) = request_id {
            let line = format(format_args!("Applied checkpoint request id {id}"))?;
            push(&mut instructions, Instruction::debug(line))?;
        }
        push(&mut instructions, Instruction::DidCompleteSync { applied_checkpoint_request_id: request_id })?;
        Ok(Transition::with(instructions, NextStep::Report).changing(Change {
            status: Some(status),
            streams: Some(streams),
            phase: Some(PhaseChange::Publish(target.settled_progress()?)),
            others: Some(self.others.after_completing(target.last_op_id)),
            ..Change::default()
        }))
    }

    /// Keeps the validated target until local writes are acknowledged. Priority 0 does not wait, nor do rows without
    /// local writes if only those are held back.
    fn delay(
        &self,
        target: &Target,
        changed: &[ChangedBucket],
        storage: &mut dyn Storage,
    ) -> Result<Transition<'static>> {
        let log_line = storage.explain_gate(DELAYED)?;
        let mut instructions = vec![Instruction::CheckpointDelayedDueToLocalData, Instruction::info(log_line)];
        let mut change = if target.progress.is_all_highest_priority() {
            let publication = self.publish(target, changed, Some(Priority::HIGHEST), storage, &mut instructions)?;
            self.adopt_partial(publication, Priority::HIGHEST)?
        } else {
            self.connect()?.0
        };
        if self.gate == GateMode::Rows {
            storage.publish_around_local_writes(changed, Scope::Full)?;
            report_untyped(storage, &mut instructions)?;
            let status = change.status.map_or_else(|| self.status.copy(), Ok)?;
            change.status = Some(Status { is_downloading: false, ..status });
        }
        let others = Some(self.others.after_completing(target.last_op_id));
        let change = Change { phase: Some(PhaseChange::Wait(Waiting::Validated)), others, ..change };
        Ok(Transition::with(instructions, NextStep::Report).changing(change))
    }

    fn adopt_partial(&self, publication: Publication, priority: Priority) -> Result<Change<'static>> {
        let mut status = Status { connection: Connection::Connected, ..self.status.copy()? };
        status.record_sync(priority.into(), publication.time);
        Ok(Change { status: Some(status), streams: Some(publication.streams), ..Change::default() })
    }

    /// Publishes the buckets up to `limit` (None: all). Warnings become instructions.
    fn publish(
        &self,
        target: &Target,
        changed: &[ChangedBucket],
        limit: Option<Priority>,
        storage: &mut dyn Storage,
        instructions: &mut Vec<Instruction>,
    ) -> Result<Publication> {
        match limit {
            None => storage.publish(changed, Scope::Full)?,
            Some(priority) => {
                let is_involved = |id| target.involves(id, priority);
                let scope = Scope::Partial { is_involved: &is_involved };
                if self.gate == GateMode::Rows && !gate::is_open(storage)? {
                    storage.publish_around_local_writes(changed, scope)?;
                } else {
                    storage.publish(changed, scope)?;
                }
            }
        }
        report_untyped(storage, instructions)?;
        let time = storage.now()?;
        storage.record_sync_time(limit.map_or(FULL_CHECKPOINT_PRIORITY, i64::from), time)?;
        let streams = streams::record_sync(&self.streams, &self.requested, &target.progress, limit, time, storage)?;
        Ok(Publication { time, streams })
    }

    /// Compares the checksums of the buckets that a publish up to `limit` has to look at. All others were found valid
    /// before, and nothing happened to them since.
    fn validate(&self, target: &Target, limit: Option<Priority>, storage: &mut dyn Storage) -> Result<Verdict> {
        self.compare(target, limit, true, storage)
    }

    /// Does that of [`Self::validate`]. `may_be_ahead` says whether buckets may hold operations of a newer
    /// checkpoint although the service knew of them when the iteration began.
    fn compare(
        &self,
        target: &Target,
        limit: Option<Priority>,
        may_be_ahead: bool,
        storage: &mut dyn Storage,
    ) -> Result<Verdict> {
        if let Some(held) = self.others.completed_after(target.last_op_id) {
            return Ok(Verdict::Ahead { held });
        }
        let (mut changed, mut invalid, mut are_gone) = (Vec::new(), Vec::new(), false);
        for ChangedTarget { name, id, checksum, count, position } in target.changed(limit) {
            let actual = match id {
                Some(id) => storage.checksum(id)?,
                None => Checksum::ZERO,
            };
            if actual != checksum {
                let held = id.map_or(Ok(0), |id| storage.last_op(id))?;
                // What this iteration's own stream has not brought is another one's, however long that takes.
                if held > target.last_op_id && (may_be_ahead || held > position) {
                    return Ok(Verdict::Ahead { held });
                }
                if held < position {
                    are_gone = true;
                    continue;
                }
                push(&mut invalid, InvalidBucket { name: copy(name)?, expected: checksum, actual })?;
            }
            changed.try_reserve(1)?;
            changed.extend(id.map(|id| ChangedBucket { id, count }));
        }
        Ok(match (invalid.is_empty(), are_gone) {
            (false, _) => Verdict::Invalid(invalid),
            (true, false) => Verdict::Valid(changed),
            (true, true) => match self.others.removed_after(target.last_op_id) {
                Some(held) => Verdict::Ahead { held },
                None => Verdict::Gone,
            },
        })
    }

    /// Stores that the whole target is valid.
    fn record_validated(&self, target: &Target, changed: &[ChangedBucket], storage: &mut dyn Storage) -> Result<()> {
        for bucket in target.foreign() {
            storage.leave_checkpoint(*bucket)?;
        }
        storage.complete(changed, target.last_op_id, Scope::Full)?;
        record_checksums(&[], target, None, storage)?;
        match target.write_checkpoint {
            Some(write_checkpoint) => self.record_acknowledged(RequestId::LastSeen, write_checkpoint, storage),
            None => Ok(()),
        }
    }

    /// Stores which request the service has acknowledged. Another iteration may have heard of a later one already.
    fn record_acknowledged(&self, id: RequestId, write_checkpoint: i64, storage: &mut dyn Storage) -> Result<()> {
        let stored = if self.others.were_noticed() { storage.request_id(id)? } else { None };
        storage.set_request_id(id, stored.max(Some(write_checkpoint)))
    }
}

/// Says why a checkpoint keeps waiting.
#[inline(never)]
fn keep_waiting(line: &str) -> Transition<'static> {
    Transition::with(vec![Instruction::warning(line)], NextStep::Continue)
}

/// Ends the iteration, so that the next one requests buckets that another iteration has deleted.
fn download_again() -> Transition<'static> {
    let line = "Another client of this database has deleted buckets of the checkpoint. They are downloaded again.";
    Transition::with(vec![Instruction::info(line)], NextStep::Close { hide_disconnect: false })
}

/// Keeps for `powersync_diagnose` which checksums were wrong; all others up to `limit` were right.
fn record_checksums(
    invalid: &[InvalidBucket],
    target: &Target,
    limit: Option<Priority>,
    storage: &mut dyn Storage,
) -> Result<()> {
    let mut details: Vec<(&str, String)> = Vec::new();
    for InvalidBucket { name, expected, actual } in invalid {
        let (expected, actual) = (expected.get().cast_signed(), actual.get().cast_signed());
        let detail = format(format_args!("{{\"expected\":{expected},\"actual\":{actual}}}"))?;
        push(&mut details, (name, detail))?;
    }
    let is_looked_at = |name: &str| limit.is_none_or(|limit| target.lists(name, limit));
    streams::record(FindingKind::Checksum, &details, storage, &is_looked_at)
}

/// Deletes the buckets, so that the next iteration downloads them again, and ends this one.
fn delete_invalid(
    what: &str,
    invalid: &[InvalidBucket],
    target: &Target,
    limit: Option<Priority>,
    storage: &mut dyn Storage,
) -> Result<Transition<'static>> {
    record_checksums(invalid, target, limit, storage)?;
    let mut line = format(format_args!("Could not apply {what}, Checksums didn't match, failed for: "))?;
    for (index, InvalidBucket { name, expected, actual }) in invalid.iter().enumerate() {
        storage.delete_bucket(name)?;
        let separator = if index == 0 { "" } else { ", " };
        let (expected, actual) = (expected.get(), actual.get());
        append(&mut line, format_args!("{separator}{name} (expected {expected:#010x}, got {actual:#010x})"))?;
    }
    Ok(Transition::with(vec![Instruction::warning(line)], NextStep::Close { hide_disconnect: false }))
}

/// Warns of types without a table.
fn report_untyped(storage: &mut dyn Storage, instructions: &mut Vec<Instruction>) -> Result<()> {
    for line in storage.take_untyped()? {
        push(instructions, Instruction::warning(line))?;
    }
    Ok(())
}
