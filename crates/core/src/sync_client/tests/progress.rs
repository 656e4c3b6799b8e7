//! Progress of downloads as the status shows it.

use super::host::{Host, checkpoint, complete, data, diff, downloading};
use crate::sync_client::{Event, StartOptions};

#[test]
fn an_interrupted_download_continues_its_progress() {
    let mut host = Host::started();
    host.lines([checkpoint(9, None, &[("a", 4, 3, 4)]), data("a", &[1, 2])]);
    host.run(Event::Start(StartOptions::default()));
    assert_eq!(downloading(host.line(&checkpoint(9, None, &[("a", 4, 3, 4)])).status()), [(3, 2, 4)]);
    host.lines([data("a", &[3, 4]), complete(9)]);
    assert_eq!(downloading(host.line(&checkpoint(12, None, &[("a", 6, 3, 6)])).status()), [(3, 0, 2)]);
    assert_eq!(downloading(host.line(&data("a", &[10])).status()), [(3, 1, 2)]);
    assert_eq!(downloading(host.line(&diff(13, None, &[("a", 7, 3, 7)], &[])).status()), [(3, 1, 3)]);
}

#[test]
fn a_bucket_that_shrank_starts_over_and_others_do_not() {
    let mut host = Host::started();
    host.lines([
        checkpoint(9, None, &[("a", 3, 3, 3), ("b", 2, 1, 2)]),
        data("a", &[1, 2, 3]),
        data("b", &[4, 5]),
        complete(9),
    ]);
    let begun = host.line(&checkpoint(10, None, &[("a", 4, 3, 2), ("b", 3, 1, 3)]));
    assert_eq!(downloading(begun.status()), [(1, 0, 1), (3, 0, 2)]);
    assert_eq!(host.storage.data.bucket("a").unwrap().count_at_last, 0);
    assert_eq!(host.storage.data.bucket("b").unwrap().count_at_last, 2);
    host.line(&data("b", &[10]));
    let begun = host.line(&diff(11, None, &[("b", 4, 1, 2)], &[]));
    assert_eq!(downloading(begun.status()), [(1, 0, 2), (3, 0, 2)]);
    assert_eq!(host.storage.data.bucket("b").unwrap().count_at_last, 0);
}

#[test]
fn more_data_than_announced_do_not_overflow() {
    let mut host = Host::started();
    host.line(&checkpoint(9, None, &[("a", 3, 3, 2), ("b", 0, 3, i64::MAX), ("c", 0, 3, i64::MAX)]));
    let instructions = host.line(&data("a", &[1, 2, 3]));
    assert_eq!(downloading(instructions.status()), [(3, 2, i64::MAX)]);
    assert!(host.line(&data("a", &[4])).0.is_empty());
}

#[test]
fn operations_delivered_twice_count_once() {
    let mut host = Host::started();
    host.line(&checkpoint(9, None, &[("a", 3, 3, 3)]));
    assert_eq!(downloading(host.line(&data("a", &[1, 2])).status()), [(3, 2, 3)]);
    assert!(host.line(&data("a", &[1, 2])).0.is_empty());
    assert_eq!(downloading(host.line(&data("a", &[2, 3])).status()), [(3, 3, 3)]);
}

#[test]
fn after_a_publish_data_alone_do_not_start_a_download() {
    let mut host = Host::started();
    host.lines([checkpoint(9, None, &[("a", 1, 3, 1)]), data("a", &[1]), complete(9)]);
    assert!(host.line(&data("a", &[10])).0.is_empty());
    assert_eq!(downloading(host.line(&diff(10, None, &[("a", 2, 3, 2)], &[])).status()), [(3, 1, 1)]);
}

#[test]
fn a_bucket_without_count_adds_nothing() {
    let mut host = Host::started();
    let line = r#"{"checkpoint":{"last_op_id":"5","buckets":[{"bucket":"a","checksum":1}]}}"#;
    assert_eq!(downloading(host.line(line).status()), [(3, 0, 0)]);
    assert!(host.line(&data("a", &[1])).0.is_empty());
    host.line(&complete(5));
    let bucket = host.storage.data.bucket("a").unwrap();
    assert_eq!((bucket.count_at_last, bucket.count_since_last), (0, 1));
    assert_eq!(downloading(host.line(&diff(6, None, &[("a", 2, 3, 3)], &[])).status()), [(3, 1, 3)]);
}

#[test]
fn a_checkpoint_without_buckets_is_a_download_of_nothing() {
    let mut host = Host::started();
    assert_eq!(downloading(host.line(&checkpoint(9, None, &[])).status()), []);
}
