//! A call that fails changes nothing: a session in which every call to storage fails once ends like an undisturbed one.

use std::string::String;
use std::vec;
use std::vec::Vec;

use crate::error::Result;

use super::host::{Host, checkpoint, checkpoint_with_streams, complete, data, diff, keep_alive, key, partial};
use super::memory_storage::Data;
use crate::sync_client::storage::FindingKind;
use crate::sync_client::{CheckpointMode, Event, Outcome, StartOptions, Subscribe, TargetChange, offline_status};

/// One call of a session.
enum Step {
    Event(fn() -> Event<'static>),
    Line(String),
}

impl Step {
    fn run(&self, host: &mut Host) -> Result<Outcome> {
        match self {
            Self::Event(event) => host.handle(event()),
            Self::Line(line) => host.try_line(line),
        }
    }
}

fn start() -> Event<'static> {
    Event::Start(StartOptions {
        active_streams: vec![key("s", "null")],
        checkpoint_mode: CheckpointMode::Requests,
        diagnostics: true,
        ..StartOptions::default()
    })
}

fn subscribe(name: &str) -> Event<'static> {
    Event::Subscribe(Subscribe { stream: key(name, "null"), ttl: Some(1000), priority: None })
}

/// A session with every kind of event and line, in which checkpoints are published, delayed and found invalid.
fn session() -> Vec<Step> {
    let streams = r#"{"name":"s","is_default":false,"errors":[]},{"name":"d","is_default":true,"errors":[]}"#;
    let buckets = r#"{"bucket":"a","checksum":1,"priority":0,"count":1,"subscriptions":[{"sub":0}]},
        {"bucket":"b","checksum":2,"priority":3,"count":2,"subscriptions":[{"default":1}]}"#;
    vec![
        Step::Event(|| subscribe("s")),
        Step::Event(|| subscribe("ended")),
        Step::Event(|| Event::Unsubscribe(key("ended", "null"))),
        Step::Event(start),
        Step::Event(|| Event::SeedRequestId(5)),
        Step::Event(|| Event::ConnectionEstablished),
        Step::Line(data("obsolete", &[1])),
        Step::Line(checkpoint_with_streams(5, buckets, streams)),
        Step::Line(data("a", &[1])),
        Step::Line(partial(5, 0)),
        Step::Line(data("b", &[2, 3])),
        Step::Line(data("stray", &[2])),
        Step::Line(keep_alive(100)),
        Step::Line(keep_alive(20)),
        Step::Line(complete(5)),
        Step::Event(|| Event::NextRequestId),
        Step::Event(|| Event::TargetRequestId(TargetChange::Set(6))),
        Step::Line(diff(8, Some(6), &[("b", 3, 3, 1), ("stray", 1, 2, 1), ("c", 1, 1, 1)], &["a"])),
        Step::Line(data("b", &[7])),
        Step::Line(data("c", &[8])),
        Step::Event(|| Event::TargetRequestId(TargetChange::Set(7))),
        Step::Line(partial(8, 2)),
        Step::Line(complete(8)),
        Step::Event(|| Event::UploadCompleted),
        Step::Event(|| Event::TargetRequestId(TargetChange::Set(6))),
        Step::Event(|| Event::UploadCompleted),
        Step::Event(|| Event::StreamsInUse(vec![key("s", "null"), key("d", "null")])),
        Step::Event(|| Event::CurrentRequestId),
        Step::Line(r#"{"unknown":1}"#.into()),
        Step::Line(checkpoint(9, Some(8), &[("b", 3, 0, 0)])),
        Step::Event(|| Event::TargetRequestId(TargetChange::Set(9))),
        Step::Line(complete(9)),
        Step::Line(checkpoint(10, Some(8), &[("b", 9, 0, 1), ("new", 1, 3, 1)])),
        Step::Line(data("new", &[10])),
        Step::Line(complete(10)),
        Step::Event(|| Event::Stop),
        Step::Event(start),
        Step::Line(keep_alive(0)),
        Step::Event(start),
        Step::Event(start),
        Step::Event(|| subscribe("other")),
        Step::Event(|| Event::StreamsInUse(vec![])),
        Step::Event(start),
        Step::Event(|| Event::TokenRefreshed),
    ]
}

/// What fails once.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Failing {
    /// The call to storage with this number.
    Call(usize),
    /// The answer of the step with this number.
    Answer(usize),
}

/// Runs the session; a step that fails because of `failing` is tried again.
fn run(failing: Option<Failing>) -> (Vec<Outcome>, Data, usize, String) {
    let mut host = Host::default();
    if let Some(Failing::Call(number)) = failing {
        host.storage.failing_call = Some(number);
    }
    let mut outcomes = Vec::new();
    for (index, step) in session().iter().enumerate() {
        let calls = host.storage.calls;
        let now = host.storage.now;
        let answer_fails = failing == Some(Failing::Answer(index));
        host.answer_fails = answer_fails;
        let outcome = step.run(&mut host);
        assert!(outcome.is_err() || !answer_fails, "step {index} gave no answer");
        let outcome = outcome.or_else(|error| {
            let matches = match failing {
                Some(Failing::Call(number)) => calls < number && number <= host.storage.calls,
                _ => answer_fails,
            };
            assert!(matches, "step {index} failed by itself: {error}");
            host.storage.now = now;
            step.run(&mut host)
        });
        outcomes.push(outcome.unwrap_or_else(|error| panic!("step {index} failed twice: {error}")));
    }
    let calls = host.storage.calls;
    host.storage.failing_call = None;
    let status = offline_status(&mut host.storage).unwrap();
    let mut data = host.storage.data.clone();
    // An iteration also ends if that cannot be stored.
    data.findings.remove(&(FindingKind::Attempt, String::new()));
    (outcomes, data, calls, status)
}

#[test]
fn the_session_goes_through_what_it_is_meant_to_go_through() {
    let (outcomes, _, _, _) = run(None);
    let instructions = outcomes.iter().filter_map(|outcome| match outcome {
        Outcome::Instructions(instructions) => Some(instructions),
        Outcome::RequestId(_) | Outcome::Nothing => None,
    });
    let text: String = instructions.map(|instructions| crate::sync_client::to_json(instructions).unwrap()).collect();
    for (kind, times) in [
        ("DidCompleteSync", 2),
        ("CheckpointDelayedDueToLocalData", 3),
        ("CloseSyncStream", 4),
        ("Applied pending checkpoint after completed upload", 1),
        ("Checksums didn't match", 1),
    ] {
        assert_eq!(text.matches(kind).count(), times, "{kind} in {text}");
    }
}

#[test]
fn a_failing_call_can_be_repeated_everywhere() {
    let (outcomes, data, calls, status) = run(None);
    assert!(calls > 200, "{calls}");
    for failing in (1..=calls).map(Failing::Call).chain((0..outcomes.len()).map(Failing::Answer)) {
        let (disturbed_outcomes, disturbed_data, _, disturbed_status) = run(Some(failing));
        for (index, (undisturbed, disturbed)) in outcomes.iter().zip(&disturbed_outcomes).enumerate() {
            assert_eq!(undisturbed, disturbed, "step {index} after {failing:?} failed");
        }
        assert_eq!(data, disturbed_data, "after {failing:?} failed");
        assert_eq!(status, disturbed_status, "after {failing:?} failed");
    }
}

#[test]
fn a_protocol_error_leaves_the_iteration_as_it_was() {
    let mut host = Host::started();
    host.lines([checkpoint(5, None, &[("a", 1, 3, 1)]), data("a", &[1])]);
    for line in ["", "{}", "[]", r#"{"a":1,"b":2}"#, r#"{"data":5}"#] {
        assert!(host.try_line(line).is_err(), "{line}");
    }
    assert!(host.line(&complete(5)).kinds().contains(&"DidCompleteSync"));
}
