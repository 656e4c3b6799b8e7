//! One row: what it gives now against what it has given so far.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::batch::BatchBuilder;
use super::checksums::{data_hash, outputs_hash};
use super::programs::{Content, Evaluated};
use crate::live::DefinitionId;
use crate::row::RowKey;
use crate::store::{BucketId, OutputRow, Place, RowState, StoredParameter, TableId};
use sync_config::Value;

/// A row that is to be written.
#[derive(Debug)]
pub(super) struct RowTarget {
    pub(super) table: TableId,
    pub(super) key: RowKey,
    /// What tells rows with the same type and id apart.
    pub(super) subkey: Arc<str>,
    /// What it gives now; nothing if it was deleted.
    pub(super) evaluated: Evaluated,
    /// Values that the source may not send again.
    pub(super) unsent: Vec<(u32, Value)>,
}

/// Which definitions and indexes a row is written for. What it has given for others stays as it is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scope<'a> {
    /// Everything that is not being dropped.
    pub(super) live: &'a Content,
    /// Some of it: a snapshot's row is for what the snapshot is made for.
    pub(super) only: Option<&'a Content>,
}

impl Scope<'_> {
    fn has_definition(&self, id: DefinitionId) -> bool {
        self.only.is_none_or(|only| only.definitions.contains(&id))
    }

    fn has_index(&self, id: crate::live::IndexId) -> bool {
        self.only.is_none_or(|only| only.indexes.contains(&id))
    }
}

impl RowTarget {
    /// Adds to the batch what has changed. A place with the same hash gives no operation.
    pub(super) fn write(self, before: RowState, scope: Scope<'_>, builder: &mut BatchBuilder) {
        let Self { table, key, subkey, evaluated, unsent } = self;
        let RowState { mut places, mut parameters, unsent: unsent_before } = before;
        // Definitions and indexes that are being dropped are forgotten.
        let count = places.len() + parameters.len();
        places.retain(|place| scope.live.definitions.contains(&place.definition));
        parameters.retain(|parameter| scope.live.indexes.contains(&parameter.index));
        let mut state = RowState { unsent, ..RowState::default() };
        let has_forgotten = count != places.len() + parameters.len();
        let is_changed = has_forgotten
            | write_places(places, evaluated.entries, &subkey, scope, builder, &mut state)
            | write_parameters(parameters, evaluated.parameters, &(table, key.clone()), scope, builder, &mut state)
            | !same_unsent(&state.unsent, &unsent_before);
        if is_changed {
            builder.batch.row_states.push((table, key, state));
        }
    }
}

fn write_places(
    before: Vec<Place>,
    entries: Vec<(DefinitionId, sync_config::BucketEntry)>,
    subkey: &Arc<str>,
    scope: Scope<'_>,
    builder: &mut BatchBuilder,
    state: &mut RowState,
) -> bool {
    let mut is_changed = false;
    let entries = entries.into_iter().filter(|(definition, _)| scope.has_definition(*definition));
    let entries: Vec<_> =
        entries.map(|(definition, entry)| (builder.bucket(definition, &entry.key), definition, entry)).collect();
    let ids: HashSet<(BucketId, &str, &str)> =
        entries.iter().map(|(bucket, _, entry)| (*bucket, &*entry.table, &*entry.id)).collect();
    let mut kept: HashMap<(BucketId, Arc<str>, Arc<str>), Place> = HashMap::new();
    // First what is gone, so that a row with another id is removed under the old one before it is put under the new one.
    for place in before {
        if !scope.has_definition(place.definition) {
            state.places.push(place);
        } else if ids.contains(&(place.bucket, &*place.object_type, &*place.object_id)) {
            kept.insert((place.bucket, Arc::clone(&place.object_type), Arc::clone(&place.object_id)), place);
        } else {
            is_changed = true;
            let Place { definition, bucket, object_type, object_id, op_id, .. } = place;
            let row = OutputRow { object_type, object_id, subkey: Arc::clone(subkey) };
            builder.remove(definition, bucket, row, op_id);
        }
    }
    for (bucket, definition, entry) in entries {
        let hash = data_hash(&entry.data);
        let sync_config::BucketEntry { key, table: object_type, id: object_id, data, .. } = entry;
        let before = kept.remove(&(bucket, Arc::clone(&object_type), Arc::clone(&object_id)));
        let op_id = match before {
            Some(place) if place.hash == hash => place.op_id,
            before => {
                is_changed = true;
                let (object_type, object_id) = (Arc::clone(&object_type), Arc::clone(&object_id));
                let row = OutputRow { object_type, object_id, subkey: Arc::clone(subkey) };
                builder.put((definition, bucket, &key), row, data, before.map(|place| place.op_id))
            }
        };
        state.places.push(Place { definition, bucket, object_type, object_id, op_id, hash });
    }
    is_changed
}

fn write_parameters(
    before: Vec<StoredParameter>,
    entries: Vec<(crate::live::IndexId, sync_config::ParameterEntry)>,
    row: &(TableId, RowKey),
    scope: Scope<'_>,
    builder: &mut BatchBuilder,
    state: &mut RowState,
) -> bool {
    let mut is_changed = false;
    let mut outputs: HashMap<StoredParameterKey, usize> = HashMap::new();
    let mut now: Vec<(StoredParameter, Option<Vec<Value>>)> = Vec::new();
    for (index, entry) in entries.into_iter().filter(|(index, _)| scope.has_index(*index)) {
        let parameter = StoredParameter { index, key: entry.key.into(), hash: outputs_hash(&entry.outputs) };
        outputs.entry(identity(&parameter)).or_insert_with(|| {
            now.push((parameter, Some(entry.outputs)));
            now.len() - 1
        });
    }
    for parameter in before {
        if !scope.has_index(parameter.index) {
            state.parameters.push(parameter);
        } else if let Some((_, outputs)) = outputs.get(&identity(&parameter)).and_then(|at| now.get_mut(*at)) {
            *outputs = None;
        } else {
            is_changed = true;
            builder.close_parameter(parameter.index, parameter.key, row.clone(), parameter.hash);
        }
    }
    for (parameter, outputs) in now {
        if let Some(outputs) = outputs {
            is_changed = true;
            let key = Arc::clone(&parameter.key);
            builder.open_parameter(parameter.index, key, row.clone(), parameter.hash, outputs);
        }
        state.parameters.push(parameter);
    }
    is_changed
}

type StoredParameterKey = (crate::live::IndexId, Arc<str>, u64);

fn identity(parameter: &StoredParameter) -> StoredParameterKey {
    (parameter.index, Arc::clone(&parameter.key), parameter.hash)
}

fn same_unsent(left: &[(u32, Value)], right: &[(u32, Value)]) -> bool {
    let same = |(a, b): (&(u32, Value), &(u32, Value))| {
        a.0 == b.0 && RowKey::new(std::slice::from_ref(&a.1)) == RowKey::new(std::slice::from_ref(&b.1))
    };
    left.len() == right.len() && left.iter().zip(right).all(same)
}
