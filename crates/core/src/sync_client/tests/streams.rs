//! Stream subscriptions.

use std::format;
use std::string::{String, ToString};
use std::vec;
use std::vec::Vec;

use serde_json::{Value, json};

use super::host::{Host, Instructions, checkpoint_with_streams, complete, data, diff, keep_alive, key, partial};
use crate::sync_client::storage::StoredSubscription;
use crate::sync_client::{Event, StartOptions};

const SECOND: i64 = 1_000_000;

fn row(host: &Host, name: &str) -> StoredSubscription {
    host.storage.data.subscriptions.iter().find(|row| row.stream_name == name).cloned().unwrap()
}

fn stream<'s>(status: &'s Value, name: &str) -> &'s Value {
    let streams = status["streams"].as_array().unwrap();
    streams.iter().find(|stream| stream["name"] == name).unwrap_or_else(|| panic!("no {name} in {streams:?}"))
}

fn names(status: &Value) -> Vec<&str> {
    status["streams"].as_array().unwrap().iter().map(|stream| stream["name"].as_str().unwrap()).collect()
}

fn requested(instructions: &Instructions) -> String {
    instructions.get("EstablishSyncStream")["request"]["streams"]["subscriptions"].to_string()
}

fn bucket(name: &str, priority: i64, count: i64, reasons: &str) -> String {
    format!(r#"{{"bucket":"{name}","checksum":0,"priority":{priority},"count":{count},"subscriptions":[{reasons}]}}"#)
}

fn description(name: &str, is_default: bool) -> String {
    format!(r#"{{"name":"{name}","is_default":{is_default},"errors":[]}}"#)
}

#[test]
fn subscribing_inserts_and_renews() {
    let mut host = Host::default();
    host.subscribe("s", r#"{"a" : 1}"#, None, None);
    let first = row(&host, "s");
    assert_eq!(first.parameters, r#"{"a" : 1}"#);
    assert_eq!((first.ttl, first.expires_at), (Some(86_400), Some(host.storage.now + 86_400 * SECOND)));
    assert_eq!(first.local_priority, None);
    host.subscribe("s", r#"{"a" : 1}"#, Some(5), Some(2));
    assert_eq!((row(&host, "s").ttl, row(&host, "s").expires_at), (Some(5), Some(host.storage.now + 5 * SECOND)));
    assert_eq!(row(&host, "s").local_priority, Some(2));
    for (asked, expected) in [(Some(3), 2), (None, 2), (Some(0), 0), (Some(1), 0)] {
        host.subscribe("s", r#"{"a" : 1}"#, Some(5), asked);
        assert_eq!(row(&host, "s").local_priority, Some(expected));
    }
    // Parameters are compared as text.
    host.subscribe("s", r#"{"a":1}"#, None, None);
    assert_eq!(host.storage.data.subscriptions.len(), 2);
}

#[test]
fn a_huge_ttl_saturates() {
    let mut host = Host::default();
    for ttl in [i64::MAX, i64::MAX / SECOND] {
        host.subscribe("s", "null", Some(ttl), None);
        assert_eq!(row(&host, "s").ttl, Some(ttl));
        assert_eq!(row(&host, "s").expires_at, Some(i64::MAX).min(row(&host, "s").expires_at));
    }
    host.subscribe("t", "null", Some(i64::MAX), None);
    assert_eq!(row(&host, "t").expires_at, Some(i64::MAX));
}

#[test]
fn unsubscribing_keeps_the_row_until_the_next_request() {
    let mut host = Host::default();
    host.subscribe("s", "null", None, None);
    host.unsubscribe("s", "null");
    host.unsubscribe("unknown", "null");
    assert_eq!(row(&host, "s").ttl, None);
    let started = host.run(Event::Start(StartOptions::default()));
    assert_eq!(requested(&started), "[]");
    assert!(host.storage.data.subscriptions.is_empty());
    assert_eq!(names(started.status()), [""; 0]);
}

#[test]
fn a_request_has_explicit_subscriptions_that_did_not_expire() {
    let mut host = Host::default();
    host.subscribe("expired", "null", Some(10), None);
    host.subscribe("renewed", "[1]", Some(10), None);
    host.subscribe("lives", r#"{"b" : 1.0}"#, Some(100), Some(1));
    host.storage.now += 11 * SECOND;
    let options =
        StartOptions { active_streams: vec![key("renewed", "[1]"), key("expired", "[2]")], ..StartOptions::default() };
    let started = host.run(Event::Start(options));
    let expected = json!([
        {"stream": "renewed", "parameters": [1], "override_priority": null},
        {"stream": "lives", "parameters": {"b": 1.0}, "override_priority": 1},
    ]);
    assert_eq!(requested(&started), expected.to_string());
    assert_eq!(names(started.status()), ["renewed", "lives"]);
    assert_eq!(row(&host, "renewed").expires_at, Some(host.storage.now + 10 * SECOND));
    assert_eq!(host.storage.data.subscriptions.len(), 2);
}

#[test]
fn a_subscription_lives_until_its_expiry_has_passed() {
    let mut host = Host::default();
    host.subscribe("s", "null", Some(0), None);
    host.storage.now -= 1; // the call below is at the same time as the subscription
    assert_ne!(requested(&host.run(Event::Start(StartOptions::default()))), "[]");
    assert_eq!(requested(&host.run(Event::Start(StartOptions::default()))), "[]");
}

#[test]
fn rows_follow_the_streams_of_a_checkpoint() {
    let mut host = Host::default();
    host.subscribe("both", "[1]", None, None);
    host.subscribe("both", "[2]", None, None);
    host.subscribe("gone", "null", None, None);
    host.run(Event::Start(StartOptions::default()));
    let streams = [description("both", false), description("default", true), description("other", false)].join(",");
    let status = host.line(&checkpoint_with_streams(5, "", &streams)).status().clone();
    assert_eq!(names(&status), ["both", "both", "gone", "default"]);
    for parameters in ["[1]", "[2]"] {
        let row = host.storage.data.subscriptions.iter().find(|row| row.parameters == parameters).unwrap();
        assert!(row.active && !row.is_default);
    }
    assert!(!row(&host, "gone").active);
    let default = row(&host, "default");
    assert!(default.active && default.is_default);
    assert_eq!((default.ttl, default.expires_at, default.parameters.as_str()), (None, None, "null"));
    assert_eq!(
        stream(&status, "default"),
        &json!({
            "name": "default", "parameters": null, "priority": null, "active": true, "is_default": true,
            "has_explicit_subscription": false, "expires_at": null, "last_synced_at": null,
            "progress": {"total": 0, "downloaded": 0},
        })
    );
    // Without streams all are inactive, and rows without a subscription are deleted.
    let status = host.line(&checkpoint_with_streams(6, "", "")).status().clone();
    assert_eq!(names(&status), ["both", "both", "gone"]);
    assert_eq!(stream(&status, "both")["active"], json!(false));
}

#[test]
fn streams_stay_when_a_checkpoint_changes() {
    let mut host = Host::started();
    let streams = [description("default", true)].join(",");
    host.line(&checkpoint_with_streams(5, "", &streams));
    let status = host.line(&diff(6, None, &[("a", 0, 3, 1)], &[])).status().clone();
    assert_eq!(names(&status), ["default"]);
    assert_eq!(stream(&status, "default")["active"], json!(true));
}

#[test]
fn a_default_stream_with_a_row_of_any_parameters_gets_no_other() {
    let mut host = Host::default();
    host.subscribe("default", "[1]", None, None);
    host.run(Event::Start(StartOptions::default()));
    let buckets = bucket("a", 1, 5, r#"{"default":0}"#);
    let status = host.line(&checkpoint_with_streams(5, &buckets, &description("default", true))).status().clone();
    assert_eq!(names(&status), ["default"]);
    // The row is explicit, and the bucket is not there because of it.
    assert_eq!(stream(&status, "default")["priority"], Value::Null);
    assert_eq!(stream(&status, "default")["is_default"], json!(true));
}

#[test]
fn buckets_belong_to_the_rows_that_their_reasons_name() {
    let mut host = Host::default();
    host.subscribe("first", "null", None, None);
    host.subscribe("second", "null", None, None);
    host.run(Event::Start(StartOptions::default()));
    let buckets = [
        bucket("a", 2, 10, r#"{"sub":0},{"sub":0},{"default":2}"#),
        bucket("b", 1, 5, r#"{"default":2},{"default":0},{"sub":9},{"default":99}"#),
        bucket("c", 3, 1, r#"{"sub":1}"#),
        bucket("d", 0, 1, ""),
    ];
    let streams = [description("first", false), description("second", false), description("default", true)].join(",");
    let status = host.line(&checkpoint_with_streams(5, &buckets.join(","), &streams)).status().clone();
    let progress = |status: &Value, name: &str| {
        let stream = stream(status, name);
        (stream["priority"].as_i64(), stream["progress"]["total"].as_i64(), stream["progress"]["downloaded"].as_i64())
    };
    assert_eq!(progress(&status, "first"), (Some(2), Some(10), Some(0)));
    assert_eq!(progress(&status, "second"), (Some(3), Some(1), Some(0)));
    assert_eq!(progress(&status, "default"), (Some(2), Some(15), Some(0)));
    let status = host.line(&data("a", &[1, 2])).status().clone();
    assert_eq!(progress(&status, "first"), (Some(2), Some(10), Some(2)));
    assert_eq!(progress(&status, "default"), (Some(2), Some(15), Some(2)));
    let diff = r#"{"checkpoint_diff":{"last_op_id":"6","removed_buckets":["b"],"updated_buckets":[
        {"bucket":"a","checksum":2,"priority":0,"count":12,"subscriptions":[{"sub":1}]}]}}"#;
    let status = host.line(diff).status().clone();
    assert_eq!(progress(&status, "first"), (None, Some(0), Some(0)));
    assert_eq!(progress(&status, "second"), (Some(3), Some(13), Some(2)));
    assert_eq!(progress(&status, "default"), (None, Some(0), Some(0)));
    // After the publish the priority stays and the progress ends.
    let status = host.lines([complete(6)]).status().clone();
    assert_eq!(progress(&status, "second"), (Some(3), Some(0), Some(0)));
}

#[test]
fn an_unsubscribed_row_keeps_its_requested_buckets() {
    let mut host = Host::default();
    host.subscribe("s", "[1]", None, None);
    host.run(Event::Start(StartOptions::default()));
    host.unsubscribe("s", "[1]");
    let buckets = [bucket("a", 2, 10, r#"{"sub":0}"#), bucket("b", 1, 5, r#"{"default":0}"#)].join(",");
    let status = host.line(&checkpoint_with_streams(5, &buckets, &description("s", true))).status().clone();
    assert_eq!(names(&status), ["s"]);
    assert_eq!(stream(&status, "s")["progress"]["total"], 10);
    assert_eq!(stream(&status, "s")["has_explicit_subscription"], json!(false));
}

#[test]
fn of_several_default_rows_the_one_without_parameters_has_the_buckets() {
    let mut host = Host::default();
    host.subscribe("s", "[1]", None, None);
    host.subscribe("s", "null", None, None);
    host.unsubscribe("s", "[1]");
    host.unsubscribe("s", "null");
    host.store(|data| data.subscriptions.iter_mut().for_each(|row| row.active = true));
    host.run(Event::Start(StartOptions::default()));
    let buckets = bucket("b", 1, 5, r#"{"default":0}"#);
    let status = host.line(&checkpoint_with_streams(5, &buckets, &description("s", true))).status().clone();
    let totals: Vec<_> =
        status["streams"].as_array().unwrap().iter().map(|stream| stream["progress"]["total"].as_i64()).collect();
    assert_eq!(totals, [Some(0), Some(5)]);
}

#[test]
fn errors_of_streams_are_logged_before_everything_else() {
    let mut host = Host::default();
    host.subscribe("with", r#"{"a": 1}"#, None, None);
    host.subscribe("without", "null", None, None);
    host.run(Event::Start(StartOptions::default()));
    let streams = r#"
        {"name":"with","is_default":false,"errors":[{"subscription":0,"message":"m0"},{"subscription":7,"message":"m7"}]},
        {"name":"without","is_default":true,"errors":[{"subscription":1,"message":"m1"},{"subscription":"default","message":"md"}]}"#;
    let expected = [
        r#"WARNING Subscription to stream with (with parameters {"a": 1}) could not be resolved: m0"#,
        "WARNING Subscription to stream with (unknown subscription 7) could not be resolved: m7",
        "WARNING Subscription to stream without could not be resolved: m1",
        "WARNING Default subscription without has errors: md",
    ];
    let instructions = host.line(&checkpoint_with_streams(5, "", streams));
    assert_eq!(instructions.log(), expected);
    assert_eq!(instructions.kinds().last(), Some(&"UpdateSyncStatus"));
    assert_eq!(host.line(&diff(6, None, &[], &[])).log(), expected);
}

#[test]
fn publishing_sets_when_streams_were_synced() {
    let mut host = Host::default();
    host.subscribe("urgent", "null", None, None);
    host.subscribe("lazy", "null", None, None);
    host.subscribe("silent", "null", None, None);
    host.run(Event::Start(StartOptions::default()));
    host.subscribe("late", "null", None, None);
    let buckets = [bucket("a", 1, 1, r#"{"sub":0}"#), bucket("b", 3, 1, r#"{"sub":1}"#)].join(",");
    let streams = [description("urgent", false), description("lazy", false), description("default", true)].join(",");
    host.line(&checkpoint_with_streams(5, &buckets, &streams));
    let status = host.line(&partial(5, 1)).status().clone();
    let time = host.storage.now;
    let synced = |host: &Host, name: &str| row(host, name).last_synced_at;
    assert_eq!(stream(&status, "urgent")["last_synced_at"], time);
    assert_eq!((synced(&host, "urgent"), synced(&host, "lazy"), synced(&host, "default")), (Some(time), None, None));
    let status = host.line(&complete(5)).status().clone();
    let time = Some(host.storage.now);
    for name in ["urgent", "lazy", "silent", "default"] {
        assert_eq!(synced(&host, name), time, "{name}");
        assert_eq!(stream(&status, name)["last_synced_at"].as_i64(), time);
    }
    // Nobody asked the service for it yet.
    assert_eq!(synced(&host, "late"), None);
}

#[test]
fn rows_are_synced_if_they_were_requested_or_are_default() {
    let mut host = Host::default();
    host.subscribe("ended", "null", None, None);
    host.unsubscribe("ended", "null");
    host.store(|data| data.subscriptions.iter_mut().for_each(|row| row.active = true));
    host.run(Event::Start(StartOptions::default()));
    let streams = [description("ended", false), description("default", true)].join(",");
    host.line(&checkpoint_with_streams(5, "", &streams));
    // The service sends it by default, whether it is subscribed or not; but only without parameters.
    host.subscribe("default", "null", None, None);
    host.subscribe("default", "[1]", None, None);
    host.lines([diff(6, None, &[], &[]), complete(6)]);
    let rows = host.storage.data.subscriptions.iter();
    let synced: Vec<_> =
        rows.map(|row| (row.stream_name.as_str(), row.parameters.as_str(), row.last_synced_at.is_some())).collect();
    assert_eq!(synced, [("ended", "null", false), ("default", "null", true), ("default", "[1]", false)]);
}

#[test]
fn streams_in_use_are_extended_and_compared_with_the_request() {
    let mut host = Host::default();
    host.subscribe("s", "[1]", Some(100), None);
    host.run(Event::Start(StartOptions::default()));
    host.run(Event::ConnectionEstablished);
    host.storage.now += 50 * SECOND;
    assert!(host.run(Event::StreamsInUse(vec![key("s", "[1]"), key("unknown", "null")])).0.is_empty());
    assert_eq!(row(&host, "s").expires_at, Some(host.storage.now + 100 * SECOND));
    // They are remembered as active.
    host.storage.now += 50 * SECOND;
    assert!(host.line(&keep_alive(100)).0.is_empty());
    assert_eq!(row(&host, "s").expires_at, Some(host.storage.now + 100 * SECOND));
    // A new subscription needs a new request.
    host.subscribe("new", "null", None, None);
    let status = host.run(Event::StreamsInUse(vec![key("s", "[1]")])).closed(true).clone();
    assert_eq!(names(&status), ["s", "new"]);
}

#[test]
fn a_priority_or_an_end_changes_the_request() {
    type Change = fn(&mut Host);
    let changes: [Change; 3] = [
        |host| host.subscribe("s", "null", Some(100), Some(1)),
        |host| host.unsubscribe("s", "null"),
        |host| host.storage.now += 101 * SECOND,
    ];
    for change in changes {
        let mut host = Host::default();
        host.subscribe("s", "null", Some(100), None);
        host.run(Event::Start(StartOptions::default()));
        assert!(host.run(Event::StreamsInUse(vec![])).0.is_empty());
        change(&mut host);
        host.run(Event::StreamsInUse(vec![])).closed(true);
    }
}

#[test]
fn a_subscription_that_expires_ends_the_iteration_at_a_keep_alive() {
    let mut host = Host::default();
    host.subscribe("used", "null", Some(100), None);
    host.subscribe("unused", "null", Some(150), None);
    host.run(Event::Start(StartOptions { active_streams: vec![key("used", "null")], ..StartOptions::default() }));
    host.run(Event::ConnectionEstablished);
    host.storage.now += 99 * SECOND;
    assert!(host.line(&keep_alive(100)).0.is_empty());
    host.storage.now += 99 * SECOND;
    // Shortly before the token expires there is something else to do.
    assert_eq!(host.line(&keep_alive(20)).kinds(), ["FetchCredentials"]);
    host.line(&keep_alive(100)).closed(true);
    let started = host.run(Event::Start(StartOptions::default()));
    assert_eq!(names(started.status()), ["used"]);
}

#[test]
fn a_subscription_made_meanwhile_is_in_the_next_status() {
    let mut host = Host::started();
    host.subscribe("a", "null", None, None);
    let status = host.run(Event::ConnectionEstablished).status().clone();
    assert_eq!(names(&status), ["a"]);
    host.subscribe("a", "null", Some(7), None);
    host.subscribe("b", "null", None, None);
    let status = host.line(&data("x", &[1])).status().clone();
    assert_eq!(names(&status), ["a", "b"]);
    assert_eq!(stream(&status, "a")["expires_at"].as_i64(), row(&host, "a").expires_at);
}

#[test]
fn the_offline_status_lists_the_same_rows() {
    let mut host = Host::default();
    host.subscribe("a", r#"{"x" : 1}"#, None, Some(2));
    host.run(Event::Start(StartOptions::default()));
    let buckets = bucket("a", 1, 1, r#"{"sub":0}"#);
    host.lines([checkpoint_with_streams(5, &buckets, &description("a", false)), complete(5)]);
    let time = host.storage.now;
    let expires_at = row(&host, "a").expires_at.unwrap();
    let expected = format!(
        concat!(
            r#"{{"connected":false,"connecting":false,"priority_status":[{{"priority":2147483647,"last_synced_at":{time},"#,
            r#""has_synced":true}}],"downloading":null,"streams":[{{"name":"a","parameters":{{"x" : 1}},"priority":null,"#,
            r#""active":true,"is_default":false,"has_explicit_subscription":true,"expires_at":{expires_at},"#,
            r#""last_synced_at":{time},"progress":{{"total":0,"downloaded":0}}}}]}}"#,
        ),
        time = time,
        expires_at = expires_at,
    );
    assert_eq!(crate::sync_client::offline_status(&mut host.storage).unwrap(), expected.to_string());
}
