//! What deploying a configuration would do, before it is deployed: which definitions are kept, and what connected clients
//! would download.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use sync_config::{Hash, Limits, LookupSource, Plan, Standing, StoredDefinition, Value, evaluate_request};

use crate::connection::{Ask, Lookups};
use crate::live::{DefinitionId, IndexId, LivePlan};
use crate::store::{Reader, StoreError};

/// A configuration that could be deployed, and what is stored of it.
#[derive(Clone, Debug)]
pub struct Preview {
    /// The plan, put together from stored definitions as a deploy would do it.
    pub plan: Plan,
    /// The stored definitions.
    pub stored: Vec<StoredDefinition>,
    /// How far stored indexes are.
    pub indexes: BTreeMap<Hash, Standing>,
    /// The stored definition of each definition of the plan; none for those that would be new.
    pub definition_ids: Vec<Option<DefinitionId>>,
    /// The stored index of each index of the plan, likewise.
    pub index_ids: Vec<Option<IndexId>>,
}

/// What a client would notice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ClientChange {
    /// Buckets that it has and keeps.
    pub kept: usize,
    /// Buckets that it would remove.
    pub dropped: usize,
    /// Buckets that it would download.
    pub downloaded: usize,
    /// Whether it may have further ones, because they depend on an index that is not there yet.
    pub is_partial: bool,
}

/// Lookups in indexes of which some do not exist yet.
struct Partly<'a> {
    ids: &'a [Option<IndexId>],
    reader: &'a dyn Reader,
    is_partial: Cell<bool>,
}

impl LookupSource for Partly<'_> {
    fn lookup(&self, index: usize, key: &str, rows: &mut Vec<Vec<Value>>) -> Result<(), String> {
        match self.ids.get(index).copied().flatten() {
            Some(id) => self.reader.lookup(id, key, rows).map_err(|error| error.to_string()),
            None => {
                self.is_partial.set(true);
                Ok(())
            }
        }
    }
}

impl Preview {
    /// What the configuration would change for a client, at a checkpoint.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn client(
        &self,
        before: &LivePlan,
        ask: &Ask,
        reader: &dyn Reader,
        limits: &Limits,
    ) -> Result<ClientChange, StoreError> {
        let subscriptions = ask.subscriptions();
        let request = ask.request(&subscriptions);
        let lookups = Lookups::new(before, reader);
        let has = evaluate_request(&before.plan, &request, &lookups, limits);
        lookups.result()?;
        let partly = Partly { ids: &self.index_ids, reader, is_partial: Cell::new(false) };
        let gets = evaluate_request(&self.plan, &request, &partly, limits);
        let has: BTreeSet<(DefinitionId, String)> = has
            .buckets
            .into_iter()
            .filter_map(|found| Some((*before.definitions.get(found.bucket.definition)?, found.bucket.key)))
            .collect();
        let mut change = ClientChange { is_partial: partly.is_partial.get(), ..ClientChange::default() };
        for found in gets.buckets {
            let id = self.definition_ids.get(found.bucket.definition).copied().flatten();
            match id {
                Some(id) if has.contains(&(id, found.bucket.key)) => change.kept += 1,
                _ => change.downloaded += 1,
            }
        }
        change.dropped = has.len().saturating_sub(change.kept);
        Ok(change)
    }
}
