//! Lines as BSON documents.
//!
//! Our own writer, because it copies names and `data` straight into the buffer of the connection: a line has up to
//! 1,000 operations of seven members, and a document tree of them would be built only to be walked once. Tests read what
//! it writes with the crate `bson`.

use super::{BucketName, BucketSummary, Line, LineTooLong, Reason, StreamSummary};
use crate::store::{OpKind, Operation, OutputRow};

const DOUBLE: u8 = 0x01;
const STRING: u8 = 0x02;
const DOCUMENT: u8 = 0x03;
const ARRAY: u8 = 0x04;
const BOOLEAN: u8 = 0x08;
const NULL: u8 = 0x0a;
const INT32: u8 = 0x10;
const INT64: u8 = 0x12;

type Written = Result<(), LineTooLong>;

/// Appends the line.
pub(super) fn write(line: &Line<'_>, out: &mut Vec<u8>) -> Written {
    let mut writer = Writer { out };
    writer.block(|w| match line {
        Line::Checkpoint { last_op_id, write_checkpoint, buckets, streams } => w.document("checkpoint", |w| {
            w.head(*last_op_id, *write_checkpoint)?;
            w.documents("buckets", buckets, Writer::bucket)?;
            w.documents("streams", streams, Writer::stream)
        }),
        Line::CheckpointDiff { last_op_id, write_checkpoint, removed_buckets, updated_buckets } => {
            w.document("checkpoint_diff", |w| {
                w.head(*last_op_id, *write_checkpoint)?;
                w.element(ARRAY, "removed_buckets");
                w.block(|w| {
                    removed_buckets
                        .iter()
                        .enumerate()
                        .try_for_each(|(at, removed)| w.name(itoa::Buffer::new().format(at), removed))
                })?;
                w.documents("updated_buckets", updated_buckets, Writer::bucket)
            })
        }
        Line::Data { bucket, after, has_more, operations, next_after } => w.document("data", |w| {
            w.name("bucket", bucket)?;
            w.id("after", *after)?;
            w.boolean("has_more", *has_more);
            w.documents("data", operations, Writer::operation)?;
            w.id("next_after", *next_after)
        }),
        Line::CheckpointComplete { last_op_id } => {
            w.document("checkpoint_complete", |w| w.id("last_op_id", *last_op_id))
        }
        Line::PartialCheckpointComplete { last_op_id, priority } => w.document("partial_checkpoint_complete", |w| {
            w.id("last_op_id", *last_op_id)?;
            w.integer("priority", i64::from(*priority));
            Ok(())
        }),
        Line::TokenExpiresIn(seconds) => {
            w.integer("token_expires_in", *seconds);
            Ok(())
        }
    })
}

struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl Writer<'_> {
    fn element(&mut self, kind: u8, name: &str) {
        self.out.push(kind);
        self.out.extend_from_slice(name.as_bytes());
        self.out.push(0);
    }

    /// The content of a document or array, between its length and its end.
    fn block(&mut self, content: impl FnOnce(&mut Self) -> Written) -> Written {
        let start = self.out.len();
        self.out.extend_from_slice(&[0; 4]);
        content(self)?;
        self.out.push(0);
        let length = i32::try_from(self.out.len() - start).map_err(|_| LineTooLong)?;
        if let Some(place) = self.out.get_mut(start..start + 4) {
            place.copy_from_slice(&length.to_le_bytes());
        }
        Ok(())
    }

    fn document(&mut self, name: &str, content: impl FnOnce(&mut Self) -> Written) -> Written {
        self.element(DOCUMENT, name);
        self.block(content)
    }

    /// An array of documents.
    fn documents<T>(&mut self, name: &str, items: &[T], content: impl Fn(&mut Self, &T) -> Written) -> Written {
        self.element(ARRAY, name);
        self.block(|w| {
            items
                .iter()
                .enumerate()
                .try_for_each(|(at, item)| w.document(itoa::Buffer::new().format(at), |w| content(w, item)))
        })
    }

    fn string(&mut self, name: &str, parts: &[&str]) -> Written {
        self.element(STRING, name);
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let with_end = length.checked_add(1).and_then(|length| i32::try_from(length).ok()).ok_or(LineTooLong)?;
        self.out.extend_from_slice(&with_end.to_le_bytes());
        for part in parts {
            self.out.extend_from_slice(part.as_bytes());
        }
        self.out.push(0);
        Ok(())
    }

    fn id(&mut self, name: &str, id: i64) -> Written {
        self.string(name, &[itoa::Buffer::new().format(id)])
    }

    fn name(&mut self, member: &str, name: &BucketName<'_>) -> Written {
        self.string(member, &[name.prefix, &name.key])
    }

    fn boolean(&mut self, name: &str, value: bool) {
        self.element(BOOLEAN, name);
        self.out.push(u8::from(value));
    }

    /// 32 bits if they are enough.
    fn integer(&mut self, name: &str, value: i64) {
        match i32::try_from(value) {
            Ok(small) => {
                self.element(INT32, name);
                self.out.extend_from_slice(&small.to_le_bytes());
            }
            Err(_) => {
                self.element(INT64, name);
                self.out.extend_from_slice(&value.to_le_bytes());
            }
        }
    }

    /// The checksum of an operation, unsigned: a double if it does not fit 32 signed bits.
    fn checksum(&mut self, checksum: u32) {
        match i32::try_from(checksum) {
            Ok(_) => self.integer("checksum", i64::from(checksum)),
            Err(_) => {
                self.element(DOUBLE, "checksum");
                self.out.extend_from_slice(&f64::from(checksum).to_le_bytes());
            }
        }
    }

    fn head(&mut self, last_op_id: i64, write_checkpoint: Option<i64>) -> Written {
        self.id("last_op_id", last_op_id)?;
        write_checkpoint.map_or(Ok(()), |id| self.id("write_checkpoint", id))
    }

    fn bucket(&mut self, bucket: &BucketSummary<'_>) -> Written {
        self.name("bucket", &bucket.name)?;
        self.integer("checksum", i64::from(bucket.checksum.cast_signed()));
        self.integer("count", bucket.count);
        self.integer("priority", i64::from(bucket.priority));
        self.documents("subscriptions", bucket.reasons, |w, reason| {
            match reason {
                Reason::Default(index) => w.integer("default", i64::from(*index)),
                Reason::Subscription(index) => w.integer("sub", i64::from(*index)),
            }
            Ok(())
        })
    }

    fn stream(&mut self, stream: &StreamSummary) -> Written {
        self.string("name", &[&stream.name])?;
        self.boolean("is_default", stream.is_default);
        self.documents("errors", &stream.errors, |w, error| {
            match error.subscription {
                Some(index) => w.integer("subscription", i64::from(index)),
                None => w.string("subscription", &["default"])?,
            }
            w.string("message", &[&error.message])
        })
    }

    fn operation(&mut self, operation: &Operation) -> Written {
        self.id("op_id", operation.op_id)?;
        match &operation.kind {
            OpKind::Put { row, data } => {
                self.row("PUT", row, operation.checksum)?;
                self.string("data", &[data])
            }
            OpKind::Remove { row } => {
                self.row("REMOVE", row, operation.checksum)?;
                self.element(NULL, "data");
                Ok(())
            }
            OpKind::Move => self.without_row("MOVE", operation.checksum),
            OpKind::Clear => self.without_row("CLEAR", operation.checksum),
        }
    }

    fn without_row(&mut self, op: &str, checksum: u32) -> Written {
        self.string("op", &[op])?;
        self.checksum(checksum);
        Ok(())
    }

    fn row(&mut self, op: &str, row: &OutputRow, checksum: u32) -> Written {
        self.string("op", &[op])?;
        self.string("object_type", &[&row.object_type])?;
        self.string("object_id", &[&row.object_id])?;
        self.checksum(checksum);
        self.string("subkey", &[&row.subkey])
    }
}
