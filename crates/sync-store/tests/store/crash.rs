//! A process that writes is killed; what it has committed is there, and nothing of what it has not.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use sync_config::Value;
use sync_engine::row::Position;
use sync_engine::store::{Batch, BucketId, NewParameter, OpId, OpKind, Store, Superseded, TableId};
use sync_store::SqliteStore;

use crate::support::{ALL, Random, at, bucket_key, changes, folder, key, new_bucket, options, parameter, put, state};

const ROWS: OpId = 7;
const FOLDER: &str = "ROWTIDE_STORE_TEST_FILE";

/// Commit number `number`: a version of one row after the other in bucket 1, and as many parameters as commits.
fn commit_of(number: OpId) -> Batch {
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

/// Not a test unless it is told a file: what the process does that is killed. Goes on where the file ends.
#[test]
fn child() {
    let Ok(path) = std::env::var(FOLDER) else { return };
    let mut store = SqliteStore::open(path.as_ref(), options(3)).unwrap();
    for number in store.load().unwrap().next_op_id.. {
        store.commit(&commit_of(number)).unwrap();
        eprintln!("committed {number}");
        if number % 5 == 0 {
            store.compact(number, 4).unwrap();
        }
    }
}

/// What the file must be after commit number `last`.
fn check(store: &mut SqliteStore, last: OpId) {
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

#[test]
fn a_killed_writer_leaves_its_last_commit() {
    let folder = folder();
    let path = folder.path().join("store");
    let mut random = Random(11);
    for _ in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child", "--nocapture"])
            .env(FOLDER, &path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut commits =
            lines.map(|line| line.unwrap()).filter_map(|line| line.strip_prefix("committed ")?.parse().ok());
        let reported: OpId = commits.nth(random.below(20)).expect("the child commits until it is killed");
        // At some moment of the next commit, compaction or copy of the log into the file, as the machine has it.
        for _ in 0..random.below(2_000_000) {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let mut store = SqliteStore::open(&path, options(3)).unwrap();
        let last = store.load().unwrap().next_op_id - 1;
        assert!(last >= reported, "{reported} was committed, and {last} is there");
        check(&mut store, last);
    }
}
