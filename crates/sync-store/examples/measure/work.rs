//! The same work for all stores: batches, and reading everything.

use std::sync::Arc;

use sync_config::Value;
use sync_engine::live::{ConfigId, DefinitionId};
use sync_engine::row::{Position, RowKey};
use sync_engine::store::{
    Batch, BucketChange, BucketId, Checkpoint, NewBucket, OpId, OpKind, Operation, OutputRow, PageLimit, Place,
    Readers, RowState, Superseded, TableId,
};

pub(crate) const BUCKETS: i64 = 500;

pub(crate) fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e3
}

/// A uuid that looks random.
pub(crate) fn uuid(number: i64) -> String {
    let mixed =
        |salt: u64| (number as u64 + salt).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let (a, b) = (mixed(1) ^ (mixed(1) >> 29), mixed(2) ^ (mixed(2) >> 31));
    let hex = format!("{a:016x}{b:016x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32])
}

fn data(id: &str, version: i64) -> String {
    format!("{{\"id\":\"{id}\",\"version\":{version:06},\"text\":\"{}\"}}", "x".repeat(144))
}

/// Change number `change` of `rows` rows: each one is written again and again.
pub(crate) fn batch(changes: std::ops::Range<i64>, rows: i64) -> Batch {
    let mut batch = Batch::default();
    let mut sums = vec![(0_i64, 0_i64, 0_u32, 0_i64); BUCKETS as usize + 1];
    for change in changes.clone() {
        let (row, op_id, object_type) = (change % rows, change + 1, Arc::<str>::from("todos"));
        let bucket = BucketId(1 + row % BUCKETS);
        let object_id: Arc<str> = uuid(row).into();
        let data = data(&object_id, change / rows);
        let checksum = (op_id as u32).wrapping_mul(0x9E37_79B9);
        let sum = &mut sums[bucket.0 as usize];
        *sum = (op_id, sum.1 + 1, sum.2.wrapping_add(checksum), sum.3 + data.len() as i64);
        let subkey = format!("17/{}", uuid(row + 1_000_000_000)).into();
        let output = OutputRow { object_type: object_type.clone(), object_id: object_id.clone(), subkey };
        let kind = OpKind::Put { row: output, data: data.into() };
        batch.operations.push(Operation { bucket, op_id, kind, checksum });
        if change >= rows {
            batch.superseded.push(Superseded { bucket, op_id: op_id - rows, by: op_id });
        }
        let key = RowKey::new(&[Value::text(&*object_id)]);
        let place =
            Place { definition: DefinitionId(1), bucket, object_type, object_id, op_id, hash: op_id as u64 * 77 };
        batch.row_states.push((TableId(1), key, RowState { places: vec![place], ..RowState::default() }));
    }
    if changes.start == 0 {
        batch.new_buckets = (1..=BUCKETS)
            .map(|id| NewBucket { id: BucketId(id), definition: DefinitionId(1), key: format!("[\"{id}\"]").into() })
            .collect();
    }
    let changed = sums.into_iter().enumerate().filter(|(_, sum)| sum.1 > 0);
    batch.buckets = changed
        .map(|(id, (last_op, count, checksum, size))| BucketChange {
            bucket: BucketId(id as i64),
            last_op,
            count,
            checksum,
            size,
        })
        .collect();
    finish(&mut batch, changes.end);
    batch
}

pub(crate) fn finish(batch: &mut Batch, op_id: OpId) {
    let position = Position::from_number(op_id as u64);
    batch.next_op_id = op_id + 1;
    batch.position = Some(position.clone());
    batch.checkpoint = Some(Checkpoint { op_id, position, time: op_id, source_time: None, config: ConfigId(1) });
}

/// Reads all operations. How many there are.
pub(crate) fn read_all(readers: &dyn Readers) -> i64 {
    let reader = readers.latest().unwrap().unwrap();
    let limit = PageLimit { operations: 1000, bytes: 1 << 20 };
    let mut count = 0;
    for bucket in 1..=BUCKETS {
        let mut after = 0;
        loop {
            let page = reader.operations(BucketId(bucket), after, limit).unwrap();
            count += page.operations.len() as i64;
            after = page.operations.last().map_or(after, |operation| operation.op_id);
            if !page.has_more {
                break;
            }
        }
    }
    count
}
