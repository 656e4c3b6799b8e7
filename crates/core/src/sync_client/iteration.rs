//! One sync connection attempt: what is known between `start` and the end of the stream, and what each event does to it
//! (docs/reference/sync-client.md#an-iteration). Completing checkpoints is in `completion`.
//!
//! Handlers work on storage and prepare what memory becomes ([`Change`]); they change nothing of the iteration. That is
//! done last, when the SDK has its answer.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use rowtide_protocol::{Checkpoint, CheckpointDiff, DataLine, SyncLine};

use super::attempt::Attempt;
use super::change::{Change, PhaseChange};
use super::diagnostics::SchemaObserver;
use super::event::{GateMode, StartOptions, StreamKey};
use super::instruction::{BucketChange, Diagnostics, Instruction};
use super::memory::{format, push};
use super::others::Others;
use super::phase::Phase;
use super::progress::ProgressSums;
use super::request::{self, Positions};
use super::requested::Requested;
use super::status::{Connection, Status};
use super::streams::{self, StreamRow};
use super::target::{LoadedTarget, Target};
use crate::error::{Error, ErrorKind, Result};
use crate::sync_client::storage::Storage;

/// From this number of seconds before its expiry on, a token should be replaced.
const TOKEN_EXPIRES_SOON: i64 = 30;

/// The state between `start` and the end of the stream.
#[derive(Debug)]
pub(super) struct Iteration {
    /// The streams in use by the app.
    active_streams: Vec<StreamKey>,
    /// The subscriptions that the service was asked for.
    pub(super) requested: Requested,
    /// What local writes hold back.
    pub(super) gate: GateMode,
    /// How far it is with a checkpoint.
    pub(super) phase: Phase,
    /// What is known of other iterations on the same file.
    pub(super) others: Others,
    /// All stored subscriptions in id order.
    pub(super) streams: Vec<StreamRow>,
    /// The parts of the status other than progress and streams.
    pub(super) status: Status,
    /// The last status given to the SDK.
    emitted: Rc<String>,
    /// What it has seen so far.
    pub(super) attempt: Attempt,
    /// Set if the SDK asked for diagnostics.
    observer: Option<SchemaObserver>,
}

/// What an event leads to.
pub(super) struct Transition<'l> {
    /// Instructions that precede a status.
    pub instructions: Vec<Instruction>,
    /// Instructions that follow a status.
    pub diagnostics: Vec<Instruction>,
    /// What memory becomes, unless the iteration ends.
    pub change: Change<'l>,
    /// What comes next.
    pub next: NextStep,
}

/// How an event ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NextStep {
    /// The iteration continues; nothing changed that needs another status.
    Continue,
    /// The iteration continues, with a new status if it differs from the last one.
    Report,
    /// The iteration ends.
    Close {
        /// Whether the SDK reconnects at once.
        hide_disconnect: bool,
    },
}

impl<'l> Transition<'l> {
    /// No further instructions.
    pub(super) fn only(next: NextStep) -> Self {
        Self::with(Vec::new(), next)
    }

    /// Instructions before `next`.
    pub(super) fn with(instructions: Vec<Instruction>, next: NextStep) -> Self {
        Self { instructions, diagnostics: Vec::new(), change: Change::default(), next }
    }

    /// The same, with a change of memory.
    pub(super) fn changing(self, change: Change<'l>) -> Self {
        Self { change, ..self }
    }
}

impl Iteration {
    /// An iteration that starts if nothing fails any more. `before` is what the one before it on this connection knew
    /// of others.
    pub(super) fn start(
        options: StartOptions,
        before: Option<Others>,
        storage: &mut dyn Storage,
    ) -> Result<(Box<Self>, Vec<Instruction>)> {
        let now = storage.now()?;
        let (mut rows, mut instructions) = match streams::extend_expiry(&options.active_streams, now, storage) {
            // A damaged row must not keep everything else from syncing. An app that still wants it subscribes again.
            Err(error) if error.kind() == ErrorKind::LocalData => {
                let removed = storage.delete_unreadable_subscriptions()?;
                let mut warnings = Vec::new();
                for reason in removed {
                    let line = format(format_args!("A stream subscription was removed: {reason}"))?;
                    push(&mut warnings, Instruction::warning(line))?;
                }
                (streams::extend_expiry(&options.active_streams, now, storage)?, warnings)
            }
            rows => (rows?, Vec::new()),
        };
        streams::delete_ended(&mut rows, now, storage)?;
        let requested = Requested::new(&rows, now)?;
        let mut positions = Positions::default();
        let establish = request::establish(&options, requested.as_slice(), &mut positions, storage)?;
        let status =
            Status { connection: Connection::Connecting, sync_times: storage.sync_times()?, ..Status::default() };
        let streams = streams::unrelated(rows)?;
        let emitted = Rc::new(status.to_json(&streams, &ProgressSums::default())?);
        for line in storage.take_warnings()? {
            push(&mut instructions, Instruction::warning(line))?;
        }
        push(&mut instructions, Instruction::UpdateSyncStatus { status: Rc::clone(&emitted) })?;
        push(&mut instructions, establish)?;
        let newest = storage.begin_iteration(request::fingerprint(&options))?;
        let iteration = Box::new(Self {
            active_streams: options.active_streams,
            requested,
            gate: options.gate,
            phase: Phase::Requested { positions },
            others: Others::new(newest, before),
            streams,
            status,
            emitted,
            attempt: Attempt::new(now),
            observer: options.diagnostics.then(SchemaObserver::default),
        });
        Ok((iteration, instructions))
    }

    /// Adds the status after `change` to `instructions` if it differs from the last one.
    pub(super) fn report(&self, change: &mut Change<'_>, instructions: &mut Vec<Instruction>) -> Result<()> {
        let status = self.status_json(change.status.as_ref().unwrap_or(&self.status), change)?;
        if status != *self.emitted {
            let status = Rc::new(status);
            push(instructions, Instruction::UpdateSyncStatus { status: Rc::clone(&status) })?;
            change.emitted = Some(status);
        }
        Ok(())
    }

    /// Adds the status after the end of the iteration to `instructions` if it differs from the last one.
    pub(super) fn report_end(&self, change: &Change<'_>, instructions: &mut Vec<Instruction>) -> Result<()> {
        let mut status = change.status.as_ref().unwrap_or(&self.status).copy()?;
        status.disconnect();
        let status = self.status_json(&status, change)?;
        if status != *self.emitted {
            push(instructions, Instruction::UpdateSyncStatus { status: Rc::new(status) })?;
        }
        Ok(())
    }

    /// The JSON text of `status`, which goes with the rest of `change`.
    fn status_json(&self, status: &Status, change: &Change<'_>) -> rowtide_json::Result<String> {
        let streams = change.streams.as_deref().unwrap_or(&self.streams);
        match change.progress().or(self.phase.progress()) {
            Some(progress) => status.to_json(streams, progress),
            None => status.to_json(streams, &ProgressSums::default()),
        }
    }

    /// Makes room for a change.
    pub(super) fn reserve(&mut self, change: &Change<'_>) -> Result<()> {
        if let Some(change) = &change.phase {
            self.phase.reserve(change)?;
        }
        match (&mut self.observer, &change.observed) {
            (Some(observer), Some(observed)) => observer.reserve_for(observed),
            _ => Ok(()),
        }
    }

    /// Makes a change, for which there is room.
    pub(super) fn apply(&mut self, change: Change<'_>) {
        let Change { status, streams, active_streams, phase, observed, others, emitted, line: _ } = change;
        replace(&mut self.status, status);
        replace(&mut self.streams, streams);
        replace(&mut self.active_streams, active_streams);
        replace(&mut self.others, others);
        replace(&mut self.emitted, emitted);
        if let Some(change) = phase {
            self.phase.apply(change);
        }
        debug_assert!(observed.is_none() || self.observer.is_some(), "something was observed without an observer");
        if let (Some(observer), Some(observed)) = (&mut self.observer, observed) {
            observer.adopt(observed);
        }
    }

    /// Brings the status in line with what is stored, after this iteration's changes were lost or others changed it.
    pub(super) fn as_stored(&self, storage: &mut dyn Storage) -> Result<Change<'static>> {
        let status = Status { sync_times: storage.sync_times()?, ..self.status.copy()? };
        let streams = streams::unrelated(storage.subscriptions()?)?;
        Ok(Change { status: Some(status), streams: Some(streams), ..Change::default() })
    }

    /// The SDK says that the connection is established.
    pub(super) fn connection_established(&self) -> Result<Transition<'static>> {
        let (change, next) = self.connect()?;
        Ok(Transition::only(next).changing(change))
    }

    /// Notes that the service answers, when nothing else is to be noted.
    pub(super) fn connect<'l>(&self) -> Result<(Change<'l>, NextStep)> {
        let status = self.connected()?;
        let next = if status.is_some() { NextStep::Report } else { NextStep::Continue };
        Ok((Change { status, ..Change::default() }, next))
    }

    /// The status that says that the service answers; None if it says so already.
    fn connected(&self) -> Result<Option<Status>> {
        match self.status.connection {
            Connection::Connected => Ok(None),
            _ => Ok(Some(Status { connection: Connection::Connected, ..self.status.copy()? })),
        }
    }

    /// A line of `size` bytes.
    pub(super) fn line<'l>(
        &self,
        line: SyncLine<'l>,
        size: usize,
        storage: &mut dyn Storage,
    ) -> Result<Transition<'l>> {
        match line {
            SyncLine::Checkpoint(checkpoint) => self.checkpoint(checkpoint, storage),
            SyncLine::CheckpointDiff(diff) => self.checkpoint_diff(diff, storage),
            SyncLine::Data(data) => self.data(&data, size, storage),
            SyncLine::CheckpointComplete(_) => self.checkpoint_complete(storage),
            SyncLine::PartialCheckpointComplete(partial) => self.partial_checkpoint_complete(partial.priority, storage),
            SyncLine::KeepAlive { token_expires_in } => self.keep_alive(token_expires_in, storage),
            SyncLine::Unknown { .. } => {
                let (change, next) = self.connect()?;
                Ok(Transition::with(vec![Instruction::debug("Unknown sync line")], next).changing(change))
            }
        }
    }

    fn checkpoint(&self, line: Checkpoint<'_>, storage: &mut dyn Storage) -> Result<Transition<'static>> {
        let subscriptions = self.requested.as_slice().len();
        let received = |bucket: &str| self.phase.received(bucket);
        let LoadedTarget { mut target, unlisted, shrunk } = Target::load(line, subscriptions, &received, storage)?;
        let kept = self.kept_buckets(target.last_op_id, true, storage)?;
        let mut is_removal = false;
        for bucket in &unlisted {
            if kept.include(bucket.is_of_other_request) {
                target.add_foreign(bucket.id)?;
            } else {
                storage.delete_bucket(&bucket.name)?;
                is_removal = true;
            }
        }
        let others = self.others_after_removal(is_removal, target.last_op_id, storage)?;
        for id in shrunk {
            storage.reset_counts(id)?;
        }
        let rows = streams::reconcile(&target.streams, &self.requested, storage)?;
        let buckets = self.observer.as_ref().map(|_| target.bucket_changes(None)).transpose()?;
        streams::record_errors(&target.streams, storage)?;
        let mut transition = self.new_checkpoint(&target, rows, buckets)?;
        (transition.change.phase, transition.change.others) = (Some(PhaseChange::Begin(Box::new(target))), others);
        Ok(transition)
    }

    fn checkpoint_diff<'l>(&self, line: CheckpointDiff<'l>, storage: &mut dyn Storage) -> Result<Transition<'l>> {
        let Some(target) = self.phase.target() else {
            return Err(Error::protocol("Received checkpoint_diff without previous checkpoint"));
        };
        let last_op_id = line.last_op_id;
        let kept = self.kept_buckets(last_op_id, false, storage)?;
        let diff = target.prepare_diff(line, kept, &mut |id| Ok(storage.last_op(id)? > last_op_id))?;
        for &name in &diff.deleted {
            storage.delete_bucket(name)?;
        }
        let others = self.others_after_removal(!diff.deleted.is_empty(), last_op_id, storage)?;
        for &id in &diff.shrunk {
            storage.reset_counts(id)?;
        }
        let rows = streams::reconcile(&target.streams, &self.requested, storage)?;
        let buckets = self.observer.as_ref().map(|_| target.bucket_changes(Some(&diff))).transpose()?;
        let mut transition = self.new_checkpoint(target, rows, buckets)?;
        (transition.change.phase, transition.change.others) = (Some(PhaseChange::Diff(diff)), others);
        Ok(transition)
    }

    /// What is common to all checkpoints that begin; `buckets` for developer tools.
    fn new_checkpoint<'l>(
        &self,
        target: &Target,
        rows: Vec<StreamRow>,
        buckets: Option<Box<[BucketChange]>>,
    ) -> Result<Transition<'l>> {
        let status = Status { connection: Connection::Connected, is_downloading: true, ..self.status.copy()? };
        let mut transition = Transition::only(NextStep::Report).changing(Change {
            status: Some(status),
            streams: Some(rows),
            ..Change::default()
        });
        streams::log_errors(&target.streams, &self.requested, &mut transition.instructions)?;
        if let Some(changes) = buckets {
            let diagnostics = Diagnostics::BucketStateChange { changes, incremental: false };
            push(&mut transition.diagnostics, Instruction::HandleDiagnostics(diagnostics))?;
        }
        Ok(transition)
    }

    fn data(&self, line: &DataLine<'_>, size: usize, storage: &mut dyn Storage) -> Result<Transition<'static>> {
        let stored = storage.store_line(line, size, self.phase.continuation(line.bucket, &self.others))?;
        let mut transition = Transition::only(NextStep::Report);
        transition.change.status = self.connected()?;
        for operation in stored.iter().flat_map(|stored| &stored.unpublishable) {
            push(&mut transition.instructions, Instruction::warning(operation.describe(line.bucket)?))?;
        }
        if let Some(target) = self.phase.target() {
            let last_op = line.entries.iter().map(|entry| entry.op_id).max().unwrap_or(0);
            let receipt = target.prepare_receipt(line.bucket, last_op, stored.as_ref())?;
            if receipt.progress.is_some() && self.observer.is_some() {
                let changes = target.bucket_change(line.bucket, &receipt)?.into_iter().collect();
                let diagnostics = Diagnostics::BucketStateChange { changes, incremental: true };
                push(&mut transition.diagnostics, Instruction::HandleDiagnostics(diagnostics))?;
            }
            transition.change.phase = Some(PhaseChange::Receive(receipt));
        }
        if let Some(observer) = &self.observer {
            let diagnostics = &mut transition.diagnostics;
            let report = |change| push(diagnostics, Instruction::HandleDiagnostics(change));
            transition.change.observed = observer.observe(line, report)?;
        }
        Ok(transition)
    }

    fn keep_alive(&self, token_expires_in: i64, storage: &mut dyn Storage) -> Result<Transition<'static>> {
        let now = storage.now()?;
        let rows = streams::extend_expiry(&self.active_streams, now, storage)?;
        let is_requested = self.requested.is_current(&rows, now);
        let rows = streams::relate(rows, &self.streams, &self.requested)?;
        let mut transition = if token_expires_in <= 0 {
            let expired = vec![Instruction::FetchCredentials { did_expire: true }];
            Transition::with(expired, NextStep::Close { hide_disconnect: false })
        } else if token_expires_in <= TOKEN_EXPIRES_SOON {
            let (change, next) = self.connect()?;
            Transition::with(vec![Instruction::FetchCredentials { did_expire: false }], next).changing(change)
        } else if !is_requested {
            Transition::only(NextStep::Close { hide_disconnect: true })
        } else {
            self.reconsider(storage)?
        };
        // When subscriptions end is no reason for a status: it would come with every keep-alive.
        if transition.change.streams.is_none() {
            transition.change.streams = Some(rows).filter(|rows| *rows != self.streams);
        }
        Ok(transition)
    }

    /// The app uses these streams now.
    pub(super) fn streams_in_use(
        &self,
        in_use: Vec<StreamKey>,
        storage: &mut dyn Storage,
    ) -> Result<Transition<'static>> {
        let now = storage.now()?;
        let rows = streams::extend_expiry(&in_use, now, storage)?;
        let is_requested = self.requested.is_current(&rows, now);
        let rows = streams::relate(rows, &self.streams, &self.requested)?;
        let next = if is_requested { NextStep::Continue } else { NextStep::Close { hide_disconnect: true } };
        let change = Change { active_streams: Some(in_use), streams: Some(rows), ..Change::default() };
        Ok(Transition::only(next).changing(change))
    }

    /// The app made, renewed or ended a subscription; the next status shows it.
    pub(super) fn subscriptions_changed(&self, storage: &mut dyn Storage) -> Result<Change<'static>> {
        let rows = streams::current(&self.streams, &self.requested, storage)?;
        Ok(Change { streams: Some(rows), ..Change::default() })
    }
}

fn replace<T>(place: &mut T, new: Option<T>) {
    if let Some(new) = new {
        *place = new;
    }
}
