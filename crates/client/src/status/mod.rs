//! What the client is doing, and how far it is.

mod cell;
mod raw;

use std::time::{Duration, SystemTime};

pub use self::cell::Statuses;
pub(crate) use self::cell::{StatusCell, Wait};
pub(crate) use self::raw::{RawStatus, Tracker};

/// What the client is doing. A new one is made whenever something changes.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct Status {
    /// The service answers.
    pub connected: bool,
    /// The request is sent, and the service has not answered yet.
    pub connecting: bool,
    /// The checkpoint that is being downloaded.
    pub downloading: Option<Download>,
    /// Local writes are being uploaded.
    pub uploading: bool,
    /// Everything has synced once, now or in an earlier run.
    pub first_sync: bool,
    /// When everything was synced the last time.
    pub last_synced_at: Option<SystemTime>,
    /// Priorities that were published, and when. Publishing one includes all smaller numbers.
    pub synced_priorities: Vec<SyncedPriority>,
    /// The streams that the app or the service has chosen.
    pub streams: Vec<StreamStatus>,
    /// Why nothing is downloaded, and what can be done. None as soon as it works again.
    pub download_error: Option<String>,
    /// Why local writes are not uploaded, and what can be done.
    pub upload_error: Option<String>,
    /// A transaction that the backend refuses, and leaves to the app. It blocks the queue.
    pub blocked_by: Option<BlockedUpload>,
    /// Another process syncs this file. This one takes over when that one ends.
    pub waits_for_lock: bool,
    /// A checkpoint is here, and waits until local writes are uploaded.
    pub waits_for_upload: bool,
    /// Local writes that were not uploaded yet, when the client looked last.
    pub queued: u64,
    /// Transactions that the backend has refused since the client was opened. They are in `powersync_rejected`.
    pub rejected: u64,
    /// Checkpoints published since the client was opened.
    pub checkpoints: u64,
    /// Operations received since the client was opened.
    pub operations: u64,
    /// Time spent with downloads since the client was opened: from the line that announces one to the line that completes it.
    pub download_time: Duration,
    /// Failures to download in a row. A complete checkpoint ends the row.
    pub failures: u32,
    /// Failures to upload in a row. An upload that succeeds ends the row.
    pub upload_failures: u32,
    /// The service has answered, and will not have this client as it is: trying again does not help by itself.
    pub refused: bool,
    /// The client is closed.
    pub closed: bool,
}

/// How far the download of a checkpoint is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Download {
    /// Operations received.
    pub downloaded: u64,
    /// Operations that the service has announced.
    pub total: u64,
    /// The same for each priority, the most urgent first.
    pub priorities: Vec<PriorityDownload>,
}

/// How far the download of one priority is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct PriorityDownload {
    /// 0 is the most urgent one.
    pub priority: u8,
    /// Operations received.
    pub downloaded: u64,
    /// Operations that the service has announced.
    pub total: u64,
}

/// A priority that was published.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct SyncedPriority {
    /// None: everything.
    pub priority: Option<u8>,
    /// When.
    pub last_synced_at: Option<SystemTime>,
}

/// A stream that the app or the service has chosen.
#[derive(Clone, Debug, Default, PartialEq)]
#[non_exhaustive]
pub struct StreamStatus {
    /// Its name.
    pub name: String,
    /// The text of its parameters, as they were given.
    pub parameters: Option<String>,
    /// The largest number of its buckets.
    pub priority: Option<u8>,
    /// Whether the service listed it in the last checkpoint.
    pub active: bool,
    /// Whether clients get it without a subscription.
    pub is_default: bool,
    /// Whether the app has subscribed to it.
    pub has_subscription: bool,
    /// When the subscription ends.
    pub expires_at: Option<SystemTime>,
    /// When it was published the last time.
    pub last_synced_at: Option<SystemTime>,
    /// Operations received of the download.
    pub downloaded: u64,
    /// Operations announced for the download.
    pub total: u64,
}

/// A transaction that blocks the queue until the app has decided.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BlockedUpload {
    /// Its number in the queue, for `powersync_crud_reject`.
    pub transaction_id: String,
    /// The backend's name for the reason.
    pub error_code: String,
    /// What is wrong.
    pub message: Option<String>,
}

impl Status {
    /// Whether everything up to this priority was published once.
    pub fn has_synced(&self, priority: u8) -> bool {
        self.synced_priorities.iter().any(|synced| synced.priority.is_none_or(|number| number >= priority))
    }

    /// A stream by its name and the text of its parameters.
    pub fn stream(&self, name: &str, parameters: Option<&str>) -> Option<&StreamStatus> {
        self.streams.iter().find(|stream| stream.name == name && stream.parameters.as_deref() == parameters)
    }
}
