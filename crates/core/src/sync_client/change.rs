//! What a call makes of an iteration's memory. Handlers only prepare it; it takes effect when the SDK has its answer and
//! nothing can fail any more. So a call that fails leaves memory as it was.

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::diagnostics::Observed;
use super::event::StreamKey;
use super::others::Others;
use super::progress::ProgressSums;
use super::status::Status;
use super::streams::StreamRow;
use super::target::{PreparedDiff, Receipt, Target};

/// New values for parts of an iteration; None for those that stay.
#[derive(Default)]
pub struct Change<'l> {
    /// See [`super::iteration::Iteration`], here and below.
    pub status: Option<Status>,
    /// Stored subscriptions.
    pub streams: Option<Vec<StreamRow>>,
    /// Streams in use by the app.
    pub active_streams: Option<Vec<StreamKey>>,
    /// Whether a validated checkpoint waits.
    pub waiting: Option<Waiting>,
    /// The checkpoint.
    pub target: Option<TargetChange<'l>>,
    /// What is new about the types of members.
    pub observed: Option<Observed>,
    /// What is known of other iterations on the file.
    pub others: Option<Others>,
    /// The last status given to the SDK.
    pub emitted: Option<Rc<String>>,
}

/// Whether a checkpoint, all of which was sent, waits: for the upload of local writes, or for a newer one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Waiting {
    /// None does.
    #[default]
    No,
    /// For uploads; what is held is that checkpoint.
    Validated,
    /// For uploads; another iteration has changed something since, and may have published it.
    PerhapsPublished,
    /// For uploads; more data arrived since it was validated: what is held is no longer that checkpoint.
    Overtaken,
    /// For a newer one: what is held is ahead of it.
    Ahead {
        /// How far.
        held: i64,
        /// Keep-alives since that has changed.
        quiet_keep_alives: u32,
    },
}

/// A change of the checkpoint.
pub enum TargetChange<'l> {
    /// Another one.
    Replace(Target),
    /// Other buckets.
    Diff(PreparedDiff<'l>),
    /// A bucket received data.
    Receive(Receipt),
    /// It was published as a whole; with the sums afterwards.
    Settle(ProgressSums),
}

impl Change<'_> {
    /// Whether memory will reflect something that a rollback of the transaction would undo.
    pub fn depends_on_transaction(&self) -> bool {
        let Self { status, streams, active_streams, waiting, target, observed, others, emitted: _ } = self;
        status.is_some()
            || streams.is_some()
            || active_streams.is_some()
            || waiting.is_some()
            || target.is_some()
            || observed.is_some()
            || others.is_some()
    }

    /// The sums over buckets after the change; None if they stay.
    pub fn progress(&self) -> Option<&ProgressSums> {
        match self.target.as_ref()? {
            TargetChange::Replace(target) => Some(&target.progress),
            TargetChange::Diff(diff) => Some(&diff.progress),
            TargetChange::Receive(receipt) => receipt.progress.as_ref(),
            TargetChange::Settle(progress) => Some(progress),
        }
    }
}
