//! What a line of the sync stream says: the shapes of the sync protocol, borrowed from the line.

use alloc::vec::Vec;

use super::checksum::Checksum;
use super::priority::Priority;

/// One line of the sync stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SyncLine<'a> {
    /// A new target.
    Checkpoint(Checkpoint<'a>),
    /// A change to the current target.
    CheckpointDiff(CheckpointDiff<'a>),
    /// Operations of one bucket.
    Data(DataLine<'a>),
    /// All data for the target was sent.
    CheckpointComplete(CheckpointComplete),
    /// All data for the more urgent buckets was sent.
    PartialCheckpointComplete(PartialCheckpointComplete),
    /// Nothing new.
    KeepAlive {
        /// Seconds until the token that opened the stream expires. May be zero or negative.
        token_expires_in: i64,
    },
    /// A line of a kind that this version does not know, whatever its value.
    Unknown {
        /// The name of the line's only member.
        name: &'a str,
    },
}

/// A new target (docs/reference/protocol.md#checkpoints).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Checkpoint<'a> {
    /// The id of the last operation in the checkpoint.
    pub last_op_id: i64,
    /// The write checkpoint that this checkpoint includes.
    pub write_checkpoint: Option<i64>,
    /// Every bucket of the target.
    pub buckets: Vec<BucketChecksum<'a>>,
    /// The streams that are part of the target; empty when the service sends none.
    pub streams: Vec<StreamDescription<'a>>,
}

/// A change to the current target (docs/reference/protocol.md#checkpoints).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckpointDiff<'a> {
    /// The id of the last operation in the changed checkpoint.
    pub last_op_id: i64,
    /// The write checkpoint that the changed checkpoint includes.
    pub write_checkpoint: Option<i64>,
    /// Buckets to replace or add.
    pub updated_buckets: Vec<BucketChecksum<'a>>,
    /// Names of buckets to remove.
    pub removed_buckets: Vec<&'a str>,
}

/// A bucket of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketChecksum<'a> {
    /// The opaque name of the bucket.
    pub bucket: &'a str,
    /// The sum over the bucket's operations.
    pub checksum: Checksum,
    /// How urgently the bucket is published.
    pub priority: Priority,
    /// The number of operations, for information. Never negative; a number above [`i64::MAX`] saturates.
    pub count: Option<i64>,
    /// Why the bucket is part of the target, as sent: the same reason may occur twice.
    pub subscriptions: Vec<SubscriptionReason>,
}

/// Why a bucket is part of a target.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubscriptionReason {
    /// Because of the default stream with this index in [`Checkpoint::streams`].
    Default(usize),
    /// Because of the subscription with this index in the request.
    Subscription(usize),
}

/// A stream of a target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamDescription<'a> {
    /// The name of the stream.
    pub name: &'a str,
    /// Whether clients get the stream without subscribing.
    pub is_default: bool,
    /// What went wrong when the service evaluated the stream for this client.
    pub errors: Vec<StreamError<'a>>,
}

/// Why a stream could not be evaluated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StreamError<'a> {
    /// The subscription that the error belongs to.
    pub subscription: SubscriptionReference,
    /// What the service says about it.
    pub message: &'a str,
}

/// A subscription as an error names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SubscriptionReference {
    /// The default subscription of the stream.
    Default,
    /// The subscription with this index in the request.
    Index(usize),
}

/// Operations of one bucket (docs/reference/protocol.md#data).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DataLine<'a> {
    /// The opaque name of the bucket.
    pub bucket: &'a str,
    /// The operations, in the order of the line.
    pub entries: Vec<OplogEntry<'a>>,
}

/// One operation of a bucket (docs/reference/protocol.md#operations).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OplogEntry<'a> {
    /// The id of the operation, 0 to 2⁶³−1.
    pub op_id: i64,
    /// What the operation does.
    pub operation: Operation,
    /// The checksum of the operation as sent.
    pub checksum: Checksum,
    /// The type of the row (`object_type`).
    pub row_type: Option<&'a str>,
    /// The id of the row (`object_id`).
    pub row_id: Option<&'a str>,
    /// Tells versions of one row apart that come from different sources.
    pub subkey: Option<&'a str>,
    /// The row as JSON text, exactly as sent: see [`publishable`](rowtide_json::publishable) before showing it to SQLite.
    pub data: Option<&'a str>,
}

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Stores a version of a row.
    Put,
    /// Removes the version of a row.
    Remove,
    /// Stands in for an operation that was superseded.
    Move,
    /// Removes everything before it.
    Clear,
}

/// All data for the target was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CheckpointComplete {
    /// The operation id of the target.
    pub last_op_id: i64,
}

/// All data for the buckets of a priority, and of more urgent ones, was sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartialCheckpointComplete {
    /// The operation id of the target.
    pub last_op_id: i64,
    /// The least urgent priority that is complete.
    pub priority: Priority,
}
