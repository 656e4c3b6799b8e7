//! A client that reduces operations as the protocol says, and checks checksums.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::expected::{Buckets, Lookups, expected, outputs};
use super::world::World;
use crate::live::{DefinitionId, IndexId, LivePlan};
use crate::store::{OpId, OpKind, OutputRow, PageLimit, Reader};

/// What a client has downloaded.
#[derive(Default)]
pub(super) struct Client {
    buckets: BTreeMap<(DefinitionId, String), Bucket>,
    lookups: BTreeSet<(IndexId, String)>,
    /// Operations downloaded so far.
    pub(super) downloaded: usize,
}

#[derive(Default)]
struct Bucket {
    last: OpId,
    checksum: u32,
    rows: HashMap<OutputRow, Arc<str>>,
}

impl Client {
    /// Downloads all buckets at a checkpoint, and compares them with what the source's rows must give.
    pub(super) fn sync(&mut self, reader: &dyn Reader, live: &LivePlan, world: &World) {
        let checkpoint = reader.checkpoint();
        let (buckets, lookups) = expected(world.state(&checkpoint.position), live);
        let definitions: BTreeSet<DefinitionId> = live.definitions.iter().copied().collect();
        let indexes: BTreeSet<IndexId> = live.indexes.iter().copied().collect();
        self.buckets.retain(|(definition, _), _| definitions.contains(definition));
        self.lookups.retain(|(index, _)| indexes.contains(index));
        self.lookups.extend(lookups.keys().cloned());
        for key in buckets.keys() {
            self.buckets.entry(key.clone()).or_default();
        }
        self.download(reader);
        self.compare(reader, &buckets, &lookups);
    }

    fn download(&mut self, reader: &dyn Reader) {
        let keys: Vec<(DefinitionId, Arc<str>)> =
            self.buckets.keys().map(|(definition, key)| (*definition, Arc::from(key.as_str()))).collect();
        let states = reader.buckets(&keys).unwrap();
        for ((key, bucket), state) in self.buckets.iter_mut().zip(states) {
            let Some(id) = state.id else {
                assert_eq!(bucket.rows.len(), 0, "{key:?} has rows and does not exist");
                continue;
            };
            loop {
                let page = reader.operations(id, bucket.last, PageLimit { operations: 7, bytes: 1000 }).unwrap();
                for operation in page.operations {
                    assert!(operation.op_id > bucket.last && operation.op_id <= reader.checkpoint().op_id);
                    self.downloaded += 1;
                    bucket.last = operation.op_id;
                    bucket.checksum = bucket.checksum.wrapping_add(operation.checksum);
                    match operation.kind {
                        OpKind::Put { row, data } => {
                            bucket.rows.insert(row, data);
                        }
                        OpKind::Remove { row } => {
                            bucket.rows.remove(&row);
                        }
                        OpKind::Move => {}
                        OpKind::Clear => {
                            bucket.rows.clear();
                            bucket.checksum = operation.checksum;
                        }
                    }
                }
                if !page.has_more {
                    break;
                }
            }
            assert_eq!(bucket.checksum, state.checksum, "checksum of {key:?}");
        }
    }

    fn compare(&self, reader: &dyn Reader, buckets: &Buckets, lookups: &Lookups) {
        let none = Vec::new();
        for (key, bucket) in &self.buckets {
            let rows = bucket.rows.iter();
            let mut rows: Vec<(String, String, String)> = rows
                .map(|(row, data)| (row.object_type.to_string(), row.object_id.to_string(), data.to_string()))
                .collect();
            rows.sort();
            assert_eq!(&rows, buckets.get(key).unwrap_or(&none), "rows of {key:?} at {:?}", reader.checkpoint());
        }
        for (index, key) in &self.lookups {
            let mut rows = Vec::new();
            reader.lookup(*index, key, &mut rows).unwrap();
            let wanted = lookups.get(&(*index, key.clone())).cloned().unwrap_or_default();
            assert_eq!(outputs(&rows), wanted, "entries of {index:?} {key} at {:?}", reader.checkpoint());
        }
    }
}
