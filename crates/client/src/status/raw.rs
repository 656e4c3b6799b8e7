//! The status as the extension writes it, and how far that takes the client's.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{Download, PriorityDownload, Status, StreamStatus, SyncedPriority};

/// The number that stands for everything.
const ALL_PRIORITIES: i64 = 2_147_483_647;

/// The status as the extension writes it.
#[derive(Debug, Deserialize)]
pub(crate) struct RawStatus {
    connected: bool,
    connecting: bool,
    priority_status: Vec<RawPriority>,
    downloading: Option<RawDownload>,
    streams: Vec<RawStream>,
}

#[derive(Debug, Deserialize)]
struct RawPriority {
    priority: i64,
    last_synced_at: Option<i64>,
}

#[derive(Debug, Deserialize)]
struct RawDownload {
    buckets: BTreeMap<String, RawProgress>,
}

#[derive(Debug, Deserialize)]
struct RawProgress {
    priority: u8,
    since_last: u64,
    target_count: u64,
}

#[derive(Debug, Deserialize)]
struct RawStream {
    name: String,
    parameters: Option<Box<RawValue>>,
    priority: Option<u8>,
    active: bool,
    is_default: bool,
    has_explicit_subscription: bool,
    expires_at: Option<i64>,
    last_synced_at: Option<i64>,
    progress: RawTotal,
}

#[derive(Debug, Deserialize)]
struct RawTotal {
    total: u64,
    downloaded: u64,
}

/// Counts what is received, from one status to the next, and how long that takes.
#[derive(Debug, Default)]
pub(crate) struct Tracker {
    /// What the running download had at the last status, and when that was.
    running: Option<(u64, Instant)>,
}

impl Tracker {
    /// Puts what the extension says into the client's status.
    pub(crate) fn apply(&mut self, raw: RawStatus, status: &mut Status) {
        status.connected = raw.connected;
        status.connecting = raw.connecting;
        status.downloading = raw.downloading.map(download);
        let (operations, time) = self.received(status.downloading.as_ref());
        status.operations += operations;
        status.download_time += time;
        status.synced_priorities = raw.priority_status.iter().map(synced).collect();
        let all = status.synced_priorities.iter().find(|synced| synced.priority.is_none());
        status.first_sync = all.is_some();
        status.last_synced_at = all.and_then(|synced| synced.last_synced_at);
        status.streams = raw.streams.into_iter().map(stream).collect();
    }

    /// Operations received since the last status, and the time that it took. A download may continue where an earlier one has
    /// stopped, so its first status brings none; a service that starts a bucket over makes the number smaller.
    fn received(&mut self, download: Option<&Download>) -> (u64, Duration) {
        let now = download.map(|download| (download.downloaded, Instant::now()));
        match (std::mem::replace(&mut self.running, now), now) {
            (None, _) => (0, Duration::ZERO),
            (Some((_, since)), None) => (0, since.elapsed()),
            (Some((before, since)), Some((now, at))) => (now.saturating_sub(before), at - since),
        }
    }
}

fn download(raw: RawDownload) -> Download {
    let one = |progress: RawProgress| PriorityDownload {
        priority: progress.priority,
        downloaded: progress.since_last,
        total: progress.target_count,
    };
    let mut priorities: Vec<PriorityDownload> = raw.buckets.into_values().map(one).collect();
    priorities.sort_unstable_by_key(|one| one.priority);
    Download {
        downloaded: priorities.iter().map(|one| one.downloaded).sum(),
        total: priorities.iter().map(|one| one.total).sum(),
        priorities,
    }
}

fn synced(raw: &RawPriority) -> SyncedPriority {
    let priority = if raw.priority == ALL_PRIORITIES { None } else { u8::try_from(raw.priority).ok() };
    SyncedPriority { priority, last_synced_at: raw.last_synced_at.and_then(time) }
}

fn stream(raw: RawStream) -> StreamStatus {
    StreamStatus {
        name: raw.name,
        parameters: raw.parameters.map(|json| json.get().to_owned()),
        priority: raw.priority,
        active: raw.active,
        is_default: raw.is_default,
        has_subscription: raw.has_explicit_subscription,
        expires_at: raw.expires_at.and_then(time),
        last_synced_at: raw.last_synced_at.and_then(time),
        downloaded: raw.progress.downloaded,
        total: raw.progress.total,
    }
}

fn time(microseconds: i64) -> Option<SystemTime> {
    SystemTime::UNIX_EPOCH.checked_add(Duration::from_micros(u64::try_from(microseconds).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(downloading: &str) -> RawStatus {
        let json = format!(
            r#"{{"connected":true,"connecting":false,
                "priority_status":[{{"priority":1,"last_synced_at":2000000,"has_synced":true}},
                    {{"priority":2147483647,"last_synced_at":1000000,"has_synced":true}}],
                "downloading":{downloading},
                "streams":[{{"name":"todos","parameters":{{"list": "l1"}},"priority":2,"active":true,"is_default":false,
                    "has_explicit_subscription":true,"expires_at":3000000,"last_synced_at":null,
                    "progress":{{"total":5,"downloaded":3}}}}],"new":1}}"#
        );
        serde_json::from_str(&json).unwrap()
    }

    fn progress(numbers: [u64; 2]) -> String {
        let [first, last] = numbers;
        format!(
            r#"{{"buckets":{{"prio_2":{{"priority":2,"at_last":0,"since_last":{last},"target_count":200}},
                "prio_0":{{"priority":0,"at_last":0,"since_last":{first},"target_count":10}}}}}}"#
        )
    }

    #[test]
    fn a_status_is_read() {
        let (mut tracker, mut status) = (Tracker::default(), Status::default());
        tracker.apply(raw(&progress([10, 20])), &mut status);
        let download = status.downloading.clone().unwrap();
        assert_eq!((download.downloaded, download.total), (30, 210));
        assert_eq!(
            download.priorities.iter().map(|one| (one.priority, one.downloaded)).collect::<Vec<_>>(),
            [(0, 10), (2, 20)]
        );
        let second = |number| Some(SystemTime::UNIX_EPOCH + Duration::from_secs(number));
        assert!(status.first_sync && status.has_synced(3));
        assert_eq!(status.last_synced_at, second(1));
        let stream = status.stream("todos", Some(r#"{"list": "l1"}"#)).unwrap();
        assert_eq!((stream.expires_at, stream.last_synced_at, stream.total), (second(3), None, 5));
        assert!(status.stream("todos", None).is_none());
    }

    #[test]
    fn priorities_include_smaller_ones() {
        let synced_priorities = vec![SyncedPriority { priority: Some(1), last_synced_at: None }];
        let status = Status { synced_priorities, ..Status::default() };
        assert!(status.has_synced(0) && status.has_synced(1) && !status.has_synced(2));
    }

    #[test]
    fn operations_are_counted_once() {
        let (mut tracker, mut status) = (Tracker::default(), Status::default());
        let mut after = |downloading: &str| {
            tracker.apply(raw(downloading), &mut status);
            status.operations
        };
        assert_eq!(after("null"), 0);
        assert_eq!(after(&progress([10, 90])), 0, "received by an earlier run");
        assert_eq!(after(&progress([10, 150])), 60);
        assert_eq!(after(&progress([10, 0])), 60, "started over");
        assert_eq!(after(&progress([10, 5])), 65);
        assert_eq!(after("null"), 65);
        assert_eq!(after(&progress([0, 0])), 65);
        assert_eq!(after(&progress([1, 0])), 66);
    }
}
