//! What an iteration has seen so far (docs/reference/functions.md#powersync_diagnose), and the row that its end leaves in
//! `ps_diagnostics` (docs/reference/tables.md#ps_diagnostics).
//!
//! A failed call's transaction is rolled back, so the error is kept in memory and stored when the iteration ends.

use alloc::string::String;

use rowtide_json::writer::Json;

use super::change::Change;
use super::iteration::Iteration;
use super::memory::copy;
use super::phase::{Phase, Waiting};
use super::status::{Connection, Status};
use crate::error::{Error, ErrorKind, Result};
use crate::sync_client::storage::{Finding, FindingKind, Storage, Timestamp};

/// Bytes of an error's message that are kept.
const MESSAGE_SIZE: usize = 500;

/// What an iteration has seen so far.
#[derive(Debug)]
pub(super) struct Attempt {
    started_at: Timestamp,
    lines: i64,
    bytes: i64,
    last_line_at: Option<Timestamp>,
    /// Whether a full checkpoint was published.
    completed: bool,
    failure: Option<Failure>,
    /// Whether the last call failed.
    is_failing: bool,
    /// Whether storing its end has ended the transaction.
    cannot_be_recorded: bool,
}

/// The last call that failed.
#[derive(Debug)]
struct Failure {
    at: Option<Timestamp>,
    class: &'static str,
    message: alloc::boxed::Box<str>,
}

/// A line that was received.
#[derive(Debug, Clone, Copy)]
pub(super) struct ReceivedLine {
    /// Its size in bytes.
    pub size: usize,
    /// When, if the clock was read.
    pub at: Option<Timestamp>,
}

/// Why an iteration ends.
#[derive(Debug, Clone, Copy)]
pub(super) enum EndedBy {
    /// The SDK stops it, or starts another one.
    Stop,
    /// The service has closed the connection.
    Service,
    /// The client closes the connection.
    Instruction,
}

impl Attempt {
    /// An iteration that begins.
    pub(super) fn new(started_at: Timestamp) -> Self {
        Self {
            started_at,
            lines: 0,
            bytes: 0,
            last_line_at: None,
            completed: false,
            failure: None,
            is_failing: false,
            cannot_be_recorded: false,
        }
    }

    /// A call has succeeded, which received `line`, and `completed` a full checkpoint or not.
    pub(super) fn note_success(&mut self, line: Option<ReceivedLine>, completed: bool) {
        (self.lines, self.bytes, self.last_line_at) = self.with(line);
        self.is_failing = false;
        self.completed |= completed;
    }

    /// The counters with another line.
    fn with(&self, line: Option<ReceivedLine>) -> (i64, i64, Option<Timestamp>) {
        let Some(ReceivedLine { size, at }) = line else { return (self.lines, self.bytes, self.last_line_at) };
        let bytes = self.bytes.saturating_add(i64::try_from(size).unwrap_or(i64::MAX));
        (self.lines.saturating_add(1), bytes, at.or(self.last_line_at))
    }

    /// A call has failed. Without memory for the message, only that is noted.
    pub(super) fn note_failure(&mut self, error: &Error, at: Option<Timestamp>) {
        self.is_failing = true;
        let Ok(message) = crate::text::format(format_args!("{error}")) else { return };
        let end = message.floor_char_boundary(MESSAGE_SIZE);
        if let Ok(message) = copy(message.get(..end).unwrap_or_default()) {
            self.failure = Some(Failure { at, class: class(error.kind()), message });
        }
    }

    fn write(&self, json: &mut Json, status: &Status, line: Option<ReceivedLine>) {
        let (lines, bytes, last_line_at) = self.with(line);
        json.integer("{\"started_at\":", self.started_at);
        json.bool(",\"connected\":", status.connection == Connection::Connected);
        json.integer(",\"lines\":", lines);
        json.integer(",\"bytes\":", bytes);
        json.optional_integer(",\"last_line_at\":", last_line_at);
        json.bool(",\"completed\":", self.completed);
        let Some(Failure { at, class, message }) = &self.failure else {
            return json.raw(",\"last_error\":null");
        };
        json.optional_integer(",\"last_error\":{\"at\":", *at);
        json.string(",\"class\":", class);
        json.string(",\"message\":", message);
        json.raw("}");
    }
}

impl Iteration {
    /// Stores how the iteration ends. What goes wrong must not keep it from ending.
    ///
    /// # Errors
    /// Those on which SQLite may end the transaction. After one, this does nothing, so that the iteration can be ended.
    pub(super) fn record_end(&mut self, by: EndedBy, change: &Change<'_>, storage: &mut dyn Storage) -> Result<()> {
        if self.attempt.cannot_be_recorded {
            return Ok(());
        }
        let recorded = self.end_detail(by, change).and_then(|detail| {
            let found = [Finding { subject: "", detail: &detail }];
            storage.record_findings(FindingKind::Attempt, &found, &|_| false)
        });
        match recorded {
            Err(error) if error.may_end_transaction() => {
                self.attempt.cannot_be_recorded = true;
                Err(error)
            }
            _ => Ok(()),
        }
    }

    fn end_detail(&self, by: EndedBy, change: &Change<'_>) -> Result<String> {
        let by = match by {
            EndedBy::Stop | EndedBy::Service if self.attempt.is_failing => "error",
            EndedBy::Stop => "stop",
            EndedBy::Service => "service",
            EndedBy::Instruction => "instruction",
        };
        let mut json = Json::default();
        self.attempt.write(&mut json, change.status.as_ref().unwrap_or(&self.status), change.line);
        json.string(",\"ended_by\":", by);
        json.raw("}");
        Ok(json.finish()?)
    }

    /// The running iteration as JSON.
    ///
    /// # Errors
    /// Out of memory.
    pub(super) fn describe(&self) -> Result<String> {
        let mut json = Json::default();
        self.attempt.write(&mut json, &self.status, None);
        json.string(",\"state\":", self.state_name());
        match self.phase.target() {
            None => json.raw(",\"checkpoint\":null"),
            Some(target) => {
                json.id(",\"checkpoint\":{\"last_op_id\":", target.last_op_id);
                match target.write_checkpoint {
                    Some(id) => json.id(",\"write_checkpoint\":", id),
                    None => json.raw(",\"write_checkpoint\":null"),
                }
                json.raw("}");
            }
        }
        json.raw("}");
        Ok(json.finish()?)
    }

    fn state_name(&self) -> &'static str {
        match &self.phase {
            Phase::Requested { .. } => "connecting",
            Phase::Checkpoint { waiting: Some(Waiting::Ahead { .. }), .. } => "downloading",
            Phase::Checkpoint { waiting: Some(_), .. } => "waiting for upload",
            Phase::Checkpoint { .. } if self.status.is_downloading => "downloading",
            Phase::Checkpoint { .. } => "idle",
        }
    }
}

/// The name of an error's class (docs/reference/tables.md#ps_diagnostics).
fn class(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Argument => "argument",
        ErrorKind::State => "state",
        ErrorKind::Protocol => "protocol",
        ErrorKind::Abort => "abort",
        ErrorKind::LocalData => "local data",
        ErrorKind::Sqlite(_) => "sqlite",
        ErrorKind::OutOfMemory => "out of memory",
        ErrorKind::Internal => "internal",
    }
}
