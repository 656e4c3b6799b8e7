//! Checkpoint request ids.

use serde_json::{Value, json};

use super::host::Host;
use crate::error::ErrorKind;
use crate::sync_client::storage::UNKNOWN_REQUEST_ID;
use crate::sync_client::{CheckpointMode, Event, Outcome, StartOptions, TargetChange};

fn id(host: &mut Host, event: Event<'_>) -> Option<i64> {
    match host.handle(event).unwrap() {
        Outcome::RequestId(id) => id,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_counter_is_seeded_counted_and_read() {
    let mut host = Host::started();
    assert_eq!(id(&mut host, Event::CurrentRequestId), None);
    let error = host.handle(Event::NextRequestId).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::State);
    assert!(std::format!("{error}").contains("Checkpoint request state has not been seeded"));
    assert_eq!(id(&mut host, Event::SeedRequestId(9_007_199_254_740_993)), Some(9_007_199_254_740_993));
    assert_eq!(id(&mut host, Event::NextRequestId), Some(9_007_199_254_740_994));
    assert_eq!(id(&mut host, Event::CurrentRequestId), Some(9_007_199_254_740_994));
    // Seeding is verbatim, also downwards.
    assert_eq!(id(&mut host, Event::SeedRequestId(3)), Some(3));
    host.run(Event::Stop);
    assert_eq!(id(&mut host, Event::CurrentRequestId), Some(3));
}

#[test]
fn the_counter_does_not_wrap() {
    let mut host = Host::started();
    id(&mut host, Event::SeedRequestId(i64::MAX - 1));
    assert_eq!(id(&mut host, Event::NextRequestId), Some(i64::MAX));
    assert_eq!(host.handle(Event::NextRequestId).unwrap_err().kind(), ErrorKind::State);
    assert_eq!(id(&mut host, Event::CurrentRequestId), Some(i64::MAX));
}

#[test]
fn the_target_is_read_set_and_cleared_without_an_iteration() {
    let mut host = Host::default();
    assert_eq!(id(&mut host, Event::TargetRequestId(TargetChange::Set(5))), None);
    assert_eq!(id(&mut host, Event::TargetRequestId(TargetChange::Keep)), Some(5));
    assert_eq!(id(&mut host, Event::TargetRequestId(TargetChange::Set(i64::MAX))), Some(5));
    assert_eq!(id(&mut host, Event::TargetRequestId(TargetChange::Clear)), Some(i64::MAX));
    assert_eq!(id(&mut host, Event::TargetRequestId(TargetChange::Keep)), None);
}

#[test]
fn request_mode_asks_for_an_id_that_nothing_exceeds() {
    for (counter, target, expected) in [
        (None, None, "1"),
        (Some(7), None, "7"),
        (Some(7), Some(9), "9"),
        (None, Some(9), "9"),
        (Some(7), Some(UNKNOWN_REQUEST_ID), "7"),
        (None, Some(UNKNOWN_REQUEST_ID), "1"),
        (Some(9_007_199_254_740_993), Some(3), "9007199254740993"),
    ] {
        let mut host = Host::default();
        host.store(|data| {
            data.request_ids.extend(counter.map(|counter| ("requested", counter)));
            data.request_ids.extend(target.map(|target| ("target", target)));
        });
        let before = host.storage.data.request_ids.clone();
        let options = StartOptions { checkpoint_mode: CheckpointMode::Requests, ..StartOptions::default() };
        let instructions = host.run(Event::Start(options));
        let request = &instructions.get("EstablishSyncStream")["checkpoint_request"];
        assert_eq!(request, &json!({"client_id": "client", "checkpoint_request_id": expected}));
        assert_eq!(host.storage.data.request_ids, before);
        let legacy = host.run(Event::Start(StartOptions::default()));
        assert_eq!(legacy.get("EstablishSyncStream").get("checkpoint_request"), None::<&Value>);
    }
}
