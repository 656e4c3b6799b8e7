//! Commits that can be checked however many there were: what a store must be after each of them.

use sync_config::Value;
use sync_engine::row::Position;
use sync_engine::store::{Batch, BucketId, NewParameter, OpId, OpKind, Store, Superseded, TableId};

use crate::support::{ALL, at, bucket_key, changes, key, new_bucket, parameter, put, state};

const ROWS: OpId = 7;

/// Commit number `number`: a version of one row after the other in bucket 1, and as many parameters as commits.
pub(crate) fn commit_of(number: OpId) -> Batch {
    let row = (number % ROWS) as usize;
    let operations = vec![put(1, number, row, &format!("{{\"n\":{number},\"x\":\"{}\"}}", "x".repeat(3000)))];
    let previous = (number > ROWS).then(|| Superseded { bucket: BucketId(1), op_id: number - ROWS, by: number });
    let new = NewParameter { place: parameter(1, number as usize, 1), outputs: vec![Value::Integer(number)] };
    Batch {
        new_buckets: if number == 1 { vec![new_bucket(1)] } else { Vec::new() },
        buckets: changes(&operations),
        operations,
        superseded: previous.into_iter().collect(),
        row_states: vec![(TableId(1), key(row), state(1, row, number))],
        new_parameters: vec![new],
        ..at(number, number.unsigned_abs())
    }
}

/// What a store must be after commit number `last`.
pub(crate) fn check(store: &mut dyn Store, last: OpId) {
    let stored = store.load().unwrap();
    assert_eq!(stored.position, Some(Position::from_number(last.unsigned_abs())));
    assert_eq!(stored.checkpoint.unwrap().op_id, last);
    let reader = store.readers().latest().unwrap().unwrap();
    let operations = reader.operations(BucketId(1), 0, ALL).unwrap().operations;
    let rows: Vec<_> = operations.iter().filter(|operation| matches!(operation.kind, OpKind::Put { .. })).collect();
    let wanted: Vec<_> = ((last - ROWS + 1).max(1)..=last).flat_map(|number| commit_of(number).operations).collect();
    assert_eq!(rows, wanted.iter().collect::<Vec<_>>());
    let sum = operations.iter().fold(0_u32, |sum, operation| sum.wrapping_add(operation.checksum));
    let every = (1..=last).fold(0_u32, |sum, number| sum.wrapping_add(put(1, number, 0, "").checksum));
    let bucket = reader.buckets(&[bucket_key(1)]).unwrap()[0];
    assert_eq!((sum, bucket.checksum, bucket.count), (every, every, operations.len() as i64));
    for number in (last - ROWS + 1).max(1)..=last {
        let row = (number % ROWS) as usize;
        assert_eq!(store.row_states(&[(TableId(1), key(row))]).unwrap()[0].places, state(1, row, number).places);
    }
    let (mut parameters, place) = (Vec::new(), parameter(1, 0, 0));
    reader.lookup(place.index, &place.key, &mut parameters).unwrap();
    assert_eq!(parameters.len() as i64, last);
}
