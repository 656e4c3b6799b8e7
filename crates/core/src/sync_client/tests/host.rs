//! Plays the SDK: one transaction per call, committed after success and rolled back after an error.

use std::format;
use std::string::{String, ToString};
use std::vec::Vec;

use rowtide_protocol::{Priority, Scratch, decode_text};
use serde_json::Value;

use super::memory_storage::{Data, MemoryStorage};
use crate::error::{Error, ErrorKind, Result};
use crate::sync_client::{Engine, Event, Outcome, StartOptions, StreamKey, Subscribe, to_json};

#[derive(Default)]
pub(super) struct Host {
    pub engine: Engine,
    pub storage: MemoryStorage,
    /// Whether the next answer cannot be given.
    pub answer_fails: bool,
}

impl Host {
    /// A host with a running iteration that did not hear from the service yet.
    pub(super) fn started() -> Self {
        Self::started_with(StartOptions::default())
    }

    pub(super) fn started_with(options: StartOptions) -> Self {
        let mut host = Self::default();
        host.run(Event::Start(options));
        host
    }

    /// Handles an event in a transaction.
    pub(super) fn handle(&mut self, event: Event<'_>) -> Result<Outcome> {
        self.storage.now += 1;
        let outcome = self.call(event);
        match outcome {
            Ok(_) => self.storage.commit(),
            Err(_) => self.storage.roll_back(),
        }
        outcome
    }

    /// Handles an event in a transaction that stays open.
    pub(super) fn call(&mut self, event: Event<'_>) -> Result<Outcome> {
        let fails = core::mem::take(&mut self.answer_fails);
        self.storage.begin();
        let mut given = None;
        let outcome = self.engine.handle(event, &mut self.storage, &mut |outcome| match fails {
            true => Err(Error::new(ErrorKind::Abort, "this answer was made to fail")),
            false => {
                assert!(given.replace(outcome.clone()).is_none(), "two answers");
                Ok(())
            }
        });
        assert_eq!(given, outcome.as_ref().ok().cloned());
        outcome
    }

    /// The instructions that an event leads to.
    pub(super) fn run(&mut self, event: Event<'_>) -> Instructions {
        Instructions::new(&self.handle(event).unwrap())
    }

    /// Handles a line.
    pub(super) fn try_line(&mut self, line: &str) -> Result<Outcome> {
        let mut scratch = Scratch::new();
        let decoded = decode_text(line, &mut scratch)?;
        self.handle(Event::Line { line: decoded, size: line.len() })
    }

    /// The instructions that a line leads to.
    pub(super) fn line(&mut self, line: &str) -> Instructions {
        Instructions::new(&self.try_line(line).unwrap())
    }

    /// Several lines, of which only the last one's instructions matter.
    pub(super) fn lines<const N: usize>(&mut self, lines: [String; N]) -> Instructions {
        lines.map(|line| self.line(&line)).into_iter().next_back().unwrap()
    }

    /// Changes stored data as the app, the SDK or another connection would.
    pub(super) fn store(&mut self, change: impl FnOnce(&mut Data)) {
        change(&mut self.storage.data);
        self.storage.commit();
    }

    /// Handles an event in a transaction that is rolled back although the call succeeded.
    pub(super) fn run_and_roll_back(&mut self, event: Event<'_>) {
        self.call(event).unwrap();
        self.storage.roll_back();
    }

    pub(super) fn subscribe(&mut self, name: &str, parameters: &str, ttl: Option<i64>, priority: Option<i64>) {
        let priority = priority.map(|priority| Priority::try_from(priority).unwrap());
        let outcome = self.handle(Event::Subscribe(Subscribe { stream: key(name, parameters), ttl, priority }));
        assert_eq!(outcome.unwrap(), Outcome::Nothing);
    }

    pub(super) fn unsubscribe(&mut self, name: &str, parameters: &str) {
        assert_eq!(self.handle(Event::Unsubscribe(key(name, parameters))).unwrap(), Outcome::Nothing);
    }

    /// Names of what was published since the last call.
    pub(super) fn published(&mut self) -> Vec<(&'static str, Vec<String>)> {
        let published = core::mem::take(&mut self.storage.data.published);
        self.storage.commit();
        published
    }
}

pub(super) fn key(name: &str, parameters: &str) -> StreamKey {
    StreamKey { name: name.to_string(), parameters: parameters.to_string() }
}

/// The instructions of one call, read back from their JSON text.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Instructions(pub Vec<(String, Value)>);

impl Instructions {
    pub(super) fn new(outcome: &Outcome) -> Self {
        let Outcome::Instructions(instructions) = outcome else { panic!("no instructions: {outcome:?}") };
        let json: Vec<Value> = serde_json::from_str(&to_json(instructions).unwrap()).unwrap();
        let instructions = json.into_iter().map(|instruction| {
            let Value::Object(object) = instruction else { panic!("{instruction}") };
            let mut members = object.into_iter();
            let member = members.next().unwrap();
            assert!(members.next().is_none(), "an instruction has one member");
            member
        });
        Self(instructions.collect())
    }

    /// The kinds of instructions in their order.
    pub(super) fn kinds(&self) -> Vec<&str> {
        self.0.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// The only instruction of that kind.
    #[track_caller]
    pub(super) fn get(&self, kind: &str) -> &Value {
        let mut found = self.0.iter().filter(|(name, _)| name == kind);
        let (_, value) = found.next().unwrap_or_else(|| panic!("no {kind} in {self:?}"));
        assert!(found.next().is_none(), "more than one {kind}");
        value
    }

    #[track_caller]
    pub(super) fn status(&self) -> &Value {
        &self.get("UpdateSyncStatus")["status"]
    }

    /// The log lines with their severity: `DEBUG text`.
    pub(super) fn log(&self) -> Vec<String> {
        let lines = self.0.iter().filter(|(name, _)| name == "LogLine");
        lines
            .map(|(_, line)| format!("{} {}", line["severity"].as_str().unwrap(), line["line"].as_str().unwrap()))
            .collect()
    }

    /// The line of the only log line, after asserting its severity.
    #[track_caller]
    pub(super) fn log_line(&self, severity: &str) -> &str {
        let line = self.get("LogLine");
        assert_eq!(line["severity"], severity);
        line["line"].as_str().unwrap()
    }

    /// Asserts that the iteration ended, and gives the last status.
    #[track_caller]
    pub(super) fn closed(&self, hide_disconnect: bool) -> &Value {
        let (kind, close) = self.0.last().unwrap_or_else(|| panic!("nothing closed"));
        assert_eq!((kind.as_str(), &close["hide_disconnect"]), ("CloseSyncStream", &Value::Bool(hide_disconnect)));
        let status = self.status();
        assert_eq!((&status["connected"], &status["connecting"]), (&Value::Bool(false), &Value::Bool(false)));
        assert_eq!(status["downloading"], Value::Null);
        status
    }
}

/// `(priority, since_last, target_count)` of a status that is downloading.
#[track_caller]
pub(super) fn downloading(status: &Value) -> Vec<(i64, i64, i64)> {
    let buckets = status["downloading"]["buckets"].as_object().expect("a status that is downloading");
    let progress = buckets.iter().map(|(name, progress)| {
        let number = |member: &str| progress[member].as_i64().unwrap();
        assert_eq!(name, &format!("prio_{}", number("priority")));
        assert_eq!(number("at_last"), 0);
        (number("priority"), number("since_last"), number("target_count"))
    });
    progress.collect()
}

/// Priorities in `priority_status`, in order, with their times.
pub(super) fn sync_times(status: &Value) -> Vec<(i64, i64)> {
    let entries = status["priority_status"].as_array().unwrap().iter();
    entries
        .map(|entry| {
            assert_eq!(entry["has_synced"], Value::Bool(true));
            (entry["priority"].as_i64().unwrap(), entry["last_synced_at"].as_i64().unwrap())
        })
        .collect()
}

/// A checkpoint line with buckets `(name, checksum, priority, count)`.
pub(super) fn checkpoint(last_op_id: i64, write_checkpoint: Option<i64>, buckets: &[(&str, i64, i64, i64)]) -> String {
    let buckets = bucket_list(buckets);
    let write_checkpoint = write_checkpoint.map_or("null".into(), |id| format!("\"{id}\""));
    format!(
        r#"{{"checkpoint":{{"last_op_id":"{last_op_id}","write_checkpoint":{write_checkpoint},"buckets":[{buckets}]}}}}"#
    )
}

/// A checkpoint line whose buckets and streams are JSON text.
pub(super) fn checkpoint_with_streams(last_op_id: i64, buckets: &str, streams: &str) -> String {
    format!(r#"{{"checkpoint":{{"last_op_id":"{last_op_id}","buckets":[{buckets}],"streams":[{streams}]}}}}"#)
}

/// A diff line.
pub(super) fn diff(
    last_op_id: i64,
    write_checkpoint: Option<i64>,
    updated: &[(&str, i64, i64, i64)],
    removed: &[&str],
) -> String {
    let updated = bucket_list(updated);
    let removed: Vec<_> = removed.iter().map(|name| format!("{name:?}")).collect();
    let (removed, write_checkpoint) =
        (removed.join(","), write_checkpoint.map_or("null".into(), |id| format!("\"{id}\"")));
    format!(
        r#"{{"checkpoint_diff":{{"last_op_id":"{last_op_id}","write_checkpoint":{write_checkpoint},"updated_buckets":[{updated}],"removed_buckets":[{removed}]}}}}"#
    )
}

fn bucket_list(buckets: &[(&str, i64, i64, i64)]) -> String {
    let buckets = buckets.iter().map(|(name, checksum, priority, count)| {
        format!(r#"{{"bucket":{name:?},"checksum":{checksum},"priority":{priority},"count":{count}}}"#)
    });
    buckets.collect::<Vec<_>>().join(",")
}

/// A data line with PUT operations, each with checksum 1.
pub(super) fn data(bucket: &str, op_ids: &[i64]) -> String {
    let entries = op_ids.iter().map(|op_id| {
        format!(
            r#"{{"op_id":"{op_id}","op":"PUT","checksum":1,"object_type":"t","object_id":"r{op_id}","data":"{{\"n\":1}}"}}"#
        )
    });
    let entries = entries.collect::<Vec<_>>().join(",");
    format!(r#"{{"data":{{"bucket":{bucket:?},"data":[{entries}]}}}}"#)
}

pub(super) fn complete(last_op_id: i64) -> String {
    format!(r#"{{"checkpoint_complete":{{"last_op_id":"{last_op_id}"}}}}"#)
}

pub(super) fn partial(last_op_id: i64, priority: i64) -> String {
    format!(r#"{{"partial_checkpoint_complete":{{"last_op_id":"{last_op_id}","priority":{priority}}}}}"#)
}

pub(super) fn keep_alive(seconds: i64) -> String {
    format!(r#"{{"token_expires_in":{seconds}}}"#)
}
