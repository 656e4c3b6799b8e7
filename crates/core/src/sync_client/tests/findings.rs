//! What is kept for `powersync_diagnose`: how attempts end, wrong checksums, and errors of streams.

use std::string::{String, ToString};
use std::vec::Vec;

use serde_json::{Value, json};

use super::host::{Host, checkpoint, checkpoint_with_streams, complete, data, partial};
use crate::sync_client::storage::FindingKind;
use crate::sync_client::{Event, StartOptions};

/// Subjects of a kind, with their details and how often they were found.
fn findings(host: &Host, kind: FindingKind) -> Vec<(String, Value, usize)> {
    let all = host.storage.data.findings.iter().filter(|((of, _), _)| *of == kind);
    all.map(|((_, subject), (detail, times))| (subject.clone(), serde_json::from_str(detail).unwrap(), *times))
        .collect()
}

#[test]
fn an_attempt_is_recorded_when_it_ends() {
    let mut host = Host::started();
    let error = host.try_line(&complete(7)).unwrap_err();
    host.engine.note_failure(&error, None);
    assert_eq!(findings(&host, FindingKind::Attempt), []);
    host.run(Event::Start(StartOptions::default()));
    let recorded = |host: &Host| {
        let recorded = findings(host, FindingKind::Attempt);
        let [(subject, detail, 1)] = recorded.as_slice() else { panic!("{recorded:?}") };
        assert_eq!(subject, "");
        ["connected", "lines", "completed", "ended_by"].map(|member| detail[member].clone())
    };
    assert_eq!(json!(recorded(&host)), json!([false, 0, false, "error"]));
    host.storage.data.findings.clear();
    host.lines([checkpoint(1, None, &[("b", 1, 3, 1)]), data("b", &[1]), complete(1)]);
    host.run(Event::ConnectionEnded);
    assert_eq!(json!(recorded(&host)), json!([true, 3, true, "service"]));
    host.run(Event::Start(StartOptions::default()));
    host.run(Event::Stop);
    let [(_, detail, times)] = &findings(&host, FindingKind::Attempt)[..] else { panic!("one row") };
    assert_eq!((times, &detail["ended_by"], &detail["last_error"]), (&2, &json!("stop"), &Value::Null));
}

#[test]
fn an_attempt_ends_where_nothing_can_be_recorded() {
    let mut host = Host::started();
    host.storage.failing_call = Some(host.storage.calls + 2);
    host.run(Event::Stop).closed(false);
    assert_eq!(findings(&host, FindingKind::Attempt), []);
}

#[test]
fn wrong_checksums_are_recorded_until_the_bucket_is_right() {
    let mut host = Host::started();
    let wrong = || checkpoint(2, None, &[("a", 9, 1, 1), ("b", 9, 3, 1)]);
    for times in 1..=2 {
        host.lines([wrong(), data("a", &[1]), data("b", &[2]), complete(2)]).closed(false);
        let detail = json!({"expected": 9, "actual": 1});
        let expected = [("a".to_string(), detail.clone(), times), ("b".to_string(), detail, times)];
        assert_eq!(findings(&host, FindingKind::Checksum), expected);
        host.run(Event::Start(StartOptions::default()));
    }
    // A part of the checkpoint says nothing of the rest.
    host.lines([checkpoint(2, None, &[("a", 1, 1, 1), ("b", 1, 3, 1)]), data("a", &[1]), partial(2, 1)]);
    let subjects =
        |host: &Host| findings(host, FindingKind::Checksum).into_iter().map(|found| found.0).collect::<Vec<_>>();
    assert_eq!(subjects(&host), ["b"]);
    host.lines([data("b", &[2]), complete(2)]);
    assert_eq!(subjects(&host), [""; 0]);
}

#[test]
fn errors_of_streams_are_recorded_until_a_checkpoint_has_none() {
    let mut host = Host::started();
    let stream = |errors: &str| {
        checkpoint_with_streams(1, "", &std::format!(r#"{{"name":"s","is_default":true,"errors":[{errors}]}}"#))
    };
    host.line(&stream(r#"{"subscription":"default","message":"first"},{"subscription":"default","message":"second"}"#));
    let expected = [("s".to_string(), json!({"message": "first", "errors": 2}), 1)];
    assert_eq!(findings(&host, FindingKind::Stream), expected);
    host.line(&stream(""));
    assert_eq!(findings(&host, FindingKind::Stream), []);
}
