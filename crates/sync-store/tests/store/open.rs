//! Files that are not as they should be: of other programs and versions, locked, full, damaged.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rusqlite::Connection;
use sync_engine::row::Position;
use sync_engine::store::{Batch, BucketId, OpId, Store, StoreError, Superseded, TableId};
use sync_store::{Options, SqliteStore};

use crate::support::{ALL, Tested, at, bucket_key, changes, key, new_bucket, put, state};
use crate::world::{Kind, folder, options};

fn open_error(path: &Path) -> StoreError {
    let options = Options { busy_timeout: Duration::ZERO, ..Options::default() };
    SqliteStore::open(path, options).err().expect("it cannot be opened")
}

#[test]
fn a_store_is_open_once() {
    let tested = Tested::new(Kind::Sqlite, 100);
    let file = tested.world.file();
    let error = open_error(&file);
    assert!(matches!(&error, StoreError::Unavailable(message) if message.contains("is in use")), "{error}");
    let readers = tested.store.readers();
    drop(tested.store);
    assert!(open_error(&file).to_string().contains("is in use"), "readers would not be known");
    drop(readers);
    SqliteStore::open(&file, Options::default()).unwrap();
}

#[test]
fn a_store_that_is_closed_is_one_file_although_readers_are_open() {
    let mut tested = Tested::new(Kind::Sqlite, 100);
    let file = tested.world.file();
    let log = file.with_file_name(format!("{}-wal", file.file_name().unwrap().to_string_lossy()));
    tested.store.commit(&at(1, 1)).unwrap();
    let readers = tested.store.readers();
    // Opens a connection that stays open.
    readers.latest().unwrap().unwrap().buckets(&[bucket_key(1)]).unwrap();
    assert!(fs::metadata(&log).unwrap().len() > 0);
    drop(tested.store);
    assert_eq!(fs::metadata(&log).unwrap().len(), 0);
    drop(readers);
}

#[test]
fn a_missing_folder_is_named() {
    let folder = folder();
    let error = open_error(&folder.path().join("missing/store"));
    assert!(matches!(&error, StoreError::Unavailable(message) if message.contains("missing/store")), "{error}");
}

#[test]
fn other_files_are_refused_and_stay_as_they_are() {
    let folder = folder();
    let path = folder.path().join("file");
    fs::write(&path, "a text that is longer than the header of a database, ".repeat(20)).unwrap();
    let before = fs::read(&path).unwrap();
    assert!(matches!(open_error(&path), StoreError::Invalid(_)));
    assert_eq!(fs::read(&path).unwrap(), before);

    let path = folder.path().join("database");
    Connection::open(&path).unwrap().execute_batch("CREATE TABLE t(a)").unwrap();
    let before = fs::read(&path).unwrap();
    let error = open_error(&path);
    assert!(matches!(&error, StoreError::Invalid(message) if message.contains("another program")), "{error}");
    assert_eq!(fs::read(&path).unwrap(), before);
}

#[test]
fn a_newer_format_is_refused() {
    let tested = Tested::new(Kind::Sqlite, 100);
    let file = tested.world.file();
    drop(tested.store);
    Connection::open(&file).unwrap().pragma_update(None, "user_version", 2).unwrap();
    let error = open_error(&file);
    assert!(matches!(&error, StoreError::Invalid(message) if message.contains("format 2")), "{error}");
}

#[test]
fn a_locked_file_is_unavailable_and_the_commit_can_be_repeated() {
    let folder = folder();
    let path = folder.path().join("store");
    let options = Options { busy_timeout: Duration::ZERO, ..Options::default() };
    let mut store = SqliteStore::open(&path, options).unwrap();
    store.commit(&at(0, 1)).unwrap();
    let other = Connection::open(&path).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let error = store.commit(&at(0, 2)).unwrap_err();
    assert!(matches!(&error, StoreError::Unavailable(message) if message.contains("locked")), "{error}");
    assert!(matches!(store.compact(0, 10), Err(StoreError::Unavailable(_))));
    assert_eq!(store.load().unwrap().position, Some(Position::from_number(1)));
    other.execute_batch("ROLLBACK").unwrap();
    store.commit(&at(0, 2)).unwrap();
    assert_eq!(store.load().unwrap().position, Some(Position::from_number(2)));
}

/// A batch with new names of client tables, so that what is kept in memory has to be taken back too.
fn large_batch(op_id: OpId) -> Batch {
    let mut operation = put(1, op_id, 1, &"x".repeat(20_000));
    if let sync_engine::store::OpKind::Put { row, .. } = &mut operation.kind {
        row.object_type = format!("table {op_id}").into();
    }
    let mut row_state = state(1, 1, op_id);
    row_state.places[0].object_type = format!("table {op_id}").into();
    let operations = vec![operation];
    let superseded = Superseded { bucket: BucketId(1), op_id: op_id - 1, by: op_id };
    Batch {
        new_buckets: if op_id == 1 { vec![new_bucket(1)] } else { Vec::new() },
        buckets: changes(&operations),
        superseded: if op_id == 1 { Vec::new() } else { vec![superseded] },
        operations,
        row_states: vec![(TableId(1), key(1), row_state)],
        ..at(op_id, op_id.unsigned_abs())
    }
}

#[test]
fn a_full_disk_leaves_the_last_commit() {
    let folder = folder();
    let path = folder.path().join("store");
    let mut store = SqliteStore::open(&path, Options { max_pages: Some(100), ..options(2) }).unwrap();
    let mut last = 0;
    let error = loop {
        match store.commit(&large_batch(last + 1)) {
            Ok(()) => last += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(&error, StoreError::Unavailable(message) if message.contains("Free space")), "{error}");
    assert!(last > 3);
    // What the failed commit has added to what is kept in memory is gone, also before it is loaded again.
    assert_eq!(store.row_states(&[(TableId(1), key(1))]).unwrap()[0].places, large_batch(last).row_states[0].2.places);
    let check = |store: &mut SqliteStore, last: OpId| {
        let stored = store.load().unwrap();
        assert_eq!((stored.position, stored.next_op_id), (Some(Position::from_number(last as u64)), last + 1));
        let reader = store.readers().latest().unwrap().unwrap();
        let operations = reader.operations(BucketId(1), 0, ALL).unwrap().operations;
        assert_eq!(operations.last(), large_batch(last).operations.first());
        assert_eq!(reader.buckets(&[bucket_key(1)]).unwrap()[0].last_op, last);
        assert_eq!(
            store.row_states(&[(TableId(1), key(1))]).unwrap()[0].places,
            large_batch(last).row_states[0].2.places
        );
    };
    check(&mut store, last);
    // Compaction needs no new pages and makes room.
    while store.compact(last, 100).unwrap().has_more {}
    store.commit(&large_batch(last + 1)).unwrap();
    check(&mut store, last + 1);
    drop(store);
    check(&mut SqliteStore::open(&path, options(2)).unwrap(), last + 1);
}

#[test]
fn damage_is_reported_as_such() {
    for (damage, what) in [
        ("UPDATE row_state SET state = x'ff'", "row"),
        ("UPDATE op SET kind = 9", "operation"),
        ("UPDATE op SET object_type = 99", "operation"),
        ("UPDATE state SET next_ids = '{'", "JSON"),
        ("DELETE FROM state", "last commit"),
        ("DROP TABLE op", "op"),
    ] {
        let mut tested = Tested::new(Kind::Sqlite, 100);
        tested.store.commit(&large_batch(1)).unwrap();
        Connection::open(tested.world.file()).unwrap().execute_batch(damage).unwrap();
        let reader = tested.latest();
        let results = [
            tested.store.load().err(),
            tested.store.row_states(&[(TableId(1), key(1))]).err(),
            reader.operations(BucketId(1), 0, ALL).err(),
        ];
        let error = results.into_iter().flatten().next().unwrap_or_else(|| panic!("{damage} is not noticed"));
        assert!(matches!(&error, StoreError::Invalid(message) if message.contains(what)), "{damage}: {error}");
    }
}
