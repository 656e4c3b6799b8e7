//! The sync protocol as plain Rust: lines from JSON and BSON, checksums and priorities. No SQLite, no state.
//!
//! [`decode_text`] and [`decode_binary`] turn a line into a [`SyncLine`] that borrows from it. Both feed one decoder
//! (`decode`) through a pull reader (`reader`), so that the two encodings cannot differ in what they accept.
//!
//! A separate crate, because it is what runs for each operation of a line: it is compiled for size and speed, the
//! core for size alone.
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;
#[cfg(test)]
extern crate std;

mod bson_reader;
mod checksum;
mod decode;
mod error;
mod json_reader;
mod line;
mod priority;
mod reader;
mod scratch;
#[cfg(test)]
mod tests;

pub use checksum::Checksum;
pub use decode::{decode_binary, decode_text};
pub use error::{ProtocolError, ProtocolErrorKind, Result};
pub use line::{
    BucketChecksum, Checkpoint, CheckpointComplete, CheckpointDiff, DataLine, Operation, OplogEntry,
    PartialCheckpointComplete, StreamDescription, StreamError, SubscriptionReason, SubscriptionReference, SyncLine,
};
pub use priority::{Priority, PriorityOutOfRange};
pub use reader::{Failed, Reader, read_argument, required};
pub use scratch::Scratch;
