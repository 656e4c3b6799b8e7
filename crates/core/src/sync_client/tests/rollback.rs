//! A transaction that is rolled back after its call succeeded: the iteration ends at its next event.

use std::vec;

use rowtide_protocol::{Scratch, SyncLine, decode_text};

use super::host::{Host, checkpoint, complete, data, diff, keep_alive, key, partial};
use crate::sync_client::{Event, StartOptions, Subscribe};

fn with_line(line: &str, use_line: impl FnOnce(SyncLine<'_>)) {
    let mut scratch = Scratch::new();
    use_line(decode_text(line, &mut scratch).unwrap());
}

#[track_caller]
fn assert_ends(mut host: Host) {
    assert!(host.engine.has_iteration());
    let mut before = host.storage.data.clone();
    let instructions = host.line(&keep_alive(100));
    before.findings = host.storage.data.findings.clone();
    instructions.closed(true);
    assert_eq!(instructions.kinds(), ["UpdateSyncStatus", "CloseSyncStream"]);
    assert_eq!(host.storage.data, before, "the event itself is not handled");
    assert!(!host.engine.has_iteration());
}

fn downloading() -> Host {
    let mut host = Host::started();
    host.lines([checkpoint(5, Some(1), &[("a", 1, 3, 1)]), data("a", &[1])]);
    host
}

#[test]
fn every_line_that_changes_something_is_noticed() {
    for line in [
        checkpoint(6, None, &[("b", 1, 3, 1)]),
        diff(6, None, &[("b", 1, 3, 1)], &["a"]),
        data("a", &[2]),
        data("stray", &[2]),
        complete(5),
        partial(5, 3),
    ] {
        let mut host = downloading();
        with_line(&line, |decoded| host.run_and_roll_back(Event::Line { line: decoded, size: 1 }));
        assert_ends(host);
    }
}

#[test]
fn a_delayed_checkpoint_is_noticed() {
    let mut host = downloading();
    host.store(|data| data.upload_queue = 1);
    with_line(&complete(5), |decoded| host.run_and_roll_back(Event::Line { line: decoded, size: 1 }));
    assert_ends(host);
}

#[test]
fn a_retried_publish_is_noticed() {
    let mut host = downloading();
    host.store(|data| data.upload_queue = 1);
    host.line(&complete(5));
    host.store(|data| data.upload_queue = 0);
    host.run_and_roll_back(Event::UploadCompleted);
    assert_ends(host);
}

#[test]
fn other_events_are_noticed() {
    let events: [fn() -> Event<'static>; 4] = [
        || Event::Start(StartOptions::default()),
        || Event::ConnectionEstablished,
        || Event::StreamsInUse(vec![key("s", "null")]),
        || Event::Subscribe(Subscribe { stream: key("s", "null"), ttl: None, priority: None }),
    ];
    for event in events {
        let mut host = Host::started();
        host.run_and_roll_back(event());
        assert_ends(host);
    }
}

#[test]
fn what_changes_nothing_may_be_rolled_back() {
    let mut host = Host::started();
    host.run(Event::ConnectionEstablished);
    with_line(&keep_alive(100), |decoded| host.run_and_roll_back(Event::Line { line: decoded, size: 1 }));
    host.run_and_roll_back(Event::UploadCompleted);
    assert!(host.line(&keep_alive(100)).0.is_empty());
}

#[test]
fn the_last_status_shows_what_is_stored() {
    let ends: [fn() -> Event<'static>; 4] =
        [|| Event::UploadCompleted, || Event::Stop, || Event::ConnectionEnded, || Event::TokenRefreshed];
    for end in ends {
        let mut host = downloading();
        with_line(&complete(5), |decoded| host.run_and_roll_back(Event::Line { line: decoded, size: 1 }));
        host.run_and_roll_back(Event::Subscribe(Subscribe { stream: key("s", "null"), ttl: None, priority: None }));
        let instructions = host.run(end());
        assert_eq!(instructions.status()["priority_status"], serde_json::json!([]));
        assert_eq!(instructions.status()["streams"], serde_json::json!([]));
    }
}

#[test]
fn ending_works_with_a_broken_database() {
    let mut host = downloading();
    host.storage.failing_call = Some(host.storage.calls + 1);
    host.run(Event::Stop).closed(false);
}

#[test]
fn an_ended_iteration_stays_ended() {
    let mut host = downloading();
    host.run_and_roll_back(Event::Stop);
    assert!(!host.engine.has_iteration());
    assert!(host.run(Event::Stop).0.is_empty());
}

#[test]
fn every_event_ends_an_iteration_whose_data_somebody_cleared() {
    let events: [(fn() -> Event<'static>, bool); 7] = [
        (|| Event::ConnectionEstablished, false),
        (|| Event::UploadCompleted, false),
        (|| Event::StreamsInUse(vec![]), false),
        (|| Event::Line { line: SyncLine::KeepAlive { token_expires_in: 0 }, size: 1 }, false),
        (|| Event::ConnectionEnded, false),
        (|| Event::TokenRefreshed, true),
        (|| Event::Stop, false),
    ];
    for (event, hide_disconnect) in events {
        let mut host = downloading();
        host.store(|data| data.generation += 1);
        host.run(event()).closed(hide_disconnect);
    }
    let mut host = downloading();
    host.store(|data| data.generation += 1);
    assert_eq!(host.run(Event::Start(StartOptions::default())).kinds(), ["UpdateSyncStatus", "EstablishSyncStream"]);
    assert!(host.line(&data("a", &[2])).kinds().contains(&"UpdateSyncStatus"));
}
