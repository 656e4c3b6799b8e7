//! Random sessions, in which calls fail and transactions are rolled back: nothing panics, and what is returned and
//! stored stays consistent.

use std::format;
use std::string::String;
use std::vec;
use std::vec::Vec;

use proptest::prelude::*;
use rowtide_protocol::{Checksum, Priority, Scratch, decode_text};
use serde_json::Value;

use super::host::{Host, Instructions, complete, keep_alive, key, partial};
use crate::sync_client::storage::UNKNOWN_REQUEST_ID;
use crate::sync_client::{CheckpointMode, Event, Outcome, StartOptions, Subscribe, TargetChange};

const BUCKETS: [&str; 5] = ["a", "b", "c", "d", "e"];
const STREAMS: [(&str, &str); 4] = [("s", "null"), ("s", "[1]"), ("t", "null"), ("u", "{}")];

/// A bucket as a checkpoint announces it: index, operations to come, priority, reason, whether the checksum is wrong.
type Announced = (usize, i64, i64, usize, bool);

#[derive(Debug, Clone)]
enum Action {
    Checkpoint(Vec<Announced>, Option<i64>, Vec<(usize, bool)>),
    Diff(Vec<Announced>, Vec<usize>, Option<i64>),
    Data(usize, Vec<&'static str>),
    /// Data that make every bucket of the checkpoint valid.
    Download,
    Line(String),
    Start(bool, bool, Vec<usize>),
    Stop,
    Established,
    TokenRefreshed,
    UploadCompleted,
    StreamsInUse(Vec<usize>),
    Subscribe(usize, Option<i64>, Option<i64>),
    Unsubscribe(usize),
    Target(TargetChange),
    RequestId(bool),
    UploadQueue(usize),
    Wait(i64),
}

/// How the transaction around an action goes.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Mode {
    Commit,
    RollBack,
    /// The call to storage with this number fails, if there are so many.
    Fail(usize),
    /// The SDK cannot be given the answer.
    FailAnswer,
}

fn any_announced() -> impl Strategy<Value = Vec<Announced>> {
    let announced = (0..BUCKETS.len(), 0..3_i64, 0..4_i64, 0..5_usize, prop::bool::weighted(0.05));
    prop::collection::vec(announced, 0..5)
}

fn any_action() -> impl Strategy<Value = Action> {
    let write_checkpoint = || prop::option::of(1..5_i64);
    let streams = prop::collection::vec((0..STREAMS.len(), any::<bool>()), 0..3);
    let some_streams = || prop::collection::vec(0..STREAMS.len(), 0..3);
    let operation = prop_oneof![5 => Just("PUT"), 2 => Just("REMOVE"), 1 => Just("MOVE"), 1 => Just("CLEAR")];
    prop_oneof![
        4 => (any_announced(), write_checkpoint(), streams).prop_map(|(b, w, s)| Action::Checkpoint(b, w, s)),
        4 => (any_announced(), prop::collection::vec(0..BUCKETS.len(), 0..3), write_checkpoint())
            .prop_map(|(updated, removed, w)| Action::Diff(updated, removed, w)),
        5 => (0..BUCKETS.len(), prop::collection::vec(operation, 0..3)).prop_map(|(b, o)| Action::Data(b, o)),
        8 => Just(Action::Download),
        8 => Just(Action::Line(complete(1))),
        4 => (0..4_i64).prop_map(|priority| Action::Line(partial(1, priority))),
        2 => prop_oneof![1 => Just(0_i64), 9 => 1..100_i64].prop_map(|seconds| Action::Line(keep_alive(seconds))),
        1 => Just(Action::Line(r#"{"unknown":{}}"#.into())),
        1 => Just(Action::Line(r#"{"data":"#.into())),
        3 => (any::<bool>(), any::<bool>(), some_streams()).prop_map(|(r, d, s)| Action::Start(r, d, s)),
        1 => Just(Action::Stop),
        1 => Just(Action::Established),
        1 => Just(Action::TokenRefreshed),
        3 => Just(Action::UploadCompleted),
        2 => some_streams().prop_map(Action::StreamsInUse),
        2 => (0..STREAMS.len(), prop::option::of(0..100_i64), prop::option::of(0..4_i64))
            .prop_map(|(stream, ttl, priority)| Action::Subscribe(stream, ttl, priority)),
        1 => (0..STREAMS.len()).prop_map(Action::Unsubscribe),
        2 => prop_oneof![
            1 => Just(TargetChange::Keep),
            2 => Just(TargetChange::Clear),
            1 => Just(TargetChange::Set(UNKNOWN_REQUEST_ID)),
            4 => (1..5_i64).prop_map(TargetChange::Set)
        ].prop_map(Action::Target),
        1 => any::<bool>().prop_map(Action::RequestId),
        2 => prop_oneof![3 => Just(0_usize), 1 => Just(1)].prop_map(Action::UploadQueue),
        1 => (1..50_i64).prop_map(Action::Wait),
    ]
}

fn any_mode() -> impl Strategy<Value = Mode> {
    prop_oneof![40 => Just(Mode::Commit), 1 => Just(Mode::RollBack), 2 => (1..12_usize).prop_map(Mode::Fail), 1 => Just(Mode::FailAnswer)]
}

/// The service's side, as far as needed to send lines that often fit together.
#[derive(Default)]
struct Session {
    host: Host,
    last_op_id: i64,
    last_status: Option<Value>,
}

impl Session {
    fn bucket_list(&self, announced: &[Announced]) -> String {
        let list = announced.iter().map(|&(index, operations, priority, reason, is_wrong)| {
            let held = self.host.storage.data.bucket(BUCKETS[index]);
            let (checksum, count) = held.map_or((0, 0), |b| (i64::from(b.checksum.get()), b.count_since_last));
            let checksum = (checksum + operations + i64::from(is_wrong)) % (1 << 32);
            let reasons =
                ["", r#"{"default":0}"#, r#"{"sub":0}"#, r#"{"sub":1},{"sub":1}"#, r#"{"default":1},{"sub":0}"#];
            format!(
                r#"{{"bucket":"{}","checksum":{checksum},"priority":{priority},"count":{},"subscriptions":[{}]}}"#,
                BUCKETS[index],
                count + operations,
                reasons[reason]
            )
        });
        list.collect::<Vec<_>>().join(",")
    }

    fn line(&mut self, action: &Action) -> Option<String> {
        let write_checkpoint = |id: &Option<i64>| id.map_or("null".into(), |id| format!("\"{id}\""));
        Some(match action {
            Action::Checkpoint(buckets, id, streams) => {
                let streams = streams.iter().map(|(index, is_default)| {
                    format!(r#"{{"name":"{}","is_default":{is_default},"errors":[]}}"#, STREAMS[*index].0)
                });
                format!(
                    r#"{{"checkpoint":{{"last_op_id":"{}","write_checkpoint":{},"buckets":[{}],"streams":[{}]}}}}"#,
                    self.last_op_id,
                    write_checkpoint(id),
                    self.bucket_list(buckets),
                    streams.collect::<Vec<_>>().join(","),
                )
            }
            Action::Diff(updated, removed, id) => {
                let removed = removed.iter().map(|index| format!("\"{}\"", BUCKETS[*index]));
                format!(
                    r#"{{"checkpoint_diff":{{"last_op_id":"{}","write_checkpoint":{},"updated_buckets":[{}],"removed_buckets":[{}]}}}}"#,
                    self.last_op_id,
                    write_checkpoint(id),
                    self.bucket_list(updated),
                    removed.collect::<Vec<_>>().join(","),
                )
            }
            Action::Data(bucket, operations) => {
                let entries = operations.iter().map(|operation| {
                    self.last_op_id += 1;
                    format!(
                        r#"{{"op_id":"{}","op":"{operation}","checksum":1,"object_type":"t","object_id":"1"}}"#,
                        self.last_op_id
                    )
                });
                let entries = entries.collect::<Vec<_>>().join(",");
                format!(r#"{{"data":{{"bucket":"{}","data":[{entries}]}}}}"#, BUCKETS[*bucket])
            }
            Action::Line(line) => line.clone(),
            _ => return None,
        })
    }

    /// Lines that bring every bucket of the checkpoint to the sum that it should have.
    fn missing_data(&mut self) -> Vec<String> {
        let Some(target) = self.host.engine.iteration().and_then(|iteration| iteration.phase.target()) else {
            return Vec::new();
        };
        let mut buckets: Vec<_> = target.all_buckets().collect();
        buckets.sort_unstable_by_key(|(name, ..)| *name);
        let data = &self.host.storage.data;
        let mut lines = Vec::new();
        for (name, _, expected) in buckets {
            let missing = expected - data.bucket(name).map_or(Checksum::ZERO, |bucket| bucket.checksum);
            if missing != Checksum::ZERO {
                self.last_op_id += 1;
                lines.push(format!(
                    r#"{{"data":{{"bucket":"{name}","data":[{{"op_id":"{}","op":"PUT","checksum":{missing}}}]}}}}"#,
                    self.last_op_id
                ));
            }
        }
        lines
    }

    fn run(&mut self, action: &Action, mode: Mode) {
        if matches!(action, Action::Checkpoint(..)) && !self.host.engine.has_iteration() {
            self.handle(Event::Start(StartOptions::default()), Mode::Commit);
        }
        let stream = |index: &usize| key(STREAMS[*index].0, STREAMS[*index].1);
        let event = match action {
            Action::Start(requests, diagnostics, streams) => Event::Start(StartOptions {
                active_streams: streams.iter().map(stream).collect(),
                checkpoint_mode: if *requests { CheckpointMode::Requests } else { CheckpointMode::Legacy },
                diagnostics: *diagnostics,
                ..StartOptions::default()
            }),
            Action::Stop => Event::Stop,
            Action::Established => Event::ConnectionEstablished,
            Action::TokenRefreshed => Event::TokenRefreshed,
            Action::UploadCompleted => Event::UploadCompleted,
            Action::StreamsInUse(streams) => Event::StreamsInUse(streams.iter().map(stream).collect()),
            Action::Subscribe(index, ttl, priority) => Event::Subscribe(Subscribe {
                stream: stream(index),
                ttl: *ttl,
                priority: priority.map(|priority| Priority::try_from(priority).unwrap()),
            }),
            Action::Unsubscribe(index) => Event::Unsubscribe(stream(index)),
            Action::Target(change) => Event::TargetRequestId(*change),
            Action::RequestId(true) => Event::SeedRequestId(5),
            Action::RequestId(false) => Event::NextRequestId,
            Action::UploadQueue(length) => return self.host.store(|data| data.upload_queue = *length),
            Action::Wait(seconds) => return self.host.storage.now += seconds * 1_000_000,
            Action::Download => {
                return self.missing_data().iter().for_each(|line| self.run_line(line, mode));
            }
            Action::Checkpoint(..) | Action::Diff(..) | Action::Data(..) | Action::Line(_) => {
                let line = self.line(action).unwrap_or_default();
                return self.run_line(&line, mode);
            }
        };
        self.handle(event, mode);
    }

    fn run_line(&mut self, line: &str, mode: Mode) {
        let mut scratch = Scratch::new();
        if let Ok(decoded) = decode_text(line, &mut scratch) {
            self.handle(Event::Line { line: decoded, size: line.len() }, mode);
        }
    }

    fn handle(&mut self, event: Event<'_>, mode: Mode) {
        let storage = &mut self.host.storage;
        storage.failing_call = None;
        if let Mode::Fail(call) = mode {
            storage.failing_call = Some(storage.calls + call);
        }
        self.host.answer_fails = mode == Mode::FailAnswer;
        let outcome = self.host.call(event);
        match (&outcome, mode) {
            (Ok(_), Mode::FailAnswer) => panic!("no answer was given"),
            (Ok(outcome), Mode::Commit | Mode::Fail(_)) => {
                self.host.storage.commit();
                if let Outcome::Instructions(_) = outcome {
                    self.check(&Instructions::new(outcome), mode);
                }
            }
            (Err(_), _) | (Ok(_), Mode::RollBack) => {
                self.host.storage.roll_back();
                self.last_status = None;
            }
        }
        if let Some(target) = self.host.engine.iteration().and_then(|iteration| iteration.phase.target()) {
            target.assert_consistent();
        }
    }

    fn check(&mut self, instructions: &Instructions, mode: Mode) {
        let kinds = instructions.kinds();
        let has = |kind| kinds.contains(&kind);
        let closes = has("CloseSyncStream");
        assert!(!closes || !self.host.engine.has_iteration());
        assert!(!closes || kinds.last() == Some(&"CloseSyncStream"));
        if has("DidCompleteSync") {
            self.check_published();
        }
        if has("UpdateSyncStatus") {
            let status = instructions.status().clone();
            check_status(&status);
            assert!(has("EstablishSyncStream") || self.last_status.as_ref() != Some(&status));
            // Ending works although a call fails, but then returns what memory holds.
            if !(closes && matches!(mode, Mode::Fail(_))) {
                self.compare_with_storage(&status);
            }
            self.last_status = Some(status);
        }
        if let Some(status) = &self.last_status {
            assert_eq!(status["connected"] == true || status["connecting"] == true, self.host.engine.has_iteration());
        }
    }

    /// What a full publish shows is exactly the checkpoint.
    fn check_published(&self) {
        let target = self.host.engine.iteration().unwrap().phase.target().unwrap();
        let data = &self.host.storage.data;
        for (name, id, checksum) in target.all_buckets() {
            match data.bucket(name) {
                Some(stored) => {
                    assert!(stored.is_settled, "{name} was not published");
                    assert_eq!(stored.checksum, checksum, "{name} is not valid");
                    assert_eq!(&data.buckets[&id.unwrap().0], stored);
                }
                None => assert_eq!(checksum.get(), 0, "{name} is not held"),
            }
        }
        assert_eq!(data.upload_queue, 0);
        let id = |key| data.request_ids.get(key).copied().unwrap_or(0);
        assert!(id("target") <= id("seen"));
    }

    fn compare_with_storage(&self, status: &Value) {
        let data = &self.host.storage.data;
        let times: Vec<_> = data.sync_times.iter().map(|(priority, time)| (*priority, *time)).collect();
        assert_eq!(super::host::sync_times(status), times);
        let streams = status["streams"].as_array().unwrap();
        assert_eq!(streams.len(), data.subscriptions.len());
        for (stream, row) in streams.iter().zip(&data.subscriptions) {
            assert_eq!(stream["name"], row.stream_name);
            assert_eq!(stream["parameters"], serde_json::from_str::<Value>(&row.parameters).unwrap());
            assert_eq!(stream["active"], row.active);
            assert_eq!(stream["is_default"], row.is_default);
            assert_eq!(stream["has_explicit_subscription"], row.ttl.is_some());
            assert_eq!(stream["last_synced_at"].as_i64(), row.last_synced_at);
            assert_eq!(stream["expires_at"].as_i64(), row.expires_at);
        }
    }
}

fn check_status(status: &Value) {
    assert!(status["connected"] == false || status["connecting"] == false);
    let is_within = |part: &Value, whole: &Value| {
        let (part, whole) = (part.as_i64().unwrap(), whole.as_i64().unwrap());
        assert!(0 <= part && part <= whole, "{status}");
    };
    if let Some(downloading) = status["downloading"].as_object() {
        assert_eq!(status["connected"], true);
        for progress in downloading["buckets"].as_object().unwrap().values() {
            is_within(&progress["since_last"], &progress["target_count"]);
        }
    }
    for stream in status["streams"].as_array().unwrap() {
        is_within(&stream["progress"]["downloaded"], &stream["progress"]["total"]);
    }
    let times = super::host::sync_times(status);
    assert!(times.is_sorted_by(|(left, _), (right, _)| left < right));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn sessions_stay_consistent(actions in prop::collection::vec((any_action(), any_mode()), 1..120)) {
        let mut session = Session::default();
        session.run(&Action::Start(false, false, Vec::new()), Mode::Commit);
        for (action, mode) in &actions {
            session.host.storage.now += 1;
            session.run(action, *mode);
        }
    }
}
