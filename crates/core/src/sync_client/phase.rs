//! How far an iteration is with a checkpoint, and how that changes.

use alloc::boxed::Box;

use crate::error::{Error, Result};

use super::change::PhaseChange;
use super::others::Others;
use super::progress::ProgressSums;
use super::request::Positions;
use super::target::Target;
use crate::sync_client::storage::Continuation;

/// How far an iteration is.
#[derive(Debug)]
pub(super) enum Phase {
    /// The request was made, and the service has not sent a checkpoint yet.
    Requested {
        /// Up to which operations the service takes buckets as received.
        positions: Positions,
    },
    /// A checkpoint is, or was last, downloaded.
    Checkpoint {
        /// The checkpoint, and what is stored of it.
        target: Box<Target>,
        /// Set if all of it was sent, but it cannot be published yet.
        waiting: Option<Waiting>,
    },
}

/// What a checkpoint, all of which was sent, waits for: the upload of local writes, or a newer checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Waiting {
    /// For uploads; what is stored is that checkpoint.
    Validated,
    /// For uploads; another iteration has changed something since, and may have published it.
    PerhapsPublished,
    /// For uploads; more data arrived since it was validated: what is stored is no longer that checkpoint.
    Overtaken,
    /// For a newer one: what is stored is ahead of it.
    Ahead {
        /// How far.
        held: i64,
        /// Keep-alives since that has changed.
        quiet_keep_alives: u32,
    },
}

impl Waiting {
    /// How the checkpoint keeps waiting if stored data up to `now_held` are still ahead of the checkpoint.
    pub(super) fn still_ahead(self, now_held: i64) -> Self {
        match self {
            Self::Ahead { held, quiet_keep_alives } if held == now_held => {
                Self::Ahead { held, quiet_keep_alives: quiet_keep_alives.saturating_add(1) }
            }
            Self::Ahead { .. } => Self::Ahead { held: now_held, quiet_keep_alives: 0 },
            Self::Validated | Self::PerhapsPublished | Self::Overtaken => Self::Overtaken,
        }
    }
}

impl Phase {
    /// The checkpoint; None before the first one.
    pub(super) fn target(&self) -> Option<&Target> {
        match self {
            Self::Requested { .. } => None,
            Self::Checkpoint { target, .. } => Some(target),
        }
    }

    /// The checkpoint, all or a part of which was sent.
    ///
    /// # Errors
    /// There is none yet.
    pub(super) fn complete_target(&self) -> Result<&Target> {
        self.target().ok_or_else(|| Error::protocol("Received checkpoint complete without previous checkpoint"))
    }

    /// What the checkpoint waits for; None if there is none that waits.
    pub(super) fn waiting(&self) -> Option<Waiting> {
        match self {
            Self::Requested { .. } => None,
            Self::Checkpoint { waiting, .. } => *waiting,
        }
    }

    /// The sums over buckets; None before the first checkpoint.
    pub(super) fn progress(&self) -> Option<&ProgressSums> {
        self.target().map(|target| &target.progress)
    }

    /// Up to which operation the service takes a bucket as received.
    pub(super) fn received(&self, bucket: &str) -> i64 {
        match self {
            Self::Requested { positions } => positions.get(bucket),
            Self::Checkpoint { target, .. } => target.position(bucket),
        }
    }

    /// What a data line for a bucket continues.
    pub(super) fn continuation(&self, bucket: &str, others: &Others) -> Continuation {
        // One that is not there may be among those that a newer checkpoint of another iteration has removed.
        let is_removed = |target: &Target| others.removed_after(target.last_op_id).is_some();
        Continuation { after: self.received(bucket), may_create: !self.target().is_some_and(is_removed) }
    }

    /// Another iteration has changed something: what is known of stored buckets may no longer be so.
    pub(super) fn set_outdated(&mut self) {
        if let Self::Checkpoint { target, waiting } = self {
            target.set_outdated();
            if *waiting == Some(Waiting::Validated) {
                *waiting = Some(Waiting::PerhapsPublished);
            }
        }
    }

    /// Makes room for a change.
    pub(super) fn reserve(&mut self, change: &PhaseChange<'_>) -> Result<()> {
        match self {
            Self::Requested { .. } => {
                debug_assert!(
                    matches!(change, PhaseChange::Begin(_)),
                    "a change of a checkpoint, before the first one"
                );
                Ok(())
            }
            Self::Checkpoint { target, .. } => target.reserve(change),
        }
    }

    /// Makes a change, for which there is room.
    pub(super) fn apply(&mut self, change: PhaseChange<'_>) {
        match (self, change) {
            (phase, PhaseChange::Begin(target)) => *phase = Self::Checkpoint { target, waiting: None },
            (Self::Checkpoint { target, waiting }, PhaseChange::Diff(diff)) => {
                *waiting = None;
                target.apply_diff(diff);
            }
            (Self::Checkpoint { target, waiting }, PhaseChange::Receive(receipt)) => {
                if receipt.is_new && matches!(waiting, Some(Waiting::Validated | Waiting::PerhapsPublished)) {
                    *waiting = Some(Waiting::Overtaken);
                }
                target.receive(receipt);
            }
            (Self::Checkpoint { waiting, .. }, PhaseChange::Wait(reason)) => *waiting = Some(reason),
            (Self::Checkpoint { target, waiting }, PhaseChange::Publish(progress)) => {
                *waiting = None;
                target.settle(progress);
            }
            (Self::Requested { .. }, _) => debug_assert!(false, "a change of a checkpoint, before the first one"),
        }
    }
}
