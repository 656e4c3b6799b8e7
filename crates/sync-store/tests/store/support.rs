//! Stores to test, random numbers, and short ways to write batches.

use std::sync::Arc;

use sync_config::Value;
use sync_engine::live::{ConfigId, DefinitionId, IndexId};
use sync_engine::row::{Position, RowKey};
use sync_engine::store::{
    Batch, BucketChange, BucketId, Checkpoint, NewBucket, OpId, OpKind, Operation, OutputRow, PageLimit,
    ParameterPlace, Place, Reader, RowState, Store, TableId,
};

use crate::world::{Kind, World};

pub(crate) const ALL: PageLimit = PageLimit { operations: usize::MAX, bytes: usize::MAX };

/// A store that can be closed and opened again.
pub(crate) struct Tested {
    pub(crate) store: Box<dyn Store>,
    pub(crate) world: World,
}

impl Tested {
    pub(crate) fn new(kind: Kind, clear_from: usize) -> Self {
        let world = World::new(kind, clear_from);
        Self { store: world.open(), world }
    }

    /// All readers must be gone.
    pub(crate) fn reopen(self) -> Self {
        let Self { store, world } = self;
        drop(store);
        Self { store: world.open(), world }
    }

    pub(crate) fn latest(&self) -> Box<dyn Reader> {
        self.store.readers().latest().unwrap().unwrap()
    }

    /// Compacts until nothing is left to do.
    pub(crate) fn compact(&mut self, budget: usize) -> usize {
        let mut operations = 0;
        loop {
            let pin = self.store.readers().oldest_pin();
            let compacted = self.store.compact(pin, budget).unwrap();
            operations += compacted.operations;
            if !compacted.has_more {
                return operations;
            }
        }
    }
}

/// Random numbers that a seed repeats.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Less than `end`.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }

    pub(crate) fn one_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }
}

/// A checkpoint at an operation, at the source's position `position`.
pub(crate) fn checkpoint(op_id: OpId, position: u64) -> Checkpoint {
    let time = i64::try_from(position).unwrap();
    Checkpoint { op_id, position: Position::from_number(position), time, source_time: Some(1), config: ConfigId(1) }
}

/// An empty batch with a checkpoint.
pub(crate) fn at(op_id: OpId, position: u64) -> Batch {
    Batch {
        next_op_id: op_id + 1,
        position: Some(Position::from_number(position)),
        checkpoint: Some(checkpoint(op_id, position)),
        ..Batch::default()
    }
}

/// Bucket 1 of definition 1 has the key `["1"]`, and so on.
pub(crate) fn bucket_key(bucket: i64) -> (DefinitionId, Arc<str>) {
    (DefinitionId(u32::try_from(bucket % 2).unwrap() + 1), format!("[\"{bucket}\"]").into())
}

pub(crate) fn new_bucket(bucket: i64) -> NewBucket {
    let (definition, key) = bucket_key(bucket);
    NewBucket { id: BucketId(bucket), definition, key }
}

pub(crate) fn output(row: usize) -> OutputRow {
    let object_type = if row.is_multiple_of(3) { "lists" } else { "todos" };
    OutputRow {
        object_type: object_type.into(),
        object_id: format!("id {row}").into(),
        subkey: format!("{row}/subkey").into(),
    }
}

pub(crate) fn put(bucket: i64, op_id: OpId, row: usize, data: &str) -> Operation {
    let checksum = (op_id as u32).wrapping_mul(0x9E37_79B9) | 1;
    let kind = OpKind::Put { row: output(row), data: data.into() };
    Operation { bucket: BucketId(bucket), op_id, kind, checksum }
}

pub(crate) fn remove(bucket: i64, op_id: OpId, row: usize) -> Operation {
    Operation { kind: OpKind::Remove { row: output(row) }, ..put(bucket, op_id, row, "") }
}

/// What changes in the buckets of these operations.
pub(crate) fn changes(operations: &[Operation]) -> Vec<BucketChange> {
    let mut changes: Vec<BucketChange> = Vec::new();
    for operation in operations {
        let size = match &operation.kind {
            OpKind::Put { data, .. } => i64::try_from(data.len()).unwrap(),
            _ => 0,
        };
        let bucket = operation.bucket;
        if !changes.iter().any(|change| change.bucket == bucket) {
            changes.push(BucketChange { bucket, last_op: 0, count: 0, checksum: 0, size: 0 });
        }
        let change = changes.iter_mut().find(|change| change.bucket == bucket).unwrap();
        change.last_op = operation.op_id;
        change.count += 1;
        change.checksum = change.checksum.wrapping_add(operation.checksum);
        change.size += size;
    }
    changes
}

pub(crate) fn key(row: usize) -> RowKey {
    RowKey::new(&[Value::text(format!("id {row}"))])
}

pub(crate) fn parameter(key_number: usize, row: usize, hash: u64) -> ParameterPlace {
    let index = IndexId(u32::try_from(key_number % 2).unwrap() + 1);
    ParameterPlace { index, key: format!("[{key_number}]").into(), row: (TableId(1), key(row)), hash }
}

/// The state of a row with one place.
pub(crate) fn state(bucket: i64, row: usize, op_id: OpId) -> RowState {
    let OutputRow { object_type, object_id, .. } = output(row);
    let (definition, _) = bucket_key(bucket);
    let place = Place { definition, bucket: BucketId(bucket), object_type, object_id, op_id, hash: op_id as u64 };
    RowState { places: vec![place], ..RowState::default() }
}
