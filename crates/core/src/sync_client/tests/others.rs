//! Two iterations on one file, each with its own stream, at any two moments of what the service sends.

use std::string::{String, ToString};
use std::vec::Vec;

use serde_json::Value;

use super::host::{
    Host, Instructions, checkpoint, checkpoint_with_streams, complete, data, diff, downloading, keep_alive, key,
    partial, sync_times,
};
use crate::sync_client::{Event, StartOptions, TargetChange};

/// Two hosts that see the same data.
#[derive(Default)]
pub(super) struct Pair {
    pub hosts: [Host; 2],
    last: usize,
}

impl Pair {
    fn started() -> Self {
        let mut pair = Self::default();
        pair.on(0, |host| drop(host.run(Event::Start(StartOptions::default()))));
        pair.on(1, |host| drop(host.run(Event::Start(StartOptions::default()))));
        pair
    }

    /// Does something on one of them, after what was done last on the other.
    pub(super) fn on<T>(&mut self, index: usize, work: impl FnOnce(&mut Host) -> T) -> T {
        if self.last != index {
            let [first, second] = &mut self.hosts;
            let (from, to) = if index == 0 { (second, first) } else { (first, second) };
            to.storage.take_over(&from.storage.data);
            to.storage.now = to.storage.now.max(from.storage.now);
            self.last = index;
        }
        work(&mut self.hosts[index])
    }

    pub(super) fn line(&mut self, index: usize, line: &str) -> Instructions {
        self.on(index, |host| host.line(line))
    }

    /// The same lines on one after the other.
    fn both<const N: usize>(&mut self, lines: [String; N]) -> [Instructions; 2] {
        [0, 1].map(|index| self.on(index, |host| host.lines(lines.clone())))
    }
}

pub(super) fn closes(instructions: &Instructions) -> bool {
    instructions.kinds().contains(&"CloseSyncStream")
}

#[track_caller]
fn assert_put_off(instructions: &Instructions) {
    assert!(instructions.log_line("DEBUG").contains("ahead of the checkpoint"), "{instructions:?}");
    assert!(!closes(instructions));
}

/// Both have published bucket `a` with operation 1.
fn synced() -> Pair {
    let mut pair = Pair::started();
    let told = pair.both([checkpoint(1, None, &[("a", 1, 3, 1)]), data("a", &[1]), complete(1)]);
    assert!(told.iter().all(|told| told.kinds().contains(&"DidCompleteSync")));
    pair
}

#[test]
fn what_others_publish_is_reported_at_the_next_event() {
    let mut pair = Pair::started();
    pair.line(1, &keep_alive(100));
    pair.line(0, &checkpoint(1, Some(4), &[("a", 1, 3, 1)]));
    pair.line(0, &data("a", &[1]));
    pair.line(0, &complete(1));
    let told = pair.line(1, &keep_alive(100));
    assert_eq!(sync_times(told.status()).len(), 1);
    assert_eq!(told.status()["internal_last_applied_checkpoint_request_id"], "4");
    assert!(pair.line(1, &keep_alive(100)).0.is_empty());
    pair.on(0, |host| host.subscribe("s", "null", None, None));
    let told = pair.on(1, |host| host.run(Event::ConnectionEstablished));
    assert_eq!(told.status()["streams"][0]["name"], "s");
    // That another client uses a stream again is no news.
    let in_use = std::vec![key("s", "null")];
    pair.on(0, |host| drop(host.run(Event::StreamsInUse(in_use))));
    assert!(pair.on(1, |host| host.run(Event::ConnectionEstablished)).0.is_empty());
}

#[test]
fn a_status_while_connecting_has_no_applied_request() {
    let mut pair = Pair::started();
    pair.line(0, &checkpoint(1, Some(4), &[]));
    pair.line(0, &complete(1));
    let told = pair.on(1, |host| host.run(Event::UploadCompleted));
    assert_eq!(sync_times(told.status()).len(), 1);
    assert_eq!(told.status().get("internal_last_applied_checkpoint_request_id"), None);
}

#[test]
fn a_subscription_is_made_after_following_others() {
    let mut pair = synced();
    pair.both([diff(2, None, &[("a", 2, 3, 2)], &[])]);
    pair.line(0, &data("a", &[2]));
    pair.on(1, |host| host.subscribe("s", "null", None, None));
    // The first one's operation is known anyway.
    assert!(pair.line(1, &complete(2)).kinds().contains(&"DidCompleteSync"));
    assert!(pair.line(0, &complete(2)).kinds().contains(&"DidCompleteSync"));
}

#[test]
fn data_that_others_stored_count_once() {
    let mut pair = Pair::started();
    pair.both([checkpoint(4, None, &[("a", 2, 3, 2), ("b", 2, 3, 2)])]);
    pair.line(0, &data("a", &[1, 2]));
    assert_eq!(downloading(pair.line(1, &data("a", &[1])).status()), [(3, 2, 4)]);
    assert!(pair.line(1, &data("a", &[2])).0.is_empty());
    pair.line(1, &data("b", &[3]));
    assert_eq!(downloading(pair.line(0, &data("b", &[3, 4])).status()), [(3, 4, 4)]);
    let a = pair.on(0, |host| host.storage.data.bucket("a").cloned()).unwrap();
    assert_eq!((a.count_since_last, a.last_op), (2, 2));
}

#[test]
fn a_checkpoint_behind_stored_data_is_put_off() {
    let mut pair = synced();
    pair.line(0, &diff(3, None, &[("a", 3, 3, 3)], &[]));
    pair.line(0, &data("a", &[2, 3]));
    pair.line(1, &diff(2, None, &[("a", 2, 3, 2)], &[]));
    pair.line(1, &data("a", &[2]));
    assert_put_off(&pair.line(1, &partial(2, 3)));
    assert_put_off(&pair.line(1, &complete(2)));
    assert!(pair.on(1, |host| host.storage.data.bucket("a").is_some()));
    assert!(pair.line(0, &complete(3)).kinds().contains(&"DidCompleteSync"));
    // Still behind, and not for an upload to bring up.
    assert!(pair.on(1, |host| host.run(Event::UploadCompleted)).0.iter().all(|(kind, _)| kind == "UpdateSyncStatus"));
    pair.line(1, &diff(3, None, &[("a", 3, 3, 3)], &[]));
    let told = pair.line(1, &complete(3));
    assert!(told.kinds().contains(&"DidCompleteSync"));
    assert_eq!(told.status()["downloading"], Value::Null);
}

#[test]
fn a_bucket_that_another_client_has_brought_ahead_is_never_wrong() {
    let mut pair = synced();
    pair.line(0, &diff(3, None, &[("a", 3, 3, 3)], &[]));
    pair.line(0, &data("a", &[2]));
    pair.line(1, &diff(1, None, &[("a", 7, 3, 1)], &[]));
    assert_put_off(&pair.line(1, &complete(1)));
    for _ in 0..10 {
        assert!(pair.line(1, &keep_alive(100)).0.is_empty());
    }
}

#[test]
fn a_bucket_that_was_ahead_from_the_beginning_is_wrong_if_nothing_comes_for_some_keep_alives() {
    let mut pair = synced();
    pair.both([diff(3, None, &[("a", 3, 3, 3)], &[]), data("a", &[2, 3])]);
    // The service announces less than this client has said it holds.
    pair.on(1, |host| drop(host.run(Event::Start(StartOptions::default()))));
    pair.line(1, &checkpoint(2, None, &[("a", 7, 3, 1)]));
    assert_put_off(&pair.line(1, &complete(2)));
    pair.line(1, &keep_alive(100));
    // Somebody makes progress: there is a newer checkpoint.
    pair.line(0, &diff(4, None, &[("a", 4, 3, 4)], &[]));
    pair.line(0, &data("a", &[4]));
    for _ in 0..10 {
        assert!(pair.line(1, &keep_alive(100)).0.is_empty());
    }
    pair.on(1, |host| drop(host.run(Event::Start(StartOptions::default()))));
    pair.line(1, &checkpoint(2, None, &[("a", 7, 3, 1)]));
    assert_put_off(&pair.line(1, &complete(2)));
    for _ in 0..2 {
        assert!(pair.line(1, &keep_alive(100)).0.is_empty());
    }
    let told = pair.line(1, &keep_alive(100));
    told.closed(false);
    assert!(told.log_line("WARNING").contains("Checksums didn't match"));
}

#[test]
fn a_bucket_that_is_gone_closes_the_iteration_and_is_not_called_wrong() {
    let mut pair = synced();
    pair.line(0, &diff(2, None, &[], &["a"]));
    pair.line(0, &complete(2));
    pair.line(1, &diff(3, None, &[("a", 2, 3, 2)], &[]));
    pair.line(1, &data("a", &[3]));
    assert!(pair.on(1, |host| host.storage.data.bucket("a").is_none()));
    let told = pair.line(1, &complete(3));
    told.closed(false);
    assert!(told.log_line("INFO").contains("deleted buckets"));
}

#[test]
fn a_bucket_that_others_removed_is_not_made_again_for_an_older_checkpoint() {
    let mut pair = synced();
    pair.line(1, &diff(2, None, &[("b", 2, 3, 2)], &[]));
    pair.line(0, &diff(3, None, &[], &["a"]));
    pair.line(1, &data("b", &[2]));
    assert!(pair.on(1, |host| host.storage.data.bucket("b").is_none()), "it may be one of those");
    assert_put_off(&pair.line(1, &complete(2)));
    // Of the newer checkpoint it is.
    pair.line(1, &diff(4, None, &[("c", 1, 3, 1)], &["a", "b"]));
    pair.line(1, &data("c", &[4]));
    assert!(pair.line(1, &complete(4)).kinds().contains(&"DidCompleteSync"));
}

#[test]
fn an_older_checkpoint_deletes_nothing() {
    let mut pair = synced();
    pair.line(0, &diff(3, None, &[("b", 1, 3, 1)], &[]));
    pair.line(0, &data("b", &[3]));
    pair.line(0, &complete(3));
    // One that lists all, and one that says what has changed.
    for line in [checkpoint(2, None, &[]), diff(2, None, &[], &["a", "b"])] {
        pair.line(1, &line);
        assert_eq!(pair.on(1, |host| host.storage.data.buckets.len()), 2);
        assert_put_off(&pair.line(1, &complete(2)));
    }
    assert_eq!(pair.on(0, |host| host.storage.data.newest.completed), 3);
}

#[test]
fn a_bucket_of_another_request_stays_until_its_own_checkpoint_removes_it() {
    let mut pair = Pair::default();
    let options = |parameters: &str| StartOptions { parameters: Some(parameters.to_string()), ..Default::default() };
    pair.on(0, |host| drop(host.run(Event::Start(options(r#"{"of":"a"}"#)))));
    pair.on(1, |host| drop(host.run(Event::Start(options(r#"{"of":"b"}"#)))));
    pair.line(0, &checkpoint(1, None, &[("a", 1, 3, 1)]));
    pair.line(0, &data("a", &[1]));
    pair.line(0, &complete(1));
    pair.line(1, &checkpoint(2, None, &[("b", 1, 3, 1)]));
    pair.line(1, &data("b", &[2]));
    pair.line(1, &complete(2));
    let (a, b) = pair.on(0, |host| {
        (host.storage.data.bucket("a").cloned().unwrap(), host.storage.data.bucket("b").cloned().unwrap())
    });
    assert_eq!((a.last_op, a.is_in_checkpoint), (1, false), "it has no part in the second one's checkpoint");
    assert!(b.is_in_checkpoint);
    pair.line(0, &diff(3, None, &[("c", 1, 3, 1)], &["b"]));
    assert!(pair.on(0, |host| host.storage.data.bucket("b").is_some()));
    pair.line(0, &data("c", &[3]));
    assert!(pair.line(0, &complete(3)).kinds().contains(&"DidCompleteSync"));
    pair.line(0, &diff(4, None, &[], &["c"]));
    pair.line(1, &diff(4, None, &[], &["b"]));
    let left: Vec<String> =
        pair.on(0, |host| host.storage.data.buckets.values().map(|bucket| bucket.name.clone()).collect());
    assert_eq!(left, ["a"]);
}

#[test]
fn acknowledgements_are_not_taken_back() {
    let mut pair = synced();
    for (index, acknowledged) in [(0, 5), (1, 4)] {
        pair.line(index, &diff(1, Some(acknowledged), &[], &[]));
        pair.line(index, &complete(1));
        let stored = pair.on(index, |host| host.storage.data.request_ids.clone());
        assert_eq!((stored["seen"], stored["applied"]), (5, 5));
    }
    // One alone stores what it hears, also after the service started over.
    let mut host = Host::started();
    for acknowledged in [5, 4] {
        host.lines([checkpoint(1, Some(acknowledged), &[]), complete(1)]);
        assert_eq!(host.storage.data.request_ids["seen"], acknowledged);
    }
}

#[test]
fn a_waiting_checkpoint_is_looked_at_again_when_others_have_written() {
    let mut pair = synced();
    pair.on(1, |host| host.store(|data| data.upload_queue = 1));
    pair.on(1, |host| drop(host.handle(Event::TargetRequestId(TargetChange::Set(2)))));
    let told = pair.both([diff(2, Some(2), &[("a", 2, 3, 2)], &[]), data("a", &[2]), complete(2)]);
    assert!(told.iter().all(|told| told.kinds().contains(&"CheckpointDelayedDueToLocalData")));
    assert!(pair.line(0, &keep_alive(100)).0.is_empty());
    assert!(pair.line(0, &keep_alive(100)).0.is_empty());
    pair.on(1, |host| host.store(|data| data.upload_queue = 0));
    assert!(pair.on(1, |host| host.run(Event::UploadCompleted)).kinds().contains(&"DidCompleteSync"));
    let told = pair.line(0, &keep_alive(100));
    assert!(told.log().contains(&"DEBUG Applied pending checkpoint".to_string()), "{told:?}");
    assert_eq!(told.get("DidCompleteSync")["applied_checkpoint_request_id"], "2");
    assert!(pair.line(0, &keep_alive(100)).0.is_empty());
}

#[test]
fn streams_of_a_checkpoint_are_reported_by_both() {
    let mut pair = Pair::started();
    let line = checkpoint_with_streams(
        1,
        r#"{"bucket":"a","checksum":1,"priority":3,"count":1,"subscriptions":[{"default":0}]}"#,
        r#"{"name":"s","is_default":true,"errors":[]}"#,
    );
    pair.both([line, data("a", &[1])]);
    for index in [0, 1] {
        let told = pair.line(index, &complete(1));
        assert_eq!(told.status()["streams"][0]["active"], true);
        assert!(told.status()["streams"][0]["last_synced_at"].is_i64(), "{told:?}");
    }
    let rows = pair.on(0, |host| host.storage.data.subscriptions.len());
    assert_eq!(rows, 1);
}

#[test]
fn a_call_that_fails_while_following_others_can_be_made_again() {
    let lines = [diff(2, None, &[("a", 2, 3, 2), ("b", 0, 3, 0)], &[]), data("a", &[2]), complete(2), keep_alive(100)];
    let prepared = |count: usize| {
        let mut pair = synced();
        for line in &lines[..count] {
            pair.line(1, line);
            pair.on(0, |host| host.subscribe("s", &count.to_string(), None, None));
        }
        pair.on(0, |host| host.subscribe("t", "null", None, None));
        pair.line(0, &diff(2, None, &[("a", 2, 3, 2)], &[]));
        pair.line(0, &data("a", &[2]));
        pair
    };
    for (count, line) in lines.iter().enumerate().take(3) {
        let expected = {
            let mut pair = prepared(count);
            (pair.line(1, line), pair.on(1, |host| host.storage.data.clone()))
        };
        for failing in 1.. {
            let mut pair = prepared(count);
            let result = pair.on(1, |host| {
                host.storage.failing_call = Some(host.storage.calls + failing);
                host.try_line(line)
            });
            if result.is_ok() {
                assert!(failing > 3, "calls of storage were counted");
                break;
            }
            pair.hosts[1].storage.failing_call = None;
            pair.hosts[1].storage.now -= 1;
            let found = (pair.line(1, line), pair.on(1, |host| host.storage.data.clone()));
            assert_eq!(found, expected, "call {failing} of line {count}");
        }
    }
}
