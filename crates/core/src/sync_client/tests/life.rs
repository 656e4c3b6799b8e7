//! Life of an iteration: starting, connecting, downloading, completing, ending.

use std::string::ToString;
use std::vec;

use serde_json::{Value, json};

use super::host::{Host, checkpoint, complete, data, diff, downloading, keep_alive, partial, sync_times};
use super::memory_storage::MemoryBucket;
use crate::error::ErrorKind;
use crate::sync_client::storage::FULL_CHECKPOINT_PRIORITY;
use crate::sync_client::{Engine, Event, Outcome, StartOptions};

#[test]
fn start_reports_connecting_and_asks_for_everything_held() {
    let mut host = Host::started();
    host.lines([checkpoint(5, None, &[("b\"1", 1, 3, 1)]), data("b\"1", &[1]), complete(5)]);
    let options = StartOptions {
        parameters: Some(r#"{"b" : 1.0,"a":2}"#.into()),
        app_metadata: Some("[1 ,2]".into()),
        include_defaults: false,
        ..StartOptions::default()
    };
    let Outcome::Instructions(instructions) = host.handle(Event::Start(options)).unwrap() else { panic!() };
    let json = crate::sync_client::to_json(&instructions).unwrap();
    let status = concat!(
        r#"[{"UpdateSyncStatus":{"status":{"connected":false,"connecting":true,"priority_status":"#,
        r#"[{"priority":2147483647,"last_synced_at":4,"has_synced":true}],"downloading":null,"streams":[]}}},"#
    );
    let request = concat!(
        r#"{"EstablishSyncStream":{"request":{"buckets":[{"name":"b\"1","after":"5"}],"include_checksum":true,"#,
        r#""raw_data":true,"binary_data":true,"client_id":"client","parameters":{"b" : 1.0,"a":2},"#,
        r#""streams":{"include_defaults":false,"subscriptions":[]},"app_metadata":[1 ,2]}}}]"#
    );
    assert_eq!(json, status.to_string() + request);
}

#[test]
fn starting_again_reports_the_status_again() {
    let mut host = Host::started();
    let again = host.run(Event::Start(StartOptions::default()));
    assert_eq!(again.kinds(), ["UpdateSyncStatus", "EstablishSyncStream"]);
    assert_eq!(again.get("EstablishSyncStream")["request"]["parameters"], Value::Null);
}

#[test]
fn only_the_first_sign_of_the_service_connects() {
    for first in [Some(keep_alive(100)), Some(r#"{"new_kind":5}"#.to_string()), Some(data("b", &[1])), None] {
        let mut host = Host::started();
        let instructions = match &first {
            Some(line) => host.line(line),
            None => host.run(Event::ConnectionEstablished),
        };
        let status = instructions.status();
        assert_eq!((&status["connected"], &status["connecting"]), (&json!(true), &json!(false)), "{first:?}");
        assert!(host.run(Event::ConnectionEstablished).0.is_empty());
        assert!(host.line(&keep_alive(100)).0.is_empty());
    }
}

#[test]
fn unknown_lines_are_logged() {
    let mut host = Host::started();
    host.run(Event::ConnectionEstablished);
    let instructions = host.line(r#"{"new_kind":{"a":[1]}}"#);
    assert_eq!(instructions.kinds(), ["LogLine"]);
    assert_eq!(instructions.log_line("DEBUG"), "Unknown sync line");
}

#[test]
fn without_an_iteration_only_stop_is_fine() {
    let mut host = Host::default();
    assert!(host.run(Event::Stop).0.is_empty());
    for event in [
        Event::ConnectionEstablished,
        Event::ConnectionEnded,
        Event::TokenRefreshed,
        Event::UploadCompleted,
        Event::StreamsInUse(vec![]),
        Event::SeedRequestId(1),
        Event::NextRequestId,
    ] {
        let error = host.handle(event).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::State);
        assert!(error.to_string().contains("No iteration is active"));
    }
    assert_eq!(host.try_line(&keep_alive(5)).unwrap_err().kind(), ErrorKind::State);
    assert_eq!(Engine::default().require_iteration().unwrap_err().kind(), ErrorKind::State);
}

#[test]
fn ends_report_a_status_and_then_close() {
    let ends: [(fn() -> Event<'static>, bool); 3] =
        [(|| Event::Stop, false), (|| Event::ConnectionEnded, false), (|| Event::TokenRefreshed, true)];
    for (end, hide_disconnect) in ends {
        let mut host = Host::started();
        host.lines([checkpoint(5, None, &[("b", 1, 3, 1)])]);
        let instructions = host.run(end());
        assert_eq!(instructions.kinds(), ["UpdateSyncStatus", "CloseSyncStream"]);
        instructions.closed(hide_disconnect);
        assert!(!host.engine.has_iteration());
        assert!(host.run(Event::Stop).0.is_empty());
    }
}

#[test]
fn lines_that_need_a_checkpoint_are_protocol_errors_without_one() {
    let mut host = Host::started();
    for line in [complete(1), partial(1, 0), diff(1, None, &[], &[])] {
        let error = host.try_line(&line).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Protocol);
        assert!(error.to_string().contains("without previous checkpoint"), "{error}");
        assert!(host.engine.has_iteration());
    }
    assert!(!host.lines([checkpoint(5, None, &[])]).0.is_empty());
}

#[test]
fn a_checkpoint_is_downloaded_validated_and_published() {
    let mut host = Host::started();
    let begun = host.line(&checkpoint(5, Some(8), &[("a", 2, 3, 2), ("b", 1, 1, 1)]));
    assert_eq!(begun.kinds(), ["UpdateSyncStatus"]);
    assert_eq!(downloading(begun.status()), [(1, 0, 1), (3, 0, 2)]);
    assert_eq!(downloading(host.line(&data("a", &[1, 2])).status()), [(1, 0, 1), (3, 2, 2)]);
    assert_eq!(downloading(host.line(&data("b", &[3])).status()), [(1, 1, 1), (3, 2, 2)]);
    let done = host.line(&complete(5));
    assert_eq!(done.kinds(), ["LogLine", "LogLine", "DidCompleteSync", "UpdateSyncStatus"]);
    assert_eq!(done.log(), ["DEBUG Validated and applied checkpoint", "DEBUG Applied checkpoint request id 8"]);
    assert_eq!(done.get("DidCompleteSync"), &json!({"applied_checkpoint_request_id": "8"}));
    let status = done.status();
    assert_eq!(status["downloading"], Value::Null);
    assert_eq!(status["internal_last_applied_checkpoint_request_id"], json!("8"));
    assert_eq!(sync_times(status), [(FULL_CHECKPOINT_PRIORITY, host.storage.now)]);
    assert_eq!(host.published(), [("full", vec!["a".to_string(), "b".to_string()])]);
    assert_eq!((host.storage.data.request_ids["seen"], host.storage.data.request_ids["applied"]), (8, 8));
    let bucket = host.storage.data.bucket("a").unwrap();
    assert_eq!((bucket.last_op, bucket.count_at_last, bucket.count_since_last), (5, 2, 0));
    let ended = host.run(Event::Stop);
    assert_eq!(ended.closed(false).get("internal_last_applied_checkpoint_request_id"), None);
}

#[test]
fn a_checkpoint_without_write_checkpoint_forgets_the_last_one() {
    let mut host = Host::started();
    host.lines([checkpoint(5, Some(8), &[]), complete(5)]);
    let done = host.lines([checkpoint(6, None, &[]), complete(6)]);
    assert_eq!(done.kinds(), ["LogLine", "DidCompleteSync", "UpdateSyncStatus"]);
    assert_eq!(done.get("DidCompleteSync"), &json!({}));
    assert_eq!(done.status().get("internal_last_applied_checkpoint_request_id"), None);
    assert_eq!(host.storage.data.request_ids["applied"], 8);
}

#[test]
fn only_what_changed_is_looked_at() {
    let mut host = Host::started();
    host.lines([
        checkpoint(5, None, &[("a", 1, 3, 1), ("b", 1, 3, 1), ("empty", 0, 3, 0)]),
        data("a", &[1]),
        data("b", &[2]),
        complete(5),
    ]);
    assert_eq!(host.published(), [("full", vec!["a".to_string(), "b".to_string()])]);
    host.lines([diff(6, None, &[("b", 2, 3, 2)], &[]), data("b", &[6]), complete(6)]);
    assert_eq!(host.published(), [("full", vec!["b".to_string()])]);
    // A reconnect that finds everything as it was.
    host.run(Event::Start(StartOptions::default()));
    host.lines([checkpoint(6, None, &[("a", 1, 3, 1), ("b", 2, 3, 2), ("empty", 0, 3, 0)]), complete(6)]);
    assert_eq!(host.published(), [("full", vec![])]);
    // Data that was downloaded, but not published, before a reconnect.
    host.lines([diff(7, None, &[("a", 2, 3, 2)], &[]), data("a", &[7])]);
    host.run(Event::Start(StartOptions::default()));
    host.lines([checkpoint(7, None, &[("a", 2, 3, 2), ("b", 2, 3, 2)]), complete(7)]);
    assert_eq!(host.published(), [("full", vec!["a".to_string()])]);
}

#[test]
fn after_a_reconnect_whatever_differs_is_looked_at() {
    type Change = fn(&mut MemoryBucket);
    // A resync, counts of a client that was interrupted, or that knew another count.
    let changes: [Change; 3] =
        [|bucket| bucket.is_settled = false, |bucket| bucket.count_since_last = 1, |bucket| bucket.count_at_last = 0];
    for change in changes {
        let mut host = Host::started();
        host.lines([
            checkpoint(5, None, &[("a", 1, 3, 1), ("b", 1, 3, 1)]),
            data("a", &[1]),
            data("b", &[2]),
            complete(5),
        ]);
        host.published();
        host.store(|data| data.buckets.values_mut().filter(|bucket| bucket.name == "a").for_each(change));
        host.run(Event::Start(StartOptions::default()));
        host.lines([checkpoint(5, None, &[("a", 1, 3, 1), ("b", 1, 3, 1)]), complete(5)]);
        assert_eq!(host.published(), [("full", vec!["a".to_string()])]);
    }
}

#[test]
fn a_published_bucket_of_which_the_service_wants_something_else_is_invalid() {
    let mut host = Host::started();
    host.lines([checkpoint(5, None, &[("a", 1, 3, 1)]), data("a", &[1]), complete(5)]);
    host.lines([checkpoint(6, None, &[("a", 2, 3, 1)]), complete(6)]).closed(false);
}

#[test]
fn dropped_buckets_are_deleted() {
    let mut host = Host::started();
    host.lines([
        checkpoint(5, None, &[("a", 1, 3, 1), ("b", 1, 3, 1), ("c", 1, 3, 1)]),
        data("a", &[1]),
        data("b", &[2]),
        data("c", &[3]),
        complete(5),
        diff(6, None, &[], &["a", "unknown"]),
    ]);
    assert!(host.storage.data.bucket("a").is_none());
    assert!(host.storage.data.bucket("b").is_some());
    host.lines([checkpoint(7, None, &[("c", 1, 3, 1)])]);
    assert!(host.storage.data.bucket("b").is_none());
    host.line(&complete(7));
    assert!(host.storage.data.bucket("c").is_some());
}

#[test]
fn a_removed_bucket_may_return_in_the_same_diff_or_later() {
    let mut host = Host::started();
    host.lines([checkpoint(5, None, &[("a", 1, 3, 1)]), data("a", &[5]), complete(5)]);
    let status = host.line(&diff(6, None, &[("a", 2, 3, 2)], &["a"]));
    assert_eq!(downloading(status.status()), [(3, 0, 2)]);
    assert!(host.storage.data.bucket("a").is_none());
    host.lines([data("a", &[1, 2]), complete(6)]);
    assert_eq!(host.storage.data.bucket("a").unwrap().count_at_last, 2);
    host.line(&diff(7, None, &[], &["a"]));
    let done = host.lines([diff(8, None, &[("a", 1, 3, 1)], &[]), data("a", &[1]), complete(8)]);
    assert_eq!(done.log(), ["DEBUG Validated and applied checkpoint"]);
}

#[test]
fn invalid_buckets_are_named_deleted_and_end_the_iteration() {
    let mut host = Host::started();
    host.lines([
        checkpoint(5, Some(3), &[("a", 1, 3, 1), ("bad", 7, 3, 1), ("missing", -1, 3, 1)]),
        data("a", &[1]),
        data("bad", &[2]),
    ]);
    let done = host.line(&complete(5));
    assert_eq!(done.kinds(), ["LogLine", "UpdateSyncStatus", "CloseSyncStream"]);
    assert_eq!(
        done.log_line("WARNING"),
        "Could not apply checkpoint, Checksums didn't match, failed for: bad (expected 0x00000007, got 0x00000001), \
         missing (expected 0xffffffff, got 0x00000000)"
    );
    done.closed(false);
    assert!(host.storage.data.bucket("bad").is_none());
    assert!(host.storage.data.bucket("a").is_some());
    assert!(host.published().is_empty());
    assert!(!host.storage.data.request_ids.contains_key("seen"));
}

#[test]
fn an_expired_token_closes_and_a_short_one_is_replaced() {
    for seconds in [0, -5, i64::MIN] {
        let mut host = Host::started();
        let instructions = host.line(&keep_alive(seconds));
        assert_eq!(instructions.kinds(), ["FetchCredentials", "UpdateSyncStatus", "CloseSyncStream"]);
        assert_eq!(instructions.get("FetchCredentials"), &json!({"did_expire": true}));
        instructions.closed(false);
    }
    let mut host = Host::started();
    host.run(Event::ConnectionEstablished);
    for (seconds, expected) in [(1, 1), (30, 1), (31, 0), (i64::MAX, 0)] {
        let instructions = host.line(&keep_alive(seconds));
        assert_eq!(instructions.0.len(), expected, "{seconds}");
        if expected == 1 {
            assert_eq!(instructions.get("FetchCredentials"), &json!({"did_expire": false}));
        }
    }
}

#[test]
fn data_outside_the_checkpoint_wait_for_a_change_that_adds_their_bucket() {
    let mut host = Host::started();
    host.line(&data("early", &[1]));
    let begun = host.line(&checkpoint(5, None, &[("early", 1, 3, 1)]));
    assert_eq!(downloading(begun.status()), [(3, 1, 1)]);
    assert!(host.line(&data("stray", &[2, 3])).0.is_empty());
    host.line(&complete(5));
    assert_eq!(host.published(), [("full", vec!["early".to_string()])]);
    let begun = host.line(&diff(6, None, &[("stray", 2, 2, 3)], &[]));
    assert_eq!(downloading(begun.status()), [(2, 2, 3), (3, 0, 0)]);
    host.line(&complete(6));
    assert_eq!(host.published(), [("full", vec!["stray".to_string()])]);
}

#[test]
fn a_bucket_listed_twice_counts_as_listed_last() {
    let mut host = Host::started();
    let begun = host.line(&checkpoint(5, None, &[("a", 9, 0, 9), ("a", 1, 3, 1)]));
    assert_eq!(downloading(begun.status()), [(3, 0, 1)]);
    let done = host.lines([data("a", &[1]), complete(5)]);
    assert_eq!(done.log(), ["DEBUG Validated and applied checkpoint"]);
    let begun = host.line(&diff(6, None, &[("a", 9, 0, 9), ("a", 2, 3, 2)], &[]));
    assert_eq!(downloading(begun.status()), [(3, 0, 1)]);
}

#[test]
fn completing_again_publishes_again() {
    let mut host = Host::started();
    host.lines([checkpoint(5, Some(1), &[("a", 1, 3, 1)]), data("a", &[1]), complete(5)]);
    let again = host.line(&complete(5));
    assert_eq!(again.get("DidCompleteSync"), &json!({"applied_checkpoint_request_id": "1"}));
}

#[test]
fn operations_that_cannot_be_shown_are_named() {
    let mut host = Host::started();
    host.line(&checkpoint(5, None, &[("a", 1, 3, 1)]));
    let line =
        r#"{"data":{"bucket":"a","data":[{"op_id":"1","op":"PUT","checksum":1,"object_type":"t","data":"{}"}]}}"#;
    let instructions = host.line(line);
    assert_eq!(instructions.kinds(), ["LogLine", "UpdateSyncStatus"]);
    assert_eq!(
        instructions.log_line("WARNING"),
        "Operation 1 of bucket a for t (no id) cannot be published as it is: it has no row id"
    );
}
