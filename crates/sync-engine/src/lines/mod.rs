//! Lines of the sync stream, and their two encodings.
//!
//! A [`Line`] is an object with one member. [`Encoding::write`] appends it to a byte buffer: as JSON with a line feed, or
//! as a BSON document. The text of `data` is copied, never parsed.

mod bson;
mod json;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use crate::store::{OpId, Operation};

/// One line of a sync stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line<'a> {
    /// All that a client is to have.
    Checkpoint {
        /// The last operation in it.
        last_op_id: OpId,
        /// The last acknowledged write checkpoint, if there is one.
        write_checkpoint: Option<i64>,
        /// All buckets.
        buckets: Vec<BucketSummary<'a>>,
        /// All streams that the request reaches.
        streams: &'a [StreamSummary],
    },
    /// What has changed since the last checkpoint or diff.
    CheckpointDiff {
        /// The last operation in it.
        last_op_id: OpId,
        /// The last acknowledged write checkpoint, if there is one.
        write_checkpoint: Option<i64>,
        /// Buckets that are gone.
        removed_buckets: Vec<BucketName<'a>>,
        /// Buckets that are new or changed.
        updated_buckets: Vec<BucketSummary<'a>>,
    },
    /// Operations of one bucket.
    Data {
        /// Which one.
        bucket: BucketName<'a>,
        /// They come after this one.
        after: OpId,
        /// Whether more of this bucket follow.
        has_more: bool,
        /// In order.
        operations: Vec<Operation>,
        /// The last of them.
        next_after: OpId,
    },
    /// The client has everything.
    CheckpointComplete {
        /// The last operation of the checkpoint.
        last_op_id: OpId,
    },
    /// The client has all buckets up to a priority.
    PartialCheckpointComplete {
        /// The last operation of the checkpoint.
        last_op_id: OpId,
        /// The least urgent priority that is complete.
        priority: u8,
    },
    /// Seconds until the token expires.
    TokenExpiresIn(i64),
}

/// The name of a bucket, in two parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketName<'a> {
    /// What names of its definition begin with.
    pub prefix: &'a str,
    /// Its key.
    pub key: Arc<str>,
}

/// A bucket as checkpoint lines list it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketSummary<'a> {
    /// Its name.
    pub name: BucketName<'a>,
    /// The sum of its checksums, which wraps.
    pub checksum: u32,
    /// How many operations it has.
    pub count: i64,
    /// 0 (most urgent) to 3.
    pub priority: u8,
    /// Why the client has it.
    pub reasons: &'a [Reason],
}

/// Why a client has a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// A default stream: its number in the `streams` of the checkpoint.
    Default(u32),
    /// A subscription: its number in the request.
    Subscription(u32),
}

/// A stream as checkpoint lines list it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSummary {
    /// Its name.
    pub name: Box<str>,
    /// Whether clients get it without asking.
    pub is_default: bool,
    /// What could not be evaluated.
    pub errors: Vec<StreamProblem>,
}

/// What could not be evaluated in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamProblem {
    /// The number of the subscription in the request; none is the default one.
    pub subscription: Option<u32>,
    /// For people.
    pub message: Box<str>,
}

/// How lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// A JSON text and a line feed for each line.
    Json {
        /// Whether the data of operations are strings that hold JSON, else objects.
        raw_data: bool,
    },
    /// BSON documents without separators. The data of operations are strings.
    Bson,
}

/// A line is longer than BSON permits (2 GiB).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LineTooLong;

impl fmt::Display for LineTooLong {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a line of the sync stream is longer than 2 GiB; smaller rows avoid that")
    }
}

impl std::error::Error for LineTooLong {}

impl Encoding {
    /// Appends a line.
    ///
    /// # Errors
    /// The line does not fit; the buffer is as before.
    pub fn write(self, line: &Line<'_>, out: &mut Vec<u8>) -> Result<(), LineTooLong> {
        let before = out.len();
        let written = match self {
            Encoding::Json { raw_data } => {
                json::write(line, raw_data, out);
                Ok(())
            }
            Encoding::Bson => bson::write(line, out),
        };
        if written.is_err() {
            out.truncate(before);
        }
        written
    }
}
