//! What a call makes of an iteration's memory. Handlers only prepare it; it takes effect when the SDK has its answer and
//! nothing can fail any more. So a call that fails leaves memory as it was.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use super::attempt::ReceivedLine;
use super::diagnostics::Observed;
use super::event::StreamKey;
use super::others::Others;
use super::phase::Waiting;
use super::progress::ProgressSums;
use super::status::Status;
use super::streams::StreamRow;
use super::target::{PreparedDiff, Receipt, Target};

/// New values for parts of an iteration; None for those that stay.
#[derive(Default)]
pub(super) struct Change<'l> {
    /// See [`super::iteration::Iteration`], here and below.
    pub status: Option<Status>,
    /// Stored subscriptions.
    pub streams: Option<Vec<StreamRow>>,
    /// Streams in use by the app.
    pub active_streams: Option<Vec<StreamKey>>,
    /// The checkpoint, and what it waits for.
    pub phase: Option<PhaseChange<'l>>,
    /// What is new about the types of members.
    pub observed: Option<Observed>,
    /// What is known of other iterations on the file.
    pub others: Option<Others>,
    /// The last status given to the SDK.
    pub emitted: Option<Rc<String>>,
    /// The line that was received.
    pub line: Option<ReceivedLine>,
}

/// A change of the phase. All but the first need a checkpoint.
pub(super) enum PhaseChange<'l> {
    /// Another checkpoint begins.
    Begin(Box<Target>),
    /// The checkpoint has other buckets.
    Diff(PreparedDiff<'l>),
    /// A bucket received data.
    Receive(Receipt),
    /// All of the checkpoint was sent, and it waits for this.
    Wait(Waiting),
    /// The checkpoint was published as a whole; with the sums afterwards.
    Publish(ProgressSums),
}

impl Change<'_> {
    /// Whether memory will reflect something that a rollback of the transaction would undo.
    pub(super) fn depends_on_transaction(&self) -> bool {
        let Self { status, streams, active_streams, phase, observed, others, emitted: _, line: _ } = self;
        status.is_some()
            || streams.is_some()
            || active_streams.is_some()
            || phase.is_some()
            || observed.is_some()
            || others.is_some()
    }

    /// The sums over buckets after the change; None if they stay.
    pub(super) fn progress(&self) -> Option<&ProgressSums> {
        match self.phase.as_ref()? {
            PhaseChange::Begin(target) => Some(&target.progress),
            PhaseChange::Diff(diff) => Some(&diff.progress),
            PhaseChange::Receive(receipt) => receipt.progress.as_ref(),
            PhaseChange::Wait(_) => None,
            PhaseChange::Publish(progress) => Some(progress),
        }
    }
}
