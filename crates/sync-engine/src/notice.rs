//! What a commit changed: the writer gives it after each one, and connections decide by it whether they are affected.

use std::sync::Arc;

use crate::live::{DefinitionId, IndexId, LivePlan};
use crate::store::{BucketId, Checkpoint};

/// The change feed of one commit that made a checkpoint.
///
/// It names what changed since the previous notice, so a commit without a checkpoint (a part of a long source
/// transaction) gives no notice, and what it changed is in the notice of the commit that ends the transaction. Each
/// list names a thing at most once, in no particular order. Readers opened after the notice see its checkpoint or a
/// later one.
#[derive(Clone, Debug)]
pub struct CommitNotice {
    /// The checkpoint that was made.
    pub checkpoint: Checkpoint,
    /// Buckets with new operations.
    pub buckets: Vec<ChangedBucket>,
    /// Keys of parameter indexes whose entries changed.
    pub lookups: Vec<ChangedLookup>,
    /// Clients whose acknowledged write checkpoint has moved.
    pub write_checkpoints: Vec<ClientName>,
    /// The plan that is active from this checkpoint on, if it is another one than before.
    pub activated: Option<Arc<LivePlan>>,
    /// Whether not all changes are known, so that everything is to be read again.
    pub everything: bool,
}

/// A bucket with new operations.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ChangedBucket {
    /// The stored definition that it is of.
    pub definition: DefinitionId,
    /// Its key, a JSON array.
    pub key: Arc<str>,
    /// Its number in the store.
    pub bucket: BucketId,
}

/// A key of a parameter index whose entries changed.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChangedLookup {
    /// The stored index.
    pub index: IndexId,
    /// The key, a JSON array.
    pub key: Arc<str>,
}

/// Whom a write checkpoint is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientName {
    /// The user, as the token names them.
    pub user: Arc<str>,
    /// The client; empty if it gave no id.
    pub client: Arc<str>,
}

impl CommitNotice {
    /// A notice of a checkpoint that changes nothing for clients.
    pub fn new(checkpoint: Checkpoint) -> Self {
        Self {
            checkpoint,
            buckets: Vec::new(),
            lookups: Vec::new(),
            write_checkpoints: Vec::new(),
            activated: None,
            everything: false,
        }
    }
}

/// What notices mean for one connection. Wakes that a connection has not taken yet can be merged into one.
#[derive(Clone, Debug, Default)]
pub struct Wake {
    /// Buckets of the connection with new operations.
    pub buckets: Vec<(DefinitionId, Arc<str>)>,
    /// Whether lookups that its buckets depend on have changed.
    pub lookups: bool,
    /// Whether its write checkpoint has moved.
    pub write_checkpoint: bool,
    /// Whether anything can have changed, because not all notices are known.
    pub everything: bool,
    /// The plan that is active now, if a notice named one.
    pub plan: Option<Arc<LivePlan>>,
}

/// Beyond this many changed buckets, everything is read again.
const MOST_BUCKETS: usize = 10_000;

impl Wake {
    /// Whether there is nothing to do.
    pub fn is_empty(&self) -> bool {
        self.buckets.is_empty() && !self.lookups && !self.write_checkpoint && !self.everything && self.plan.is_none()
    }

    /// Adds a later one.
    pub fn merge(&mut self, later: Wake) {
        self.buckets.extend(later.buckets);
        if self.buckets.len() > MOST_BUCKETS {
            self.buckets.sort_unstable();
            self.buckets.dedup();
        }
        self.everything |= later.everything || self.buckets.len() > MOST_BUCKETS;
        if self.everything {
            self.buckets = Vec::new();
        }
        self.lookups |= later.lookups;
        self.write_checkpoint |= later.write_checkpoint;
        if later.plan.is_some() {
            self.plan = later.plan;
        }
    }
}
