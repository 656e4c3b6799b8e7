//! Readers on other threads while the writer commits and compacts.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use sync_config::Value;
use sync_engine::store::{Batch, BucketId, NewParameter, OpId, PageLimit, Reader, Readers, Superseded};

use crate::client::ClientBucket;
use crate::support::{Random, Tested, at, bucket_key, changes, new_bucket, parameter, put};
use crate::world::Kind;

const ROWS: OpId = 9;

/// Commit `number` writes row `number % ROWS` in buckets 1 and 2 as two operations, and replaces the one parameter.
fn commit_of(number: OpId) -> Batch {
    let row = (number % ROWS) as usize;
    let operations: Vec<_> =
        (1..=2).map(|bucket| put(bucket, 2 * number + bucket, row, &format!("{{\"n\":{number}}}"))).collect();
    let superseded = operations.iter().filter(|_| number > ROWS).map(|operation| Superseded {
        bucket: operation.bucket,
        op_id: operation.op_id - 2 * ROWS,
        by: operation.op_id,
    });
    let place = |number: OpId| parameter(0, 0, number as u64);
    Batch {
        new_buckets: if number == 1 { vec![new_bucket(1), new_bucket(2)] } else { Vec::new() },
        buckets: changes(&operations),
        superseded: superseded.collect(),
        operations,
        closed_parameters: if number == 1 { Vec::new() } else { vec![place(number - 1)] },
        new_parameters: vec![NewParameter { place: place(number), outputs: vec![Value::Integer(number)] }],
        ..at(2 * number + 2, number.unsigned_abs())
    }
}

/// Everything at a checkpoint, in small pages, with other positions before.
fn check(reader: &dyn Reader, clients: &mut BTreeMap<i64, (OpId, ClientBucket)>, random: &mut Random) {
    let pin = reader.checkpoint().op_id;
    let number = (pin - 2) / 2;
    let states = reader.buckets(&[bucket_key(1), bucket_key(2)]).unwrap();
    for (bucket, state) in (1..=2).zip(states) {
        let (after, client) = clients.entry(bucket).or_default();
        if random.one_in(5) {
            (*after, *client) = (0, ClientBucket::default());
        }
        loop {
            let limit = PageLimit { operations: 1 + random.below(6), bytes: 1000 };
            let page = reader.operations(BucketId(bucket), *after, limit).unwrap();
            for operation in &page.operations {
                assert!(operation.op_id <= pin);
                client.receive(operation);
                *after = operation.op_id;
            }
            if !page.has_more {
                break;
            }
        }
        assert_eq!(client.checksum, state.checksum, "bucket {bucket} at {pin}");
        assert_eq!(state.last_op, 2 * number + bucket);
        let mut data: Vec<_> = client.rows.values().cloned().collect();
        data.sort();
        let mut wanted: Vec<_> = ((number - ROWS + 1).max(1)..=number).map(|n| format!("{{\"n\":{n}}}")).collect();
        wanted.sort();
        assert_eq!(data, wanted);
    }
    let (mut found, place) = (Vec::new(), parameter(0, 0, 0));
    reader.lookup(place.index, &place.key, &mut found).unwrap();
    let found: Vec<_> = found.iter().map(|row| row[0].integer().unwrap()).collect();
    assert_eq!(found, [number]);
}

fn read(readers: &Arc<dyn Readers>, is_finished: &AtomicBool, seed: u64) -> usize {
    let mut random = Random(seed);
    let mut clients = BTreeMap::new();
    let mut checked = 0;
    loop {
        let is_last = is_finished.load(Ordering::Acquire);
        let reader = readers.latest().unwrap().unwrap();
        for _ in 0..1 + random.below(3) {
            check(&*reader, &mut clients, &mut random);
            checked += 1;
        }
        if is_last {
            assert_eq!(reader.checkpoint().position.number(), Some(COMMITS.unsigned_abs()));
            return checked;
        }
    }
}

const COMMITS: OpId = 300;

fn readers_see_their_checkpoint(kind: Kind) {
    let mut tested = Tested::new(kind, 5);
    tested.store.commit(&commit_of(1)).unwrap();
    let is_finished = AtomicBool::new(false);
    let readers = tested.store.readers();
    thread::scope(|scope| {
        let threads: Vec<_> = (0..3)
            .map(|seed| {
                let (readers, is_finished) = (&readers, &is_finished);
                scope.spawn(move || read(readers, is_finished, seed))
            })
            .collect();
        let mut random = Random(1);
        for number in 2..=COMMITS {
            tested.store.commit(&commit_of(number)).unwrap();
            let pin = readers.oldest_pin();
            tested.store.compact(pin, 1 + random.below(30)).unwrap();
        }
        is_finished.store(true, Ordering::Release);
        for thread in threads {
            assert!(thread.join().unwrap() > 0);
        }
    });
    tested.compact(10);
    check(&*tested.latest(), &mut BTreeMap::new(), &mut Random(1));
}

kinds! {
    readers_see_their_checkpoint
}
