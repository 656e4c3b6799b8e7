//! Partial completion.

use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use serde_json::Value;

use super::host::{Host, checkpoint, complete, data, diff, downloading, partial, sync_times};
use crate::sync_client::storage::FULL_CHECKPOINT_PRIORITY;

fn names<const N: usize>(names: [&str; N]) -> Vec<String> {
    names.map(|name| name.to_string()).to_vec()
}

fn downloaded() -> Host {
    let mut host = Host::started();
    host.lines([
        checkpoint(9, Some(4), &[("p0", 1, 0, 1), ("p1", 1, 1, 1), ("p3", 2, 3, 2)]),
        data("p0", &[1]),
        data("p1", &[2]),
        data("p3", &[3]),
    ]);
    host
}

#[test]
fn each_partial_completion_publishes_up_to_its_priority() {
    let mut host = downloaded();
    let first = host.line(&partial(9, 0));
    assert_eq!(first.kinds(), ["UpdateSyncStatus"]);
    let time = host.storage.now;
    assert_eq!(sync_times(first.status()), [(0, time)]);
    assert_eq!(downloading(first.status()), [(0, 1, 1), (1, 1, 1), (3, 1, 2)]);
    assert_eq!(host.published(), [("partial", names(["p0"])), ("involved", names(["p0"]))]);
    assert_eq!(host.storage.data.bucket("p0").unwrap().last_op, 9);
    assert_eq!(host.storage.data.bucket("p1").unwrap().last_op, 2);

    let second = host.line(&partial(9, 2));
    assert_eq!(sync_times(second.status()), [(2, host.storage.now)]);
    assert_eq!(host.published(), [("partial", names(["p0", "p1"])), ("involved", names(["p0", "p1"]))]);

    let done = host.lines([data("p3", &[4]), complete(9)]);
    assert_eq!(sync_times(done.status()), [(FULL_CHECKPOINT_PRIORITY, host.storage.now)]);
    assert_eq!(host.published(), [("full", names(["p0", "p1", "p3"]))]);
    let full_time = host.storage.now;

    let next = host.lines([diff(10, None, &[("p1", 2, 1, 2)], &[]), data("p1", &[10]), partial(10, 1)]);
    assert_eq!(sync_times(next.status()), [(1, host.storage.now), (FULL_CHECKPOINT_PRIORITY, full_time)]);
    assert_eq!(host.published(), [("partial", names(["p1"])), ("involved", names(["p0", "p1"]))]);
}

#[test]
fn a_partial_completion_does_not_acknowledge_writes() {
    let mut host = downloaded();
    host.line(&partial(9, 1));
    assert!(host.storage.data.request_ids.is_empty());
}

#[test]
fn an_invalid_bucket_of_the_priority_ends_the_iteration_and_others_do_not_matter() {
    let mut host = downloaded();
    assert_eq!(host.line(&partial(9, 1)).kinds(), ["UpdateSyncStatus"]);
    let instructions = host.line(&partial(9, 3));
    assert_eq!(
        instructions.log_line("WARNING"),
        "Could not apply partial checkpoint, Checksums didn't match, failed for: p3 (expected 0x00000002, got 0x00000001)"
    );
    instructions.closed(false);
    assert!(host.storage.data.bucket("p3").is_none());
}

#[test]
fn local_writes_hold_back_all_but_the_highest_priority() {
    let mut host = downloaded();
    host.store(|data| data.upload_queue = 1);
    assert_eq!(host.line(&partial(9, 0)).kinds(), ["UpdateSyncStatus"]);
    let before = host.storage.data.clone();
    let instructions = host.line(&partial(9, 1));
    assert_eq!(instructions.kinds(), ["CheckpointDelayedDueToLocalData"]);
    assert_eq!(host.storage.data, before);
    // It does not wait: the full checkpoint will.
    host.store(|data| data.upload_queue = 0);
    assert!(host.run(crate::sync_client::Event::UploadCompleted).0.is_empty());
}

#[test]
fn a_checkpoint_of_only_the_highest_priority_is_shown_and_still_waits() {
    let mut host = Host::started();
    host.lines([checkpoint(9, Some(4), &[("a", 1, 0, 1), ("b", 1, 0, 1)]), data("a", &[1]), data("b", &[2])]);
    host.store(|data| data.upload_queue = 1);
    let delayed = host.line(&complete(9));
    assert_eq!(delayed.kinds(), ["CheckpointDelayedDueToLocalData", "LogLine", "UpdateSyncStatus"]);
    assert_eq!(sync_times(delayed.status()), [(0, host.storage.now)]);
    assert_ne!(delayed.status()["downloading"], Value::Null);
    assert_eq!(host.published(), [("partial", names(["a", "b"])), ("involved", names(["a", "b"]))]);
    assert!(!host.storage.data.request_ids.contains_key("applied"));
    host.store(|data| data.upload_queue = 0);
    let applied = host.run(crate::sync_client::Event::UploadCompleted);
    assert_eq!(sync_times(applied.status()), [(FULL_CHECKPOINT_PRIORITY, host.storage.now)]);
    assert_eq!(host.published(), [("full", names(["a", "b"]))]);
}

#[test]
fn other_checkpoints_are_not_shown_while_they_wait() {
    for buckets in [&[][..], &[("a", 0, 0, 0), ("b", 0, 1, 0)]] {
        let mut host = Host::started();
        host.line(&checkpoint(9, None, buckets));
        host.store(|data| data.upload_queue = 1);
        assert_eq!(host.line(&complete(9)).kinds(), ["CheckpointDelayedDueToLocalData", "LogLine"]);
        assert_eq!(host.published(), vec![]);
    }
}
