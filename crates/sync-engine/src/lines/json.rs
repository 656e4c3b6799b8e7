//! Lines as JSON. Members are in the order that the published service writes.

use super::{BucketName, BucketSummary, Line, Reason, StreamSummary};
use crate::store::{OpKind, Operation, OutputRow};

/// Appends the line and a line feed.
pub(super) fn write(line: &Line<'_>, raw_data: bool, out: &mut Vec<u8>) {
    match line {
        Line::Checkpoint { last_op_id, write_checkpoint, buckets, streams } => {
            head(out, "checkpoint", *last_op_id, *write_checkpoint);
            raw(out, ",\"buckets\":");
            list(out, buckets, bucket);
            raw(out, ",\"streams\":");
            list(out, streams, stream);
            raw(out, "}}\n");
        }
        Line::CheckpointDiff { last_op_id, write_checkpoint, removed_buckets, updated_buckets } => {
            head(out, "checkpoint_diff", *last_op_id, *write_checkpoint);
            raw(out, ",\"removed_buckets\":");
            list(out, removed_buckets, |out, removed| name(out, removed));
            raw(out, ",\"updated_buckets\":");
            list(out, updated_buckets, bucket);
            raw(out, "}}\n");
        }
        Line::Data { bucket, after, has_more, operations, next_after } => {
            raw(out, "{\"data\":{\"bucket\":");
            name(out, bucket);
            raw(out, ",\"after\":");
            id(out, *after);
            raw(out, if *has_more { ",\"has_more\":true,\"data\":" } else { ",\"has_more\":false,\"data\":" });
            list(out, operations, |out, each| operation(out, each, raw_data));
            raw(out, ",\"next_after\":");
            id(out, *next_after);
            raw(out, "}}\n");
        }
        Line::CheckpointComplete { last_op_id } => {
            raw(out, "{\"checkpoint_complete\":{\"last_op_id\":");
            id(out, *last_op_id);
            raw(out, "}}\n");
        }
        Line::PartialCheckpointComplete { last_op_id, priority } => {
            raw(out, "{\"partial_checkpoint_complete\":{\"last_op_id\":");
            id(out, *last_op_id);
            raw(out, ",\"priority\":");
            number(out, *priority);
            raw(out, "}}\n");
        }
        Line::TokenExpiresIn(seconds) => {
            raw(out, "{\"token_expires_in\":");
            number(out, *seconds);
            raw(out, "}\n");
        }
    }
}

fn head(out: &mut Vec<u8>, member: &str, last_op_id: i64, write_checkpoint: Option<i64>) {
    raw(out, "{\"");
    raw(out, member);
    raw(out, "\":{\"last_op_id\":");
    id(out, last_op_id);
    if let Some(write_checkpoint) = write_checkpoint {
        raw(out, ",\"write_checkpoint\":");
        id(out, write_checkpoint);
    }
}

fn bucket(out: &mut Vec<u8>, bucket: &BucketSummary<'_>) {
    raw(out, "{\"bucket\":");
    name(out, &bucket.name);
    raw(out, ",\"checksum\":");
    number(out, bucket.checksum.cast_signed());
    raw(out, ",\"count\":");
    number(out, bucket.count);
    raw(out, ",\"priority\":");
    number(out, bucket.priority);
    raw(out, ",\"subscriptions\":");
    list(out, bucket.reasons, |out, reason| {
        let (member, index) = match reason {
            Reason::Default(index) => ("{\"default\":", index),
            Reason::Subscription(index) => ("{\"sub\":", index),
        };
        raw(out, member);
        number(out, *index);
        out.push(b'}');
    });
    out.push(b'}');
}

fn stream(out: &mut Vec<u8>, stream: &StreamSummary) {
    raw(out, "{\"name\":");
    string(out, &[&stream.name]);
    raw(out, ",\"is_default\":");
    raw(out, if stream.is_default { "true" } else { "false" });
    raw(out, ",\"errors\":");
    list(out, &stream.errors, |out, error| {
        raw(out, "{\"subscription\":");
        match error.subscription {
            Some(index) => number(out, index),
            None => raw(out, "\"default\""),
        }
        raw(out, ",\"message\":");
        string(out, &[&error.message]);
        out.push(b'}');
    });
    out.push(b'}');
}

fn operation(out: &mut Vec<u8>, operation: &Operation, raw_data: bool) {
    raw(out, "{\"op_id\":");
    id(out, operation.op_id);
    let mut row = |op: &str, row: &OutputRow| {
        raw(out, op);
        raw(out, ",\"object_type\":");
        string(out, &[&row.object_type]);
        raw(out, ",\"object_id\":");
        string(out, &[&row.object_id]);
        raw(out, ",\"checksum\":");
        number(out, operation.checksum);
        raw(out, ",\"subkey\":");
        string(out, &[&row.subkey]);
        raw(out, ",\"data\":");
    };
    match &operation.kind {
        OpKind::Put { row: place, data } => {
            row(",\"op\":\"PUT\"", place);
            if raw_data {
                string(out, &[data]);
            } else {
                raw(out, data);
            }
        }
        OpKind::Remove { row: place } => {
            row(",\"op\":\"REMOVE\"", place);
            raw(out, "null");
        }
        OpKind::Move => {
            raw(out, ",\"op\":\"MOVE\",\"checksum\":");
            number(out, operation.checksum);
        }
        OpKind::Clear => {
            raw(out, ",\"op\":\"CLEAR\",\"checksum\":");
            number(out, operation.checksum);
        }
    }
    out.push(b'}');
}

fn list<T>(out: &mut Vec<u8>, items: &[T], mut write: impl FnMut(&mut Vec<u8>, &T)) {
    out.push(b'[');
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        write(out, item);
    }
    out.push(b']');
}

fn raw(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(text.as_bytes());
}

fn number(out: &mut Vec<u8>, number: impl itoa::Integer) {
    raw(out, itoa::Buffer::new().format(number));
}

fn id(out: &mut Vec<u8>, id: i64) {
    out.push(b'"');
    number(out, id);
    out.push(b'"');
}

fn name(out: &mut Vec<u8>, name: &BucketName<'_>) {
    string(out, &[name.prefix, &name.key]);
}

/// A string of these parts. Only what JSON requires is escaped.
fn string(out: &mut Vec<u8>, parts: &[&str]) {
    out.push(b'"');
    for part in parts {
        let mut rest = part.as_bytes();
        while let Some(at) = rest.iter().position(|byte| matches!(byte, 0..=0x1f | b'"' | b'\\')) {
            let (plain, special) = rest.split_at(at);
            out.extend_from_slice(plain);
            if let Some((byte, after)) = special.split_first() {
                escape(out, *byte);
                rest = after;
            }
        }
        out.extend_from_slice(rest);
    }
    out.push(b'"');
}

fn escape(out: &mut Vec<u8>, byte: u8) {
    let short = match byte {
        b'"' | b'\\' => byte,
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        0x08 => b'b',
        0x0c => b'f',
        _ => {
            raw(out, "\\u00");
            let digit = |value: u8| if value < 10 { b'0' + value } else { b'a' + value - 10 };
            out.extend([digit(byte >> 4), digit(byte & 15)]);
            return;
        }
    };
    out.extend([b'\\', short]);
}
