//! What simulations rely on; the tests of the SQLite store compare the two stores in more depth.

use std::sync::Arc;

use super::MemoryStore;
use crate::live::{ConfigId, DefinitionId};
use crate::row::Position;
use crate::store::{
    Batch, BucketChange, BucketId, Checkpoint, NewBucket, OpId, OpKind, Operation, OutputRow, PageLimit, Reader, Store,
    StoreError, Superseded, WriteCheckpoint,
};

const ALL: PageLimit = PageLimit { operations: usize::MAX, bytes: usize::MAX };

/// Version after version of one row in one bucket, each with its own checkpoint.
fn versions(store: &mut MemoryStore, ids: std::ops::Range<OpId>) {
    for op_id in ids {
        let row = OutputRow { object_type: "t".into(), object_id: "i".into(), subkey: "s".into() };
        let kind = OpKind::Put { row, data: Arc::from(format!("{{\"n\":{op_id}}}")) };
        let bucket = BucketId(1);
        let new = NewBucket { id: bucket, definition: DefinitionId(1), key: "[]".into() };
        let superseded = (op_id > 1).then_some(Superseded { bucket, op_id: op_id - 1, by: op_id });
        let checksum = 0x8000_0001;
        let batch = Batch {
            new_buckets: (op_id == 1).then_some(new).into_iter().collect(),
            operations: vec![Operation { bucket, op_id, kind, checksum }],
            superseded: superseded.into_iter().collect(),
            buckets: vec![BucketChange { bucket, last_op: op_id, count: 1, checksum, size: 7 }],
            next_op_id: op_id + 1,
            ..at(op_id, op_id)
        };
        store.commit(&batch).unwrap();
    }
}

fn at(op_id: OpId, position: OpId) -> Batch {
    let position = Position::from_number(position.unsigned_abs());
    let checkpoint =
        Checkpoint { op_id, position: position.clone(), time: op_id, source_time: None, config: ConfigId(1) };
    Batch { next_op_id: op_id + 1, position: Some(position), checkpoint: Some(checkpoint), ..Batch::default() }
}

fn latest(store: &MemoryStore) -> Box<dyn Reader> {
    store.readers().latest().unwrap().unwrap()
}

fn kinds(reader: &dyn Reader) -> Vec<(OpId, &'static str)> {
    let page = reader.operations(BucketId(1), 0, ALL).unwrap();
    let kind = |kind: &OpKind| match kind {
        OpKind::Put { .. } => "PUT",
        OpKind::Remove { .. } => "REMOVE",
        OpKind::Move => "MOVE",
        OpKind::Clear => "CLEAR",
    };
    page.operations.iter().map(|operation| (operation.op_id, kind(&operation.kind))).collect()
}

#[test]
fn a_reader_stays_the_same_while_rows_are_written_and_compacted() {
    let mut store = MemoryStore::new("test");
    assert!(store.readers().latest().unwrap().is_none());
    store.set_clear_from(2);
    versions(&mut store, 1..4);
    let old = latest(&store);
    versions(&mut store, 4..6);
    let new = latest(&store);
    while store.compact(OpId::MAX, 1).unwrap().has_more {}
    assert_eq!(kinds(&*old), [(1, "MOVE"), (2, "MOVE"), (3, "PUT")]);
    assert_eq!(kinds(&*new), [(1, "MOVE"), (2, "MOVE"), (3, "MOVE"), (4, "MOVE"), (5, "PUT")]);
    assert_eq!(kinds(&*latest(&store)), [(2, "CLEAR"), (3, "MOVE"), (4, "MOVE"), (5, "PUT")]);
    assert_eq!(store.readers().oldest_pin(), 3);
    drop(old);
    assert_eq!(store.readers().oldest_pin(), 5);
    while store.compact(OpId::MAX, 1).unwrap().has_more {}
    let reader = latest(&store);
    assert_eq!(kinds(&*reader), [(4, "CLEAR"), (5, "PUT")]);
    let state = reader.buckets(&[(DefinitionId(1), "[]".into())]).unwrap()[0];
    assert_eq!((state.count, state.checksum, state.last_op), (2, 0x8000_0005, 5));
}

#[test]
fn operations_of_an_open_transaction_are_not_visible() {
    let mut store = MemoryStore::new("test");
    versions(&mut store, 1..3);
    let kind = OpKind::Remove { row: OutputRow { object_type: "t".into(), object_id: "i".into(), subkey: "s".into() } };
    let bucket = BucketId(1);
    let open = Batch {
        operations: vec![Operation { bucket, op_id: 3, kind, checksum: 1 }],
        superseded: vec![Superseded { bucket, op_id: 2, by: 3 }],
        buckets: vec![BucketChange { bucket, last_op: 3, count: 1, checksum: 1, size: 0 }],
        next_op_id: 4,
        ..Batch::default()
    };
    store.commit(&open).unwrap();
    assert_eq!(kinds(&*latest(&store)), [(1, "MOVE"), (2, "PUT")]);
    let stored = store.load().unwrap();
    assert_eq!((stored.next_op_id, stored.position), (4, Some(Position::from_number(2))));
    store.commit(&at(3, 3)).unwrap();
    assert_eq!(kinds(&*latest(&store)), [(1, "MOVE"), (2, "MOVE"), (3, "REMOVE")]);
}

#[test]
fn an_acknowledged_id_stays_visible_while_a_newer_request_waits() {
    let mut store = MemoryStore::new("test");
    versions(&mut store, 1..2);
    let request = |id, head| WriteCheckpoint {
        user: "u".to_owned(),
        client: "c".to_owned(),
        id,
        head: Position::from_number(head),
        requested_at: id,
    };
    let id = |store: &MemoryStore| latest(store).write_checkpoint("u", "c").unwrap();
    assert_eq!(id(&store), None);
    for (requests, acknowledged) in [(vec![request(7, 1), request(8, 2)], 7), (vec![request(7, 3), request(9, 3)], 7)] {
        store.commit(&Batch { write_checkpoints: requests, next_op_id: 2, ..Batch::default() }).unwrap();
        assert_eq!(id(&store), Some(acknowledged));
    }
    let waiting = store.load().unwrap().waiting_write_checkpoints;
    assert_eq!(waiting.iter().map(|waiting| waiting.id).collect::<Vec<_>>(), [8, 9]);
    store.commit(&at(1, 2)).unwrap();
    assert_eq!(id(&store), Some(8));
    store.commit(&Batch { forget_requests_before: Some(9), ..at(1, 3) }).unwrap();
    assert_eq!(id(&store), Some(9));
}

#[test]
fn a_commit_that_fails_writes_nothing() {
    let mut store = MemoryStore::new("test");
    versions(&mut store, 1..2);
    store.fail_commits(1);
    assert!(matches!(store.commit(&at(1, 9)), Err(StoreError::Unavailable(_))));
    assert_eq!(store.load().unwrap().position, Some(Position::from_number(1)));
    store.commit(&at(1, 9)).unwrap();
    assert_eq!(store.clone().load().unwrap().position, Some(Position::from_number(9)));
}
