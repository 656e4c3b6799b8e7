//! From the values in a line to what the line says (docs/reference/protocol.md#lines).
//!
//! Members come in any order, unknown ones are skipped, null equals absence, and of members with the same name the last
//! one counts, except in the line itself, which has exactly one.

use alloc::format;
use alloc::vec::Vec;

use super::checksum::Checksum;
use super::line::{
    BucketChecksum, Checkpoint, CheckpointComplete, CheckpointDiff, DataLine, Operation, OplogEntry,
    PartialCheckpointComplete, StreamDescription, StreamError, SubscriptionReason, SubscriptionReference, SyncLine,
};
use super::reader::{Failed, Reader, excerpt, required};
use super::scratch::Scratch;
use rowtide_json::Quoted;
use rowtide_json::{Number, parse_integer};

type Result<T, E = Failed> = core::result::Result<T, E>;

/// Reads a line that is JSON text. Strings with escapes are unescaped into `scratch`, all others are part of `line`.
///
/// # Errors
/// A protocol error that names the member and the byte offset, but no row data; out of memory.
pub fn decode_text<'a>(line: &'a str, scratch: &'a mut Scratch) -> crate::error::Result<SyncLine<'a>> {
    decode(Reader::json(line, scratch))
}

/// Reads a line that is a BSON document. It never needs the scratch memory.
///
/// # Errors
/// A protocol error that names the member and the byte offset, but no row data; out of memory.
pub fn decode_binary<'a>(line: &'a [u8], _scratch: &'a mut Scratch) -> crate::error::Result<SyncLine<'a>> {
    decode(Reader::bson(line))
}

fn decode(mut reader: Reader<'_>) -> crate::error::Result<SyncLine<'_>> {
    sync_line(&mut reader).map_err(|failed| reader.into_error(failed))
}

fn sync_line<'a>(reader: &mut Reader<'a>) -> Result<SyncLine<'a>> {
    reader.begin_object()?;
    let Some(name) = reader.next_member()? else {
        return Err(reader.fail("a line without a member"));
    };
    let line = match name {
        "data" => SyncLine::Data(data_line(reader)?),
        "checkpoint" => SyncLine::Checkpoint(checkpoint(reader)?),
        "checkpoint_diff" => SyncLine::CheckpointDiff(checkpoint_diff(reader)?),
        "checkpoint_complete" => SyncLine::CheckpointComplete(checkpoint_complete(reader)?),
        "partial_checkpoint_complete" => SyncLine::PartialCheckpointComplete(partial_checkpoint_complete(reader)?),
        "token_expires_in" => SyncLine::KeepAlive { token_expires_in: reader.integer()? },
        _ => {
            reader.skip()?;
            SyncLine::Unknown { name }
        }
    };
    if reader.next_member()?.is_some() {
        return Err(reader.fail("a line with more than one member"));
    }
    reader.finish()?;
    Ok(line)
}

fn data_line<'a>(reader: &mut Reader<'a>) -> Result<DataLine<'a>> {
    let mut bucket = None;
    let mut entries = None;
    reader.begin_object()?;
    while let Some(name) = reader.next_member()? {
        match name {
            "bucket" => bucket = reader.optional(Reader::string)?,
            "data" => entries = reader.optional(|reader| reader.array(oplog_entry))?,
            _ => reader.skip()?,
        }
    }
    Ok(DataLine { bucket: required(reader, bucket, "bucket")?, entries: required(reader, entries, "data")? })
}

fn oplog_entry<'a>(reader: &mut Reader<'a>) -> Result<OplogEntry<'a>> {
    let mut op_id = None;
    let mut operation = None;
    let mut checksum = None;
    let (mut row_type, mut row_id, mut subkey, mut data) = (None, None, None, None);
    reader.begin_object()?;
    while let Some(name) = reader.next_member()? {
        match name {
            "op_id" => op_id = reader.optional(id)?,
            "op" => operation = reader.optional(self::operation)?,
            "object_type" => row_type = reader.optional(Reader::string)?,
            "object_id" => row_id = reader.optional(Reader::string)?,
            "checksum" => checksum = reader.optional(self::checksum)?,
            "subkey" => subkey = reader.optional(Reader::string)?,
            "data" => data = reader.optional(row_data)?,
            _ => reader.skip()?,
        }
    }
    Ok(OplogEntry {
        op_id: required(reader, op_id, "op_id")?,
        operation: required(reader, operation, "op")?,
        checksum: required(reader, checksum, "checksum")?,
        row_type,
        row_id,
        subkey,
        data,
    })
}

fn operation(reader: &mut Reader<'_>) -> Result<Operation> {
    match reader.string()? {
        "PUT" => Ok(Operation::Put),
        "REMOVE" => Ok(Operation::Remove),
        "MOVE" => Ok(Operation::Move),
        "CLEAR" => Ok(Operation::Clear),
        other => Err(reader.fail(&format!("unknown operation {}", Quoted(excerpt(other))))),
    }
}

/// Row data is a string. Services that were not asked for raw data send the object itself, whose text is the data then.
fn row_data<'a>(reader: &mut Reader<'a>) -> Result<&'a str> {
    match reader.object_text()? {
        Some(text) => Ok(text),
        None => reader.string(),
    }
}

fn checkpoint<'a>(reader: &mut Reader<'a>) -> Result<Checkpoint<'a>> {
    let mut last_op_id = None;
    let mut write_checkpoint = None;
    let mut buckets = None;
    let mut streams = None;
    reader.begin_object()?;
    while let Some(name) = reader.next_member()? {
        match name {
            "last_op_id" => last_op_id = reader.optional(id)?,
            "write_checkpoint" => write_checkpoint = reader.optional(id)?,
            "buckets" => buckets = reader.optional(|reader| reader.array(bucket_checksum))?,
            "streams" => streams = reader.optional(|reader| reader.array(stream_description))?,
            _ => reader.skip()?,
        }
    }
    Ok(Checkpoint {
        last_op_id: required(reader, last_op_id, "last_op_id")?,
        write_checkpoint,
        buckets: required(reader, buckets, "buckets")?,
        streams: streams.unwrap_or_default(),
    })
}

fn checkpoint_diff<'a>(reader: &mut Reader<'a>) -> Result<CheckpointDiff<'a>> {
    let mut last_op_id = None;
    let mut write_checkpoint = None;
    let mut updated_buckets = None;
    let mut removed_buckets = None;
    reader.begin_object()?;
    while let Some(name) = reader.next_member()? {
        match name {
            "last_op_id" => last_op_id = reader.optional(id)?,
            "write_checkpoint" => write_checkpoint = reader.optional(id)?,
            "updated_buckets" => updated_buckets = reader.optional(|reader| reader.array(bucket_checksum))?,
            "removed_buckets" => removed_buckets = reader.optional(|reader| reader.array(Reader::string))?,
            _ => reader.skip()?,
        }
    }
    Ok(CheckpointDiff {
        last_op_id: required(reader, last_op_id, "last_op_id")?,
        write_checkpoint,
        updated_buckets: required(reader, updated_buckets, "updated_buckets")?,
        removed_buckets: required(reader, removed_buckets, "removed_buckets")?,
    })
}

fn checkpoint_complete(reader: &mut Reader<'_>) -> Result<CheckpointComplete> {
    let mut last_op_id = None;
    reader.begin_object()?;
    while let Some(name) = reader.next_member()? {
        match name {
            "last_op_id" => last_op_id = reader.optional(id)?,
            _ => reader.skip()?,
        }
    }
    Ok(CheckpointComplete { last_op_id: required(reader, last_op_id, "last_op_id")? })
}

fn partial_checkpoint_complete(reader: &mut Reader<'_>) -> Result<PartialCheckpointComplete> {
    let mut last_op_id = None;
    let mut priority = None;
    reader.begin_object()?;
    while let Some(name) = reader.next_member()? {
        match name {
            "last_op_id" => last_op_id = reader.optional(id)?,
            "priority" => priority = reader.optional(Reader::priority)?,
            _ => reader.skip()?,
        }
    }
    Ok(PartialCheckpointComplete {
        last_op_id: required(reader, last_op_id, "last_op_id")?,
        priority: required(reader, priority, "priority")?,
    })
}

fn bucket_checksum<'a>(reader: &mut Reader<'a>) -> Result<BucketChecksum<'a>> {
    let mut bucket = None;
    let mut checksum = None;
    let mut priority = None;
    let mut count = None;
    let mut subscriptions = None;
    reader.begin_object()?;
    while let Some(name) = reader.next_member()? {
        match name {
            "bucket" => bucket = reader.optional(Reader::string)?,
            "checksum" => checksum = reader.optional(self::checksum)?,
            "priority" => priority = reader.optional(Reader::priority)?,
            "count" => count = reader.optional(self::count)?,
            "subscriptions" => subscriptions = reader.optional(subscription_reasons)?,
            _ => reader.skip()?,
        }
    }
    Ok(BucketChecksum {
        bucket: required(reader, bucket, "bucket")?,
        checksum: required(reader, checksum, "checksum")?,
        priority: priority.unwrap_or_default(),
        count,
        subscriptions: subscriptions.unwrap_or_default(),
    })
}

/// Reasons of a kind that this version does not know are left out, like every other unknown member.
fn subscription_reasons(reader: &mut Reader<'_>) -> Result<Vec<SubscriptionReason>> {
    reader.filtered_array(subscription_reason)
}

fn subscription_reason(reader: &mut Reader<'_>) -> Result<Option<SubscriptionReason>> {
    let mut reason = None;
    reader.begin_object()?;
    while let Some(name) = reader.next_member()? {
        match name {
            "default" => reason = reader.optional(index)?.map(SubscriptionReason::Default),
            "sub" => reason = reader.optional(index)?.map(SubscriptionReason::Subscription),
            _ => reader.skip()?,
        }
    }
    Ok(reason)
}

fn stream_description<'a>(reader: &mut Reader<'a>) -> Result<StreamDescription<'a>> {
    let mut stream_name = None;
    let mut is_default = None;
    let mut errors = None;
    reader.begin_object()?;
    while let Some(name) = reader.next_member()? {
        match name {
            "name" => stream_name = reader.optional(Reader::string)?,
            "is_default" => is_default = reader.optional(Reader::boolean)?,
            "errors" => errors = reader.optional(|reader| reader.array(stream_error))?,
            _ => reader.skip()?,
        }
    }
    Ok(StreamDescription {
        name: required(reader, stream_name, "name")?,
        is_default: required(reader, is_default, "is_default")?,
        errors: errors.unwrap_or_default(),
    })
}

fn stream_error<'a>(reader: &mut Reader<'a>) -> Result<StreamError<'a>> {
    let mut subscription = None;
    let mut message = None;
    reader.begin_object()?;
    while let Some(name) = reader.next_member()? {
        match name {
            "subscription" => subscription = reader.optional(subscription_reference)?,
            "message" => message = reader.optional(Reader::string)?,
            _ => reader.skip()?,
        }
    }
    Ok(StreamError {
        subscription: required(reader, subscription, "subscription")?,
        message: required(reader, message, "message")?,
    })
}

fn subscription_reference(reader: &mut Reader<'_>) -> Result<SubscriptionReference> {
    if !reader.is_string() {
        return index(reader).map(SubscriptionReference::Index);
    }
    match reader.string()? {
        "default" => Ok(SubscriptionReference::Default),
        _ => Err(reader.fail("expected \"default\" or an index")),
    }
}

/// An id: a decimal string, or a whole number, from 0 to 2⁶³−1.
fn id(reader: &mut Reader<'_>) -> Result<i64> {
    let id = if reader.is_string() {
        let text = reader.string()?;
        // A sign is no digit, although parsing would take it.
        text.starts_with(|first: char| first.is_ascii_digit()).then(|| parse_integer(text)).flatten()
    } else {
        Some(reader.integer()?).filter(|&id| id >= 0)
    };
    id.ok_or_else(|| reader.fail("expected an id, a decimal string from 0 to 9223372036854775807"))
}

fn checksum(reader: &mut Reader<'_>) -> Result<Checksum> {
    let number = reader.integer()?;
    Checksum::from_wire(number).ok_or_else(|| reader.fail("expected a checksum of 32 bits"))
}

/// A number of operations, which is only informational: whatever number it is, the nearest possible one is taken.
fn count(reader: &mut Reader<'_>) -> Result<i64> {
    Ok(match reader.number()? {
        Number::Integer(count) => count.max(0),
        Number::Real(count) => (count as i64).max(0),
    })
}

fn index(reader: &mut Reader<'_>) -> Result<usize> {
    let index = reader.integer()?;
    usize::try_from(index).map_err(|_| reader.fail("expected an index"))
}
