//! What a checkpoint changes, as other processes are told: gathered from batches, stored with the checkpoint.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sync_engine::live::{ConfigRecord, ConfigState, DefinitionId, IndexId};
use sync_engine::notice::{ChangedBucket, ChangedLookup, ClientName, CommitNotice};
use sync_engine::row::Position;
use sync_engine::store::{Batch, BucketId, StoreError};

use super::error::Doing;

/// More changes than this are not named one by one.
const MOST_NAMED: usize = 100_000;

/// What has changed since the last checkpoint.
#[derive(Default)]
pub(super) struct News {
    /// What requests can see.
    definitions: HashSet<u32>,
    indexes: HashSet<u32>,
    buckets: BTreeMap<i64, (u32, String)>,
    lookups: BTreeSet<(u32, Arc<str>)>,
    requests: Vec<(String, String, Position)>,
    /// Whether not all changes are known.
    is_everything: bool,
}

/// Changes as they are stored.
#[derive(Default, Serialize, Deserialize)]
struct Changes {
    buckets: Vec<(u32, String, i64)>,
    lookups: Vec<(u32, Arc<str>)>,
    clients: BTreeSet<(String, String)>,
}

impl News {
    /// Of a store that was just opened: what was written after the checkpoint is not known.
    pub(super) fn new(configs: &[ConfigRecord]) -> Self {
        let mut news = Self { is_everything: true, ..Self::default() };
        news.see(configs);
        news
    }

    /// Notes what requests are evaluated with.
    fn see(&mut self, configs: &[ConfigRecord]) {
        if let Some(active) = configs.iter().find(|config| config.state == ConfigState::Active) {
            self.definitions = active.plan.definitions.iter().map(|id| id.0).collect();
            self.indexes = active.plan.indexes.iter().map(|id| id.0).collect();
        }
    }

    /// Adds what a batch changes besides buckets. If the batch is not written after all, too much is told.
    pub(super) fn add(&mut self, batch: &Batch) {
        self.see(&batch.configs);
        let closed = batch.closed_parameters.iter();
        for place in closed.chain(batch.new_parameters.iter().map(|new| &new.place)) {
            if !self.is_everything && self.indexes.contains(&place.index.0) {
                self.lookups.insert((place.index.0, Arc::clone(&place.key)));
            }
        }
        let requests = batch.write_checkpoints.iter();
        self.requests.extend(requests.map(|one| (one.user.clone(), one.client.clone(), one.head.clone())));
        self.bound();
    }

    /// Adds a bucket with new operations.
    pub(super) fn add_bucket(&mut self, bucket: i64, definition: i64, key: &[u8]) {
        let definition = definition as u32;
        if !self.is_everything && self.definitions.contains(&definition) {
            self.buckets.insert(bucket, (definition, String::from_utf8_lossy(key).into_owned()));
        }
    }

    fn bound(&mut self) {
        let count = self.buckets.len() + self.lookups.len() + self.requests.len();
        if self.is_everything || count > MOST_NAMED {
            (self.buckets, self.lookups, self.requests) = (BTreeMap::new(), BTreeSet::new(), Vec::new());
            self.is_everything = true;
        }
    }

    /// The changes for a checkpoint at this position. None if they are too many, or not known.
    pub(super) fn encoded(&mut self, reached: &Position) -> Result<Option<Vec<u8>>, StoreError> {
        self.bound();
        if self.is_everything {
            return Ok(None);
        }
        let requested = self.requests.iter().filter(|(_, _, head)| head <= reached);
        let changes = Changes {
            buckets: self.buckets.iter().map(|(bucket, (of, key))| (*of, key.clone(), *bucket)).collect(),
            lookups: self.lookups.iter().cloned().collect(),
            clients: requested.map(|(user, client, _)| (user.clone(), client.clone())).collect(),
        };
        Ok(Some(serde_json::to_vec(&changes).doing("writing what a checkpoint changes")?))
    }

    /// The checkpoint is stored.
    pub(super) fn told(&mut self) {
        let (definitions, indexes) = (std::mem::take(&mut self.definitions), std::mem::take(&mut self.indexes));
        *self = Self { definitions, indexes, ..Self::default() };
    }
}

/// Adds stored changes to a notice, and clients whose earlier requests are reached: users and clients.
pub(super) fn read(
    bytes: &[u8],
    reached: (Vec<Vec<u8>>, Vec<Vec<u8>>),
    notice: &mut CommitNotice,
) -> Result<(), StoreError> {
    let changes: Changes = serde_json::from_slice(bytes).doing("reading what a checkpoint changes")?;
    let buckets = changes.buckets.into_iter().map(|(definition, key, bucket)| ChangedBucket {
        definition: DefinitionId(definition),
        key: key.into(),
        bucket: BucketId(bucket),
    });
    notice.buckets.extend(buckets);
    let lookups = changes.lookups.into_iter().map(|(index, key)| ChangedLookup { index: IndexId(index), key });
    notice.lookups.extend(lookups);
    let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
    let mut clients = changes.clients;
    clients.extend(reached.0.into_iter().zip(reached.1).map(|(user, client)| (text(user), text(client))));
    let clients = clients.into_iter();
    notice
        .write_checkpoints
        .extend(clients.map(|(user, client)| ClientName { user: user.into(), client: client.into() }));
    Ok(())
}
