//! Checkpoints that wait for local writes, and what lets them through.

use super::host::{Host, checkpoint, complete, data, diff, partial};
use crate::sync_client::storage::UNKNOWN_REQUEST_ID;
use crate::sync_client::{Event, GateMode, StartOptions, TargetChange};

const DELAYED: [&str; 2] = ["CheckpointDelayedDueToLocalData", "LogLine"];

/// A host that downloaded a checkpoint with `write_checkpoint` while `target` was set, and completed it.
fn waiting(write_checkpoint: Option<i64>, target: Option<i64>, upload_queue: usize) -> Host {
    let mut host = Host::started();
    host.lines([checkpoint(9, write_checkpoint, &[("a", 1, 3, 1)]), data("a", &[1])]);
    host.store(|data| {
        data.upload_queue = upload_queue;
        data.request_ids.extend(target.map(|target| ("target", target)));
    });
    let delayed = host.line(&complete(9));
    assert_eq!(delayed.kinds(), DELAYED);
    let text = "Could not apply checkpoint due to local data. Will retry at completed upload or next checkpoint. Reason: reason";
    assert_eq!(delayed.log_line("INFO"), text);
    assert_eq!(host.storage.data.request_ids.get("seen").copied(), write_checkpoint);
    assert_eq!(host.storage.data.bucket("a").unwrap().last_op, 9);
    assert!(host.published().is_empty());
    host
}

#[track_caller]
fn assert_publishes(host: &mut Host, write_checkpoint: impl Into<Option<i64>>) {
    let mut log = std::vec![std::string::String::from("DEBUG Applied pending checkpoint after completed upload")];
    log.extend(write_checkpoint.into().map(|id| std::format!("DEBUG Applied checkpoint request id {id}")));
    let lines = std::vec!["LogLine"; log.len()];
    let instructions = host.run(Event::UploadCompleted);
    assert_eq!(instructions.kinds(), [&lines[..], &["DidCompleteSync", "UpdateSyncStatus"]].concat());
    assert_eq!(instructions.log(), log);
    assert_eq!(host.published().len(), 1);
    assert!(host.run(Event::UploadCompleted).0.is_empty());
}

#[test]
fn the_gate_is_open_without_target_or_with_one_that_was_seen() {
    for (target, write_checkpoint, is_open) in [
        (None, None, true),
        (Some(5), Some(5), true),
        (Some(5), Some(6), true),
        (Some(5), Some(4), false),
        (Some(5), None, false),
        (Some(UNKNOWN_REQUEST_ID), Some(UNKNOWN_REQUEST_ID - 1), false),
    ] {
        let mut host = Host::started();
        host.line(&checkpoint(9, write_checkpoint, &[]));
        host.store(|data| data.request_ids.extend(target.map(|target| ("target", target))));
        let kinds = host.line(&complete(9)).kinds().contains(&"DidCompleteSync");
        assert_eq!(kinds, is_open, "{target:?} {write_checkpoint:?}");
    }
}

#[test]
fn a_queue_holds_back_whatever_was_seen() {
    let mut host = waiting(Some(7), None, 1);
    host.store(|data| data.upload_queue = 0);
    assert_publishes(&mut host, 7);
}

#[test]
fn legacy_acknowledgement_lets_the_waiting_checkpoint_through() {
    let mut host = waiting(Some(7), Some(UNKNOWN_REQUEST_ID), 1);
    host.store(|data| data.upload_queue = 0);
    host.handle(Event::TargetRequestId(TargetChange::Set(7))).unwrap();
    assert_publishes(&mut host, 7);
}

#[test]
fn a_waiting_checkpoint_that_acknowledges_too_little_is_not_tried() {
    let mut host = waiting(Some(7), Some(8), 1);
    host.store(|data| data.upload_queue = 0);
    let before = host.storage.data.clone();
    assert!(host.run(Event::UploadCompleted).0.is_empty());
    assert_eq!(host.storage.data, before);
    // The next checkpoint that acknowledges enough is published.
    let done = host.lines([diff(9, Some(8), &[], &[]), complete(9)]);
    assert!(done.kinds().contains(&"DidCompleteSync"));
}

#[test]
fn a_waiting_checkpoint_that_acknowledges_nothing_is_published_when_nothing_is_outstanding() {
    for (target, change) in [
        // Only entries that close no gate were queued.
        (None, None),
        (Some(8), Some(TargetChange::Clear)),
        (Some(UNKNOWN_REQUEST_ID), Some(TargetChange::Clear)),
    ] {
        let mut host = waiting(None, target, 1);
        host.store(|data| data.upload_queue = 0);
        if let Some(change) = change {
            host.handle(Event::TargetRequestId(change)).unwrap();
        }
        assert_publishes(&mut host, None);
    }
    // A target that an earlier checkpoint has reached.
    let mut host = waiting(None, Some(UNKNOWN_REQUEST_ID), 1);
    host.store(|data| {
        data.upload_queue = 0;
        data.request_ids.insert("seen", 5);
    });
    host.handle(Event::TargetRequestId(TargetChange::Set(5))).unwrap();
    assert_publishes(&mut host, None);
}

#[test]
fn a_waiting_checkpoint_that_acknowledges_nothing_waits_for_what_is_outstanding() {
    for (target, upload_queue) in [(Some(8), 0), (None, 1), (Some(UNKNOWN_REQUEST_ID), 1)] {
        let mut host = waiting(None, target, 1);
        host.store(|data| data.upload_queue = upload_queue);
        let before = host.storage.data.clone();
        assert!(host.run(Event::UploadCompleted).0.is_empty(), "{target:?} {upload_queue}");
        assert_eq!(host.storage.data, before);
        host.store(|data| {
            data.upload_queue = 0;
            data.request_ids.extend(target.map(|_| ("target", 8)));
        });
        let done = host.lines([diff(9, Some(8), &[], &[]), complete(9)]);
        assert!(done.kinds().contains(&"DidCompleteSync"));
    }
}

#[test]
fn a_gate_still_closed_is_logged_and_tried_again() {
    let mut host = waiting(Some(7), Some(7), 1);
    for _ in 0..2 {
        let instructions = host.run(Event::UploadCompleted);
        assert_eq!(instructions.kinds(), ["LogLine"]);
        let text = "Could not apply pending checkpoint even after completed upload: reason";
        assert_eq!(instructions.log_line("WARNING"), text);
    }
    host.store(|data| data.upload_queue = 0);
    assert_publishes(&mut host, 7);
}

#[test]
fn warnings_of_a_publish_come_before_its_end() {
    let mut host = waiting(Some(7), Some(7), 1);
    host.store(|data| {
        data.upload_queue = 0;
        data.untyped.push("untyped".into());
    });
    let log = host.run(Event::UploadCompleted).log();
    assert_eq!(log[1..], ["WARNING untyped", "DEBUG Applied checkpoint request id 7"]);
    host.line(&checkpoint(9, None, &[("a", 0, 3, 1)]));
    let partial = host.line(&partial(9, 0));
    assert_eq!(partial.log(), ["WARNING untyped"]);
}

#[test]
fn a_missing_request_id_is_reported() {
    let mut host = waiting(Some(7), Some(UNKNOWN_REQUEST_ID), 0);
    let instructions = host.run(Event::UploadCompleted);
    assert_eq!(instructions.kinds(), ["LogLine"]);
    assert_eq!(
        instructions.log_line("WARNING"),
        "Could not apply pending checkpoint even after completed upload: reason"
    );
    host.handle(Event::TargetRequestId(TargetChange::Set(6))).unwrap();
    assert_publishes(&mut host, 7);
}

#[test]
fn a_write_between_the_acknowledgement_and_the_completed_upload_is_no_reason_to_warn() {
    let mut host = waiting(Some(7), Some(7), 1);
    // A local write sets the target back.
    host.store(|data| {
        data.request_ids.insert("target", UNKNOWN_REQUEST_ID);
        data.request_ids.remove("seen");
    });
    let before = host.storage.data.clone();
    assert!(host.run(Event::UploadCompleted).0.is_empty());
    assert_eq!(host.storage.data, before);
    // Its own upload follows.
    host.store(|data| data.upload_queue = 0);
    host.handle(Event::TargetRequestId(TargetChange::Set(8))).unwrap();
    assert!(host.run(Event::UploadCompleted).0.is_empty());
    let done = host.lines([diff(9, Some(8), &[], &[]), complete(9)]);
    assert!(done.kinds().contains(&"DidCompleteSync"));
}

#[test]
fn nothing_waiting_gives_nothing() {
    let mut host = Host::started();
    assert!(host.run(Event::UploadCompleted).0.is_empty());
    host.store(|data| _ = data.request_ids.insert("target", UNKNOWN_REQUEST_ID));
    host.line(&checkpoint(9, Some(1), &[]));
    assert!(host.run(Event::UploadCompleted).0.is_empty());
}

#[test]
fn a_new_checkpoint_makes_the_waiting_one_forgotten() {
    for next in [checkpoint(10, Some(8), &[("a", 2, 3, 2)]), diff(10, Some(8), &[("a", 2, 3, 2)], &[])] {
        let mut host = waiting(Some(7), Some(7), 1);
        host.line(&next);
        host.store(|data| data.upload_queue = 0);
        assert!(host.run(Event::UploadCompleted).0.is_empty());
        assert!(host.lines([data("a", &[10]), complete(10)]).kinds().contains(&"DidCompleteSync"));
    }
}

#[test]
fn data_after_validation_neither_get_published_nor_dropped() {
    let mut host = waiting(Some(7), Some(7), 1);
    host.line(&data("a", &[10]));
    host.store(|data| data.upload_queue = 0);
    let before = host.storage.data.clone();
    let instructions = host.run(Event::UploadCompleted);
    assert_eq!(instructions.kinds(), ["LogLine"]);
    assert!(instructions.log_line("WARNING").contains("next checkpoint"));
    assert_eq!(host.storage.data, before);
    let done = host.lines([diff(10, Some(7), &[("a", 2, 3, 2)], &[]), complete(10)]);
    assert!(done.kinds().contains(&"DidCompleteSync"));
}

#[test]
fn data_that_change_nothing_do_not_disturb_a_waiting_checkpoint() {
    let mut host = waiting(Some(7), Some(7), 1);
    host.line(&data("a", &[1]));
    host.line(&data("stray", &[1]));
    host.store(|data| data.upload_queue = 0);
    assert_publishes(&mut host, 7);
}

#[test]
fn a_waiting_checkpoint_that_became_invalid_closes() {
    let mut host = waiting(Some(7), Some(7), 1);
    host.store(|data| {
        data.upload_queue = 0;
        data.buckets.values_mut().for_each(|bucket| bucket.checksum = 5.into());
    });
    let instructions = host.run(Event::UploadCompleted);
    assert!(instructions.log_line("WARNING").contains("a (expected 0x00000001, got 0x00000005)"));
    instructions.closed(false);
    assert!(host.storage.data.bucket("a").is_none());
}

#[test]
fn completing_a_waiting_checkpoint_again_keeps_it_waiting() {
    let mut host = waiting(Some(7), Some(7), 1);
    assert_eq!(host.line(&complete(9)).kinds(), DELAYED);
    assert_eq!(host.line(&partial(9, 3)).kinds(), ["CheckpointDelayedDueToLocalData"]);
    host.store(|data| data.upload_queue = 0);
    assert_publishes(&mut host, 7);
}

const ROWS: StartOptions = StartOptions {
    parameters: None,
    include_defaults: true,
    active_streams: std::vec::Vec::new(),
    app_metadata: None,
    checkpoint_mode: crate::sync_client::CheckpointMode::Legacy,
    gate: GateMode::Rows,
    diagnostics: false,
};

/// A host with the row-wise gate that downloaded a checkpoint of a bucket of that priority while a local write is queued.
fn downloaded_by_rows(priority: i64) -> Host {
    let mut host = Host::started_with(ROWS);
    host.lines([checkpoint(9, Some(7), &[("a", 1, priority, 1)]), data("a", &[1])]);
    host.store(|data| data.upload_queue = 1);
    host
}

#[test]
fn the_row_wise_gate_publishes_around_local_writes_and_waits_as_a_whole() {
    let mut host = downloaded_by_rows(3);
    let delayed = host.line(&complete(9));
    assert_eq!(delayed.kinds(), [&DELAYED[..], &["UpdateSyncStatus"]].concat());
    assert_eq!(delayed.status()["downloading"], serde_json::Value::Null);
    assert_eq!(delayed.status()["priority_status"], serde_json::json!([]));
    assert_eq!(host.published(), [("full around local writes", std::vec!["a".into()])]);
    assert_eq!(host.line(&complete(9)).kinds(), DELAYED);
    host.published();
    host.store(|data| data.upload_queue = 0);
    assert_eq!(host.run(Event::UploadCompleted).get("DidCompleteSync")["applied_checkpoint_request_id"], "7");
    assert_eq!(host.published(), [("full", std::vec!["a".into()])]);
}

#[test]
fn the_row_wise_gate_publishes_parts_around_local_writes() {
    let mut host = downloaded_by_rows(2);
    assert_eq!(host.line(&partial(9, 2)).kinds(), ["CheckpointDelayedDueToLocalData"]);
    assert_eq!(host.published(), [("partial around local writes", std::vec!["a".into()])]);
    let mut host = downloaded_by_rows(0);
    assert_eq!(host.line(&partial(9, 0)).status()["priority_status"][0]["priority"], 0);
    let delayed = host.line(&complete(9));
    assert_eq!(delayed.kinds(), [&DELAYED[..], &["UpdateSyncStatus"]].concat());
    assert_eq!(delayed.status()["priority_status"][0]["priority"], 0);
    let around = |kind| (kind, std::vec!["a".into()]);
    let partial = around("partial around local writes");
    assert_eq!(host.published(), [partial.clone(), partial, around("full around local writes")]);
}

#[test]
fn an_open_gate_publishes_everything_whatever_the_option() {
    for priority in [0, 3] {
        let mut host = downloaded_by_rows(priority);
        host.store(|data| data.upload_queue = 0);
        host.line(&partial(9, priority));
        host.line(&complete(9));
        let kinds: std::vec::Vec<_> = host.published().into_iter().map(|(kind, _)| kind).collect();
        assert_eq!(kinds, ["partial", "involved", "full"]);
    }
}
