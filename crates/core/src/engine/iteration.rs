//! One sync connection attempt: what is known between `start` and the end of the stream, and what each event does to
//! it (sync client, Life of an iteration). Completing checkpoints is in `completion`.
//!
//! Every handler first does all work in storage, which can fail, then calls `note_change`, then changes its own fields.
//! What can fail after that is only getting memory for the answer; the caller rolls back then, which ends the iteration
//! at its next event.

use alloc::format;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec;
use alloc::vec::Vec;

use super::diagnostics::SchemaObserver;
use super::event::{StartOptions, StreamKey};
use super::instruction::{Diagnostics, Instruction};
use super::progress::ProgressSums;
use super::request;
use super::requested::Requested;
use super::status::{Connection, Status};
use super::streams::{self, StreamRow};
use super::target::{LoadedTarget, Target};
use crate::error::{Error, ErrorKind, Result};
use crate::protocol::{Checkpoint, CheckpointDiff, DataLine, SyncLine};
use crate::storage::Storage;

/// From this number of seconds before its expiry on, a token should be replaced.
const TOKEN_EXPIRES_SOON: i64 = 30;

/// The state between `start` and the end of the stream.
#[derive(Debug)]
pub struct Iteration {
    /// The streams in use by the app.
    active_streams: Vec<StreamKey>,
    /// The subscriptions that the service was asked for.
    pub(super) requested: Requested,
    /// The checkpoint that is, or was last, downloaded.
    pub(super) target: Option<Target>,
    /// Set while the checkpoint is validated, but held back by local writes.
    pub(super) waiting: Option<Waiting>,
    /// All stored subscriptions in id order.
    pub(super) streams: Vec<StreamRow>,
    /// What the status tells besides progress and streams.
    pub(super) status: Status,
    /// The last status given to the SDK.
    emitted: Rc<String>,
    /// Set if the SDK asked for diagnostics.
    observer: Option<SchemaObserver>,
}

/// A validated checkpoint that waits for the upload of local writes.
#[derive(Debug)]
pub struct Waiting {
    /// More data arrived since it was validated: what is held is no longer that checkpoint.
    pub is_overtaken: bool,
}

/// What an event leads to.
#[derive(Debug)]
pub struct Reaction {
    /// Instructions that precede a status.
    pub instructions: Vec<Instruction>,
    /// Instructions that follow a status.
    pub diagnostics: Vec<Instruction>,
    /// What comes next.
    pub next: Next,
}

/// How an event ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// The iteration goes on; nothing that deserves a status of its own changed.
    Continue,
    /// The iteration goes on, with a new status if it differs from the last one.
    Report,
    /// The iteration ends.
    Close {
        /// Whether the SDK reconnects at once.
        hide_disconnect: bool,
    },
}

impl Reaction {
    /// No instructions of its own.
    pub fn only(next: Next) -> Self {
        Self { instructions: Vec::new(), diagnostics: Vec::new(), next }
    }

    /// Instructions before `next`.
    pub fn with(instructions: Vec<Instruction>, next: Next) -> Self {
        Self { instructions, diagnostics: Vec::new(), next }
    }
}

impl Iteration {
    /// Starts an iteration.
    pub fn start(options: StartOptions, storage: &mut dyn Storage) -> Result<(Self, Vec<Instruction>)> {
        let now = storage.now()?;
        let (mut rows, mut instructions) = match streams::extend_expiry(&options.active_streams, now, storage) {
            // A damaged row must not keep everything else from syncing. Whoever still wants it subscribes again.
            Err(error) if *error.kind() == ErrorKind::LocalData => {
                let removed = storage.delete_unreadable_subscriptions()?;
                let warning = |reason| Instruction::warning(format!("A stream subscription was removed: {reason}"));
                let warnings = removed.into_iter().map(warning).collect();
                (streams::extend_expiry(&options.active_streams, now, storage)?, warnings)
            }
            rows => (rows?, Vec::new()),
        };
        streams::delete_ended(&mut rows, now, storage)?;
        let requested = Requested::new(&rows, now)?;
        let establish = request::establish(&options, requested.as_slice(), storage)?;
        let status =
            Status { connection: Connection::Connecting, sync_times: storage.sync_times()?, ..Status::default() };
        let streams: Vec<_> = rows.into_iter().map(StreamRow::unrelated).collect();
        let emitted = Rc::new(status.to_json(&streams, &ProgressSums::default())?);
        instructions.extend(storage.take_warnings()?.into_iter().map(Instruction::warning));
        instructions.extend([Instruction::UpdateSyncStatus { status: Rc::clone(&emitted) }, establish]);
        let iteration = Self {
            active_streams: options.active_streams,
            requested,
            target: None,
            waiting: None,
            streams,
            status,
            emitted,
            observer: options.diagnostics.then(SchemaObserver::default),
        };
        // A rolled-back start needs no note: the generation in the database then differs from the one remembered.
        storage.begin_iteration()?;
        Ok((iteration, instructions))
    }

    /// Adds the status to `instructions` if it differs from the last one.
    pub fn report(&mut self, instructions: &mut Vec<Instruction>) -> Result<()> {
        let status = status_json(&self.status, &self.streams, self.target.as_ref())?;
        if status != *self.emitted {
            self.emitted = Rc::new(status);
            instructions.push(Instruction::UpdateSyncStatus { status: Rc::clone(&self.emitted) });
        }
        Ok(())
    }

    /// Adds the status after the end of the iteration to `instructions` if it differs from the last one. The
    /// iteration itself stays as it is.
    pub fn report_end(&self, instructions: &mut Vec<Instruction>) -> Result<()> {
        let mut status = self.status.clone();
        status.disconnect();
        let status = status_json(&status, &self.streams, self.target.as_ref())?;
        if status != *self.emitted {
            instructions.push(Instruction::UpdateSyncStatus { status: Rc::new(status) });
        }
        Ok(())
    }

    /// Makes the status tell what is stored, after this iteration's changes to it got lost or others changed it.
    pub fn forget_unstored(&mut self, storage: &mut dyn Storage) -> Result<()> {
        let sync_times = storage.sync_times()?;
        let streams = storage.subscriptions()?.into_iter().map(StreamRow::unrelated).collect();
        self.status.sync_times = sync_times;
        self.streams = streams;
        Ok(())
    }

    /// The SDK says that the connection stands.
    pub fn connection_established(&mut self, storage: &mut dyn Storage) -> Result<Reaction> {
        Ok(Reaction::only(self.connect(storage)?))
    }

    /// Notes that the service answers, when nothing else is to be noted.
    pub(super) fn connect(&mut self, storage: &mut dyn Storage) -> Result<Next> {
        if self.status.connection == Connection::Connected {
            return Ok(Next::Continue);
        }
        storage.note_change()?;
        self.status.connection = Connection::Connected;
        Ok(Next::Report)
    }

    /// A line of `size` bytes.
    pub fn line(&mut self, line: SyncLine<'_>, size: usize, storage: &mut dyn Storage) -> Result<Reaction> {
        match line {
            SyncLine::Checkpoint(checkpoint) => self.checkpoint(checkpoint, storage),
            SyncLine::CheckpointDiff(diff) => self.checkpoint_diff(diff, storage),
            SyncLine::Data(data) => self.data(&data, size, storage),
            SyncLine::CheckpointComplete(_) => self.checkpoint_complete(storage),
            SyncLine::PartialCheckpointComplete(partial) => self.partial_checkpoint_complete(partial.priority, storage),
            SyncLine::KeepAlive { token_expires_in } => self.keep_alive(token_expires_in, storage),
            SyncLine::Unknown { .. } => {
                let next = self.connect(storage)?;
                Ok(Reaction::with(vec![Instruction::debug("Unknown sync line")], next))
            }
        }
    }

    fn checkpoint(&mut self, line: Checkpoint<'_>, storage: &mut dyn Storage) -> Result<Reaction> {
        let LoadedTarget { target, obsolete, shrunk } = Target::load(line, self.requested.as_slice().len(), storage)?;
        for name in &obsolete {
            storage.delete_bucket(name)?;
        }
        for id in shrunk {
            storage.reset_counts(id)?;
        }
        let streams = streams::reconcile(&target.streams, &self.requested, storage)?;
        storage.note_change()?;
        self.target = Some(target);
        self.streams = streams;
        self.new_checkpoint()
    }

    fn checkpoint_diff(&mut self, line: CheckpointDiff<'_>, storage: &mut dyn Storage) -> Result<Reaction> {
        let Some(target) = &mut self.target else {
            return Err(Error::protocol("Received checkpoint_diff without previous checkpoint"));
        };
        let diff = target.prepare_diff(line)?;
        for &name in &diff.removed {
            storage.delete_bucket(name)?;
        }
        for &id in &diff.shrunk {
            storage.reset_counts(id)?;
        }
        let streams = streams::reconcile(&target.streams, &self.requested, storage)?;
        storage.note_change()?;
        target.apply_diff(diff);
        self.streams = streams;
        self.new_checkpoint()
    }

    /// What is common to all checkpoints that begin.
    fn new_checkpoint(&mut self) -> Result<Reaction> {
        self.status.connection = Connection::Connected;
        self.status.is_downloading = true;
        self.waiting = None;
        let mut reaction = Reaction::only(Next::Report);
        let Some(target) = &self.target else { return Ok(reaction) };
        streams::log_errors(&target.streams, &self.requested, &mut reaction.instructions);
        if self.observer.is_some() {
            let changes = target.bucket_changes()?;
            let diagnostics = Diagnostics::BucketStateChange { changes, incremental: false };
            reaction.diagnostics.push(Instruction::HandleDiagnostics(diagnostics));
        }
        Ok(reaction)
    }

    fn data(&mut self, line: &DataLine<'_>, size: usize, storage: &mut dyn Storage) -> Result<Reaction> {
        let mut tracked = match &mut self.target {
            Some(target) => Some((target.reserve_for_data(line.bucket)?, target)),
            None => None,
        };
        let stored = storage.store_line(line, size)?;
        storage.note_change()?;
        self.status.connection = Connection::Connected;
        let mut reaction = Reaction::only(Next::Report);
        for operation in &stored.unpublishable {
            reaction.instructions.push(Instruction::warning(operation.describe(line.bucket)));
        }
        if let Some((reservation, target)) = tracked.take()
            && target.receive(line.bucket, &stored, reservation)
        {
            if stored.new_operations > 0
                && let Some(waiting) = &mut self.waiting
            {
                waiting.is_overtaken = true;
            }
            if self.observer.is_some() {
                let changes = target.bucket_change(line.bucket)?.into_iter().collect();
                let diagnostics = Diagnostics::BucketStateChange { changes, incremental: true };
                reaction.diagnostics.push(Instruction::HandleDiagnostics(diagnostics));
            }
        }
        if let Some(observer) = &mut self.observer {
            observer.observe(line, |change| reaction.diagnostics.push(Instruction::HandleDiagnostics(change)))?;
        }
        Ok(reaction)
    }

    fn keep_alive(&mut self, token_expires_in: i64, storage: &mut dyn Storage) -> Result<Reaction> {
        let now = storage.now()?;
        let rows = streams::extend_expiry(&self.active_streams, now, storage)?;
        let is_requested = self.requested.is_current(&rows, now);
        let streams = streams::relate(rows, &self.streams, &self.requested)?;
        if !self.active_streams.is_empty() {
            storage.note_change()?;
        }
        let mut instructions = Vec::new();
        let next = if token_expires_in <= 0 {
            instructions.push(Instruction::FetchCredentials { did_expire: true });
            Next::Close { hide_disconnect: false }
        } else if token_expires_in <= TOKEN_EXPIRES_SOON {
            instructions.push(Instruction::FetchCredentials { did_expire: false });
            self.connect(storage)?
        } else if !is_requested {
            Next::Close { hide_disconnect: true }
        } else {
            self.connect(storage)?
        };
        // When subscriptions end is no reason for a status: it would come with every keep-alive.
        self.streams = streams;
        Ok(Reaction::with(instructions, next))
    }

    /// The app uses these streams now.
    pub fn streams_in_use(&mut self, in_use: Vec<StreamKey>, storage: &mut dyn Storage) -> Result<Reaction> {
        let now = storage.now()?;
        let rows = streams::extend_expiry(&in_use, now, storage)?;
        let is_requested = self.requested.is_current(&rows, now);
        let rows = streams::relate(rows, &self.streams, &self.requested)?;
        storage.note_change()?;
        self.active_streams = in_use;
        self.streams = rows;
        Ok(Reaction::only(if is_requested { Next::Continue } else { Next::Close { hide_disconnect: true } }))
    }

    /// Takes over the subscriptions after the app made, renewed or ended one; the next status tells.
    pub fn adopt_subscriptions(&mut self, storage: &mut dyn Storage) -> Result<()> {
        let rows = streams::current(&self.streams, &self.requested, storage)?;
        storage.note_change()?;
        self.streams = rows;
        Ok(())
    }
}

fn status_json(status: &Status, streams: &[StreamRow], target: Option<&Target>) -> Result<String> {
    match target {
        Some(target) => status.to_json(streams, &target.progress),
        None => status.to_json(streams, &ProgressSums::default()),
    }
}
