//! The sync status that apps see, and its JSON text (docs/reference/status.md#members).
//!
//! The text is made from sums that are kept up to date, in time proportional to priorities and streams. Its parts
//! always come in the same order: priorities by number, streams by row.

use alloc::string::String;
use alloc::vec::Vec;

use rowtide_json::writer::Json;

use super::instruction::BucketProgress;
use super::progress::{ProgressSums, Sum};
use super::streams::{StreamRow, unrelated};
use crate::error::Result;
use crate::sync_client::storage::{FULL_CHECKPOINT_PRIORITY, Storage, Timestamp};

/// What a status says about the connection and about what was published.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Status {
    /// Whether the connection to the service is established.
    pub connection: Connection,
    /// Priorities published, with the time, in ascending order of the number.
    pub sync_times: Vec<(i64, Timestamp)>,
    /// Whether a checkpoint is being downloaded.
    pub is_downloading: bool,
    /// The write checkpoint of the last full publish of this iteration.
    pub last_applied_request_id: Option<i64>,
}

/// Whether the connection to the service is established.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum Connection {
    /// No iteration is running.
    #[default]
    Disconnected,
    /// The service did not answer yet.
    Connecting,
    /// The service answers.
    Connected,
}

impl Status {
    /// A copy.
    pub(super) fn copy(&self) -> Result<Self> {
        let mut sync_times = Vec::new();
        // A publish adds one.
        sync_times.try_reserve_exact(self.sync_times.len().saturating_add(1))?;
        sync_times.extend_from_slice(&self.sync_times);
        Ok(Self { sync_times, ..*self })
    }

    /// Notes a publish of `priority`, which includes all of smaller numbers.
    pub(super) fn record_sync(&mut self, priority: i64, time: Timestamp) {
        self.sync_times.retain(|(published, _)| *published > priority);
        self.sync_times.insert(0, (priority, time));
    }

    /// Notes a publish of everything.
    pub(super) fn record_full_sync(&mut self, time: Timestamp, request_id: Option<i64>) {
        self.record_sync(FULL_CHECKPOINT_PRIORITY, time);
        self.is_downloading = false;
        self.last_applied_request_id = request_id;
    }

    /// Notes that the iteration ended.
    pub(super) fn disconnect(&mut self) {
        self.connection = Connection::Disconnected;
        self.is_downloading = false;
        self.last_applied_request_id = None;
    }

    /// The status as JSON text, with `progress` of the buckets of the current checkpoint.
    pub(super) fn to_json(&self, streams: &[StreamRow], progress: &ProgressSums) -> rowtide_json::Result<String> {
        let mut json = Json::with_room();
        json.bool(r#"{"connected":"#, self.connection == Connection::Connected);
        json.bool(r#","connecting":"#, self.connection == Connection::Connecting);
        self.write_sync_times(&mut json);
        self.write_downloading(&mut json, progress);
        json.raw(r#","streams":["#);
        for row in streams {
            json.comma();
            self.write_stream(&mut json, row, progress);
        }
        json.raw("]");
        if let Some(id) = self.last_applied_request_id {
            json.id(r#","internal_last_applied_checkpoint_request_id":"#, id);
        }
        json.raw("}");
        json.finish()
    }

    fn write_sync_times(&self, json: &mut Json) {
        json.raw(r#","priority_status":["#);
        for (priority, time) in &self.sync_times {
            json.comma();
            json.integer(r#"{"priority":"#, *priority);
            json.integer(r#","last_synced_at":"#, *time);
            json.raw(r#","has_synced":true}"#);
        }
        json.raw("]");
    }

    fn write_downloading(&self, json: &mut Json, progress: &ProgressSums) {
        if !self.is_downloading {
            json.raw(r#","downloading":null"#);
            return;
        }
        json.raw(r#","downloading":{"buckets":{"#);
        for (priority, sum) in progress.priorities() {
            json.comma();
            json.integer(r#""prio_"#, priority.into());
            json.raw(r#"":"#);
            let (since_last, target_count) = (sum.downloaded(), sum.total());
            BucketProgress { priority, at_last: 0, since_last, target_count }.write(json);
        }
        json.raw("}}");
    }

    fn write_stream(&self, json: &mut Json, row: &StreamRow, progress: &ProgressSums) {
        let stored = &row.stored;
        json.string(r#"{"name":"#, &stored.stream_name);
        json.json(r#","parameters":"#, &stored.parameters);
        json.optional_integer(r#","priority":"#, row.priority(progress).map(i64::from));
        json.bool(r#","active":"#, stored.active);
        json.bool(r#","is_default":"#, stored.is_default);
        json.bool(r#","has_explicit_subscription":"#, stored.ttl.is_some());
        json.optional_integer(r#","expires_at":"#, stored.expires_at);
        json.optional_integer(r#","last_synced_at":"#, stored.last_synced_at);
        let sum = match row.reason {
            Some(reason) if self.is_downloading => progress.of_reason(reason).sum,
            _ => Sum::default(),
        };
        json.integer(r#","progress":{"total":"#, sum.total());
        json.integer(r#","downloaded":"#, sum.downloaded());
        json.raw("}}");
    }
}

/// The status JSON from stored data alone, without an iteration
/// (docs/reference/functions.md#powersync_offline_sync_status).
///
/// # Errors
/// Those of `storage`; out of memory.
pub(crate) fn offline_status(storage: &mut dyn Storage) -> Result<String> {
    let status = Status { sync_times: storage.sync_times()?, ..Status::default() };
    let rows = unrelated(storage.subscriptions()?)?;
    Ok(status.to_json(&rows, &ProgressSums::default())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync_client::storage::StoredSubscription;
    use std::vec;

    #[test]
    fn a_publish_replaces_the_times_of_smaller_numbers() {
        let mut status =
            Status { sync_times: vec![(0, 1), (1, 2), (3, 3), (FULL_CHECKPOINT_PRIORITY, 4)], ..Status::default() };
        status.record_sync(2, 5);
        assert_eq!(status.sync_times, [(2, 5), (3, 3), (FULL_CHECKPOINT_PRIORITY, 4)]);
        status.record_sync(2, 6);
        assert_eq!(status.sync_times, [(2, 6), (3, 3), (FULL_CHECKPOINT_PRIORITY, 4)]);
        status.record_full_sync(7, Some(9));
        assert_eq!(status.sync_times, [(FULL_CHECKPOINT_PRIORITY, 7)]);
        assert_eq!(status.last_applied_request_id, Some(9));
        status.disconnect();
        assert_eq!(status.last_applied_request_id, None);
    }

    #[test]
    fn members_are_in_the_published_order() {
        let stored = StoredSubscription {
            id: 1,
            stream_name: "s\"1".into(),
            parameters: r#"{"a" : 1.0}"#.into(),
            active: true,
            is_default: false,
            local_priority: Some(0),
            ttl: Some(100),
            expires_at: Some(5),
            last_synced_at: None,
        };
        let status = Status {
            connection: Connection::Connected,
            sync_times: vec![(1, 10)],
            is_downloading: true,
            last_applied_request_id: Some(3),
        };
        assert_eq!(
            status.to_json(&[StreamRow::unrelated(stored)], &ProgressSums::default()).unwrap(),
            concat!(
                r#"{"connected":true,"connecting":false,"#,
                r#""priority_status":[{"priority":1,"last_synced_at":10,"has_synced":true}],"#,
                r#""downloading":{"buckets":{}},"#,
                r#""streams":[{"name":"s\"1","parameters":{"a" : 1.0},"priority":null,"active":true,"is_default":false,"#,
                r#""has_explicit_subscription":true,"expires_at":5,"last_synced_at":null,"#,
                r#""progress":{"total":0,"downloaded":0}}],"#,
                r#""internal_last_applied_checkpoint_request_id":"3"}"#,
            )
        );
        let nothing = Status::default().to_json(&[], &ProgressSums::default()).unwrap();
        let expected = r#"{"connected":false,"connecting":false,"priority_status":[],"downloading":null,"streams":[]}"#;
        assert_eq!(nothing, expected);
    }
}
