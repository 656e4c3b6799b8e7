//! The narrow interface through which the state machine sees stored data: the [`Storage`] trait and the plain values
//! that cross it. `store` implements it on SQLite; tests implement it in memory.

use alloc::string::String;
use alloc::vec::Vec;

use rowtide_protocol::{Checksum, DataLine};

use crate::error::{Error, Result};
use crate::text;

/// Microseconds since 1970-01-01 UTC.
pub(crate) type Timestamp = i64;

/// The number that means "a full checkpoint" where priorities are listed (`ps_sync_state`, `priority_status`).
pub(crate) const FULL_CHECKPOINT_PRIORITY: i64 = 2_147_483_647;

/// The target checkpoint request id that means "local writes exist, no request id is known yet".
pub(crate) const UNKNOWN_REQUEST_ID: i64 = i64::MAX;

/// The id of a stored bucket (`ps_buckets.id`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct BucketId(pub i64);

/// One bucket as it is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct StoredBucket<'s> {
    /// Its id, stable until the bucket is deleted.
    pub id: BucketId,
    /// Its name.
    pub name: &'s str,
    /// The newest operation held, from which the service continues: the `after` of a request.
    pub last_op: i64,
    /// Sum of all operations received.
    pub checksum: Checksum,
    /// Operations in the bucket at the last full checkpoint.
    pub count_at_last: i64,
    /// Operations received since.
    pub count_since_last: i64,
    /// False if it holds something that a publish has to look at, or was not yet part of a full checkpoint.
    pub is_settled: bool,
    /// Whether `last_op` of full checkpoints is kept in one row for it and others ([`Storage::complete`]).
    pub is_in_checkpoint: bool,
    /// Whether an iteration with another request has made it ([`RequestFingerprint`]).
    pub is_of_other_request: bool,
}

/// Identifies what a request asks for other than buckets and subscriptions, which are the same for all iterations on a
/// file. The service gives iterations with equal ones the same buckets. Never 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct RequestFingerprint(pub i64);

/// How what an iteration remembers of stored data relates to them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IterationState {
    /// Stored data are as this iteration left them.
    Current,
    /// Another connection has changed them since. What is remembered of them has to be loaded again.
    Outdated {
        /// How far all iterations have come.
        newest: NewestCheckpoints,
        /// It was an iteration that changed them last, rather than a subscription being made or ended.
        by_iteration: bool,
    },
    /// Memory cannot follow what happened to them: a transaction with a change noted by [`Storage::track_change`] was
    /// rolled back, or the file was cleared, migrated or is to be published again.
    Ended {
        /// Another connection did that, and not for a schema, so that it may do more.
        for_other: bool,
    },
}

/// How far all iterations on a file have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct NewestCheckpoints {
    /// `last_op_id` of the newest full checkpoint that was valid.
    pub completed: i64,
    /// The largest `last_op_id` of a checkpoint that removed stored buckets.
    pub removed: i64,
}

/// An operation that counts for its bucket's checksum, but cannot be shown as it is
/// (docs/reference/protocol.md#row-data).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct UnpublishableOperation {
    /// The operation's id.
    pub op_id: i64,
    /// The row's type and id, as far as the service gave them.
    pub row_type: Option<String>,
    /// See `row_type`.
    pub row_id: Option<String>,
    /// What is wrong with it, without its data.
    pub reason: &'static str,
}

impl UnpublishableOperation {
    /// A sentence for the log, given the name of the operation's bucket.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn describe(&self, bucket: &str) -> Result<String> {
        let Self { op_id, row_type, row_id, reason } = self;
        let row_type = row_type.as_deref().unwrap_or("(no type)");
        let row_id = row_id.as_deref().unwrap_or("(no id)");
        text::format(format_args!(
            "Operation {op_id} of bucket {bucket} for {row_type} {row_id} cannot be published as it is: {reason}"
        ))
    }
}

/// What storing a data line did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredLine {
    /// The bucket that received it (made if it did not exist).
    pub bucket: BucketId,
    /// Operations that were new: all of the line but those at or below the bucket's `last_op` (delivered twice).
    pub new_operations: i64,
    /// Operations in the bucket at the last full checkpoint.
    pub count_at_last: i64,
    /// Operations received since, with those of the line.
    pub count_since_last: i64,
    /// Operations that cannot be shown as they are.
    pub unpublishable: Vec<UnpublishableOperation>,
}

/// What a data line continues.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Continuation {
    /// The newest operation that the service takes as received before the line. Where less is stored, another iteration
    /// has deleted the bucket meanwhile.
    pub after: i64,
    /// Whether the bucket may be made if there is none.
    pub may_create: bool,
}

/// A bucket of a checkpoint that changed since the last full publish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChangedBucket {
    /// The stored bucket.
    pub id: BucketId,
    /// Operations announced by the checkpoint.
    pub count: Option<i64>,
}

/// Which part of a checkpoint is being completed or published.
#[derive(Clone, Copy)]
pub(crate) enum Scope<'p> {
    /// All of it.
    Full,
    /// The buckets up to a priority number.
    Partial {
        /// Whether a bucket is among them.
        is_involved: &'p dyn Fn(BucketId) -> bool,
    },
}

/// One of the ids in `ps_kv` that say how far local writes are acknowledged (docs/reference/sync-client.md#the-gate).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RequestId {
    /// `target_checkpoint_request_id`: what the service must have seen before downloads may be published.
    Target,
    /// `last_seen_checkpoint_request_id`: the newest write checkpoint of a validated checkpoint.
    LastSeen,
    /// `last_applied_checkpoint_request_id`: the same, published.
    LastApplied,
    /// `last_requested_checkpoint_request_id`: the counter for new requests.
    LastRequested,
}

/// A row of `ps_stream_subscriptions`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StoredSubscription {
    /// The row's id.
    pub id: i64,
    /// The stream's name.
    pub stream_name: String,
    /// Exact JSON text of the parameters, `null` without.
    pub parameters: String,
    /// The service listed the stream in the last checkpoint.
    pub active: bool,
    /// The service subscribes clients to it by default.
    pub is_default: bool,
    /// Priority asked for.
    pub local_priority: Option<i64>,
    /// Seconds that an explicit subscription lives after its last use; None: not subscribed explicitly.
    pub ttl: Option<i64>,
    /// When an explicit subscription ends.
    pub expires_at: Option<Timestamp>,
    /// When a checkpoint with its buckets was last published.
    pub last_synced_at: Option<Timestamp>,
}

/// The key of a subscription that is stored or about to be; see [`StoredSubscription`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NewSubscription<'s> {
    /// The stream's name.
    pub stream_name: &'s str,
    /// Exact JSON text of the parameters, `null` without.
    pub parameters: &'s str,
}

/// A kind of what is kept for `powersync_diagnose` (docs/reference/tables.md#ps_diagnostics).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum FindingKind {
    /// How the last iteration ended. It has one subject, the empty text.
    Attempt,
    /// A bucket with a wrong checksum.
    Checksum,
    /// A stream that the service reported errors for.
    Stream,
}

/// What was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Finding<'f> {
    /// The name of the bucket or stream.
    pub subject: &'f str,
    /// A JSON object.
    pub detail: &'f str,
}

/// What the state machine asks of stored data. Every method takes part in the caller's transaction; after an error
/// the caller rolls back.
pub(crate) trait Storage {
    /// The current time, from SQLite.
    fn now(&mut self) -> Result<Timestamp>;

    /// The client's id (`ps_kv.client_id`).
    fn client_id(&mut self) -> Result<String>;

    /// Starts a new iteration, which becomes that of this connection with [`Self::adopt_iteration`]. Others that may be
    /// running on this file, also on other connections, continue.
    fn begin_iteration(&mut self, request: RequestFingerprint) -> Result<NewestCheckpoints>;

    /// The call that has begun an iteration succeeds, which is noted as a change ([`Self::track_change`]).
    fn adopt_iteration(&mut self);

    /// What is stored to be reported as warnings by the next iteration, which is then forgotten.
    fn take_warnings(&mut self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// Warnings of types that have no table, and of which rows were published. Each is given once in an iteration.
    fn take_untyped(&mut self) -> Result<Vec<String>> {
        Ok(Vec::new())
    }

    /// How the running iteration's memory relates to stored data. To be asked once per event, before anything of what
    /// iterations remember is changed: from then on this iteration counts as the one that changed it last.
    fn iteration_state(&mut self) -> Result<IterationState>;

    /// Makes sure that the end of the current transaction will be known, for [`Self::track_change`].
    fn prepare_to_note_change(&mut self) -> Result<()>;

    /// Tells that the state machine's memory now reflects changes of the current transaction.
    fn track_change(&mut self);

    /// Visits all buckets held, in id order.
    fn visit_buckets(&mut self, visit: &mut dyn FnMut(StoredBucket<'_>) -> Result<()>) -> Result<()>;

    /// Deletes a bucket with its operations; its rows are checked again by the next full publish. Nothing happens
    /// if there is none of that name.
    fn delete_bucket(&mut self, name: &str) -> Result<()>;

    /// Records that a checkpoint removed stored buckets ([`NewestCheckpoints::removed`]).
    fn record_removal(&mut self, last_op_id: i64) -> Result<()>;

    /// Keeps `last_op` of the bucket apart from that of full checkpoints, of which it is no part.
    fn leave_checkpoint(&mut self, bucket: BucketId) -> Result<()>;

    /// Sets both counters of a bucket to 0 (it shrank by compaction).
    fn reset_counts(&mut self, bucket: BucketId) -> Result<()>;

    /// Stores a data line of `line_size` bytes (docs/reference/protocol.md#operations). None, and nothing stored, if it
    /// continues what is not there.
    fn store_line(
        &mut self,
        line: &DataLine<'_>,
        line_size: usize,
        continuation: Continuation,
    ) -> Result<Option<StoredLine>>;

    /// The sum of all operations received by a bucket; 0 if it does not exist.
    fn checksum(&mut self, bucket: BucketId) -> Result<Checksum>;

    /// The newest operation held by a bucket ([`StoredBucket::last_op`]); 0 if it does not exist.
    fn last_op(&mut self, bucket: BucketId) -> Result<i64>;

    /// Sets `last_op` of the buckets of a validated checkpoint: of `changed` each, of the others of a full checkpoint
    /// in one row for all.
    fn complete(&mut self, changed: &[ChangedBucket], last_op_id: i64, scope: Scope<'_>) -> Result<()>;

    /// Publishes what `changed` buckets hold (docs/reference/sync-client.md#publishing), sets their `last_applied_op`
    /// and, in a full publish, their counts.
    fn publish(&mut self, changed: &[ChangedBucket], scope: Scope<'_>) -> Result<()>;

    /// As [`Self::publish`], but leaves out rows with local writes that were not acknowledged, until a full publish
    /// shows them. `last_applied_op` and counts stay (docs/reference/sync-client.md#the-row-wise-gate).
    fn publish_around_local_writes(&mut self, changed: &[ChangedBucket], scope: Scope<'_>) -> Result<()>;

    /// Whether no local write waits for its upload.
    fn upload_queue_is_empty(&mut self) -> Result<bool>;

    /// A log line: `event`, followed by what the closed gate waits for.
    fn explain_gate(&mut self, event: &str) -> Result<String>;

    /// One of the request ids, None if not set.
    fn request_id(&mut self, id: RequestId) -> Result<Option<i64>>;

    /// Sets or removes one of the request ids.
    fn set_request_id(&mut self, id: RequestId, value: Option<i64>) -> Result<()>;

    /// `ps_sync_state` as (priority, last_synced_at), in ascending order of the number.
    fn sync_times(&mut self) -> Result<Vec<(i64, Timestamp)>>;

    /// Records a publish of `priority` ([`FULL_CHECKPOINT_PRIORITY`] for a full one) and forgets those of smaller
    /// numbers.
    fn record_sync_time(&mut self, priority: i64, time: Timestamp) -> Result<()>;

    /// All stream subscriptions in id order. An error of local data if one cannot be read.
    fn subscriptions(&mut self) -> Result<Vec<StoredSubscription>>;

    /// Deletes the subscriptions that [`Self::subscriptions`] cannot read, and says of each what is wrong.
    fn delete_unreadable_subscriptions(&mut self) -> Result<Vec<Error>>;

    /// The subscription with this name and these parameters, None if there is none.
    fn find_subscription(&mut self, subscription: NewSubscription<'_>) -> Result<Option<StoredSubscription>>;

    /// Inserts a subscription with no further properties, or finds the one with equal name and parameters.
    fn find_or_insert_subscription(&mut self, subscription: NewSubscription<'_>) -> Result<StoredSubscription>;

    /// Writes what the app decides of the subscription with that id: `ttl`, `expires_at` and `local_priority`. It was
    /// read in this transaction, for other connections decide too.
    fn update_explicit_subscription(&mut self, subscription: &StoredSubscription) -> Result<()>;

    /// Writes what a checkpoint says of the subscription with that id.
    fn describe_subscription(&mut self, id: i64, active: bool, is_default: bool) -> Result<()>;

    /// Sets the `last_synced_at` of the subscription with that id.
    fn record_subscription_sync(&mut self, id: i64, time: Timestamp) -> Result<()>;

    /// Deletes a subscription.
    fn delete_subscription(&mut self, id: i64) -> Result<()>;

    /// Keeps what was found, and counts how often in a row. Deletes what was found earlier of that kind and is not found
    /// now, as far as `is_looked_at` says so of its subject.
    fn record_findings(
        &mut self,
        kind: FindingKind,
        found: &[Finding<'_>],
        is_looked_at: &dyn Fn(&str) -> bool,
    ) -> Result<()>;
}
