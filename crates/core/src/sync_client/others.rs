//! What an iteration knows of others that run on the same file, and how it follows their changes
//! (docs/reference/sync-client.md#several-iterations-on-one-file).
//!
//! Each operation is stored once, by the iteration that receives it first. So stored data may be *ahead* of an
//! iteration: they hold more than the checkpoint that it is about to complete, or buckets that it has are gone. Nothing
//! has to be downloaded again for that, because its own stream will say the same. The checkpoint is put off, and the
//! next one decides.
//!
//! Iterations whose requests differ in `parameters` or `include_defaults` get different buckets. Each bucket remembers
//! for which request it was created. It is deleted only for that request, or while no iteration with another request
//! has been noticed. So both keep their data. A client that has just been opened does not know the others yet: its
//! first checkpoint deletes their buckets. They then reconnect and download them again.

use rowtide_protocol::SyncLine;

use super::iteration::{Iteration, NextStep};
use super::phase::Phase;
use super::status::Connection;
use super::streams::{self, StreamRow};
use crate::error::Result;
use crate::sync_client::storage::{
    FULL_CHECKPOINT_PRIORITY, IterationState, NewestCheckpoints, RequestId, Storage, Timestamp,
};

/// So long, in microseconds, others are taken to be there after they were noticed. They are at the latest when they
/// connect again, mostly because their token expires.
const PRESENCE: Timestamp = 3_600_000_000;

/// What an iteration knows of others.
#[derive(Debug, Clone, Copy)]
pub(super) struct Others {
    /// When one was noticed last, by this iteration or one before it on this connection.
    noticed_at: Option<Timestamp>,
    /// How far they have come.
    newest: NewestCheckpoints,
    /// How far this iteration has come itself, or all had when it began.
    own: NewestCheckpoints,
}

impl Others {
    /// An iteration that begins has noticed no others, unless one `before` it on the connection has.
    pub(super) fn new(newest: NewestCheckpoints, before: Option<Self>) -> Self {
        Self { noticed_at: before.and_then(|before| before.noticed_at), newest, own: newest }
    }

    /// What is known once this iteration has validated a whole checkpoint.
    pub(super) fn after_completing(self, last_op_id: i64) -> Self {
        let newest = NewestCheckpoints { completed: last_op_id, ..self.newest };
        Self { newest, own: NewestCheckpoints { completed: last_op_id, ..self.own }, ..self }
    }

    /// What is known once a checkpoint of this iteration has removed buckets.
    pub(super) fn after_removing(self, last_op_id: i64) -> Self {
        let removed = self.own.removed.max(last_op_id);
        Self { own: NewestCheckpoints { removed, ..self.own }, ..self }
    }

    /// Whether there have been others at any time.
    pub(super) fn were_noticed(&self) -> bool {
        self.noticed_at.is_some()
    }

    /// Whether there are others, as far as is known.
    pub(super) fn are_present(&self, storage: &mut dyn Storage) -> Result<bool> {
        match self.noticed_at {
            Some(time) => Ok(storage.now()?.saturating_sub(time) < PRESENCE),
            None => Ok(false),
        }
    }

    /// The newer checkpoint than the one with this `last_op_id` that another iteration has completed.
    pub(super) fn completed_after(&self, last_op_id: i64) -> Option<i64> {
        let NewestCheckpoints { completed, .. } = self.newest;
        (completed > last_op_id.max(self.own.completed)).then_some(completed)
    }

    /// The newer checkpoint than the one with this `last_op_id` for which another iteration has deleted buckets.
    pub(super) fn removed_after(&self, last_op_id: i64) -> Option<i64> {
        let NewestCheckpoints { removed, .. } = self.newest;
        (removed > last_op_id.max(self.own.removed)).then_some(removed)
    }
}

/// Which buckets stay stored although they are not part of a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum KeptBuckets {
    /// None: all are deleted.
    None,
    /// Those that were made for another request.
    OfOtherRequests,
    /// All.
    All,
}

impl KeptBuckets {
    /// Whether a bucket is kept.
    pub(super) fn include(self, is_of_other_request: bool) -> bool {
        match self {
            Self::None => false,
            Self::OfOtherRequests => is_of_other_request,
            Self::All => true,
        }
    }
}

/// What an event looks at of the buckets that are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Uses {
    /// Nothing, or one bucket, which it reads itself.
    Nothing,
    /// All.
    Buckets,
    /// All if a checkpoint waits.
    WaitingCheckpoint,
}

impl Uses {
    /// What a line looks at.
    pub(super) fn of(line: &SyncLine<'_>) -> Self {
        match line {
            SyncLine::Checkpoint(_) | SyncLine::Data(_) | SyncLine::Unknown { .. } => Self::Nothing,
            SyncLine::CheckpointDiff(_) | SyncLine::CheckpointComplete(_) | SyncLine::PartialCheckpointComplete(_) => {
                Self::Buckets
            }
            SyncLine::KeepAlive { .. } => Self::WaitingCheckpoint,
        }
    }
}

impl Iteration {
    /// Brings memory in line with what is stored, before an event is handled: after another connection has changed
    /// something, and of buckets as far as the event looks at them. Returns [`NextStep::Report`] if the status has to
    /// show it.
    ///
    /// This stays when the event then fails: it does no harm, and is done again if the event comes again.
    pub(super) fn follow(&mut self, state: IterationState, uses: Uses, storage: &mut dyn Storage) -> Result<NextStep> {
        let is_news = match state {
            IterationState::Outdated { newest, by_iteration } => self.catch_up(newest, by_iteration, storage)?,
            _ => false,
        };
        let is_used = match uses {
            Uses::Nothing => false,
            Uses::Buckets => true,
            Uses::WaitingCheckpoint => self.phase.waiting().is_some(),
        };
        if is_used
            && let Phase::Checkpoint { target, .. } = &mut self.phase
            && let Some(refresh) = target.prepare_refresh(storage)?
        {
            target.refresh(refresh);
        }
        Ok(if is_news { NextStep::Report } else { NextStep::Continue })
    }

    /// Loads again what another connection may have changed, but for buckets. Returns whether that is news.
    fn catch_up(&mut self, newest: NewestCheckpoints, by_iteration: bool, storage: &mut dyn Storage) -> Result<bool> {
        let sync_times = storage.sync_times()?;
        let streams = streams::current(&self.streams, &self.requested, storage)?;
        let is_published = full_sync(&sync_times) != full_sync(&self.status.sync_times);
        let last_applied_request_id = match self.status.connection {
            Connection::Connected if is_published => storage.request_id(RequestId::LastApplied)?,
            _ => self.status.last_applied_request_id,
        };
        let noticed_at = if by_iteration { Some(storage.now()?) } else { self.others.noticed_at };
        let is_news = sync_times != self.status.sync_times || !are_same(&self.streams, &streams);
        self.status.sync_times = sync_times;
        self.status.last_applied_request_id = last_applied_request_id;
        self.streams = streams;
        self.phase.set_outdated();
        self.others = Others { noticed_at, newest, ..self.others };
        Ok(is_news)
    }

    /// What is known of others after a checkpoint, which perhaps has removed buckets. Others are notified of that.
    pub(super) fn others_after_removal(
        &self,
        is_removal: bool,
        last_op_id: i64,
        storage: &mut dyn Storage,
    ) -> Result<Option<Others>> {
        if !is_removal {
            return Ok(None);
        }
        storage.record_removal(last_op_id)?;
        Ok(Some(self.others.after_removing(last_op_id)))
    }

    /// Which buckets stay stored that a checkpoint with this `last_op_id` does not list. `is_whole` says whether it
    /// lists all that was requested, rather than what has changed.
    pub(super) fn kept_buckets(
        &self,
        last_op_id: i64,
        is_whole: bool,
        storage: &mut dyn Storage,
    ) -> Result<KeptBuckets> {
        if !self.others.are_present(storage)? {
            return Ok(KeptBuckets::None);
        }
        // What was subscribed on another connection since the request is not in the checkpoint.
        let is_behind = self.others.completed_after(last_op_id).is_some()
            || is_whole && !self.requested.is_current(&storage.subscriptions()?, storage.now()?);
        Ok(if is_behind { KeptBuckets::All } else { KeptBuckets::OfOtherRequests })
    }
}

fn full_sync(times: &[(i64, Timestamp)]) -> Option<&(i64, Timestamp)> {
    times.iter().find(|(priority, _)| *priority == FULL_CHECKPOINT_PRIORITY)
}

/// Whether two lists of subscriptions differ at most in when they end, which others put off with every keep-alive.
fn are_same(known: &[StreamRow], current: &[StreamRow]) -> bool {
    let is_same = |(known, current): (&StreamRow, &StreamRow)| {
        let (known, current) = (&known.stored, &current.stored);
        known.id == current.id
            && known.stream_name == current.stream_name
            && known.parameters == current.parameters
            && (known.active, known.is_default) == (current.active, current.is_default)
            && known.ttl.is_some() == current.ttl.is_some()
            && known.last_synced_at == current.last_synced_at
    };
    known.len() == current.len() && known.iter().zip(current).all(is_same)
}
