//! What a sync line says, read from JSON values by a table of shapes (docs/reference/protocol.md#lines): a second
//! decoder, written without the first, to compare it with.
//!
//! Both sides are brought to one form, JSON with integers for ids: [`read`] makes it of the line's JSON, [`of_decoded`]
//! of what the decoder gave.

use rowtide_protocol::{
    BucketChecksum, Operation, OplogEntry, StreamDescription, SubscriptionReason, SubscriptionReference, SyncLine,
};
use serde_json::{Map, Value, json};

/// What a value must be.
enum Shape {
    /// A string.
    Text,
    /// True or false.
    Boolean,
    /// A whole number of 64 bits.
    Integer,
    /// A decimal string or whole number from 0.
    Id,
    /// A whole number of 32 bits, with or without sign; its bits.
    Checksum,
    /// Any number; the nearest possible count.
    Count,
    /// One of the four priorities.
    Priority,
    /// A whole number from 0.
    Index,
    /// "default" or an index.
    Reference,
    /// The name of an operation.
    Operation,
    /// A string, or an object, which means its text.
    Data,
    /// An array of such values.
    List(&'static Shape),
    /// An array of reasons for a bucket; unknown ones are left out.
    Reasons,
    /// An object: members, and whether they must be there.
    Object(&'static [(&'static str, bool, Shape)]),
}

use Shape::{Boolean, Checksum, Count, Data, Id, Index, Integer, List, Object, Priority, Reasons, Reference, Text};

const STREAM_ERROR: Shape = Object(&[("subscription", true, Reference), ("message", true, Text)]);
const STREAM: Shape =
    Object(&[("name", true, Text), ("is_default", true, Boolean), ("errors", false, List(&STREAM_ERROR))]);
const BUCKET: Shape = Object(&[
    ("bucket", true, Text),
    ("checksum", true, Checksum),
    ("priority", false, Priority),
    ("count", false, Count),
    ("subscriptions", false, Reasons),
]);
const ENTRY: Shape = Object(&[
    ("op_id", true, Id),
    ("op", true, Shape::Operation),
    ("checksum", true, Checksum),
    ("object_type", false, Text),
    ("object_id", false, Text),
    ("subkey", false, Text),
    ("data", false, Data),
]);
const LINES: &[(&str, Shape)] = &[
    (
        "checkpoint",
        Object(&[
            ("last_op_id", true, Id),
            ("write_checkpoint", false, Id),
            ("buckets", true, List(&BUCKET)),
            ("streams", false, List(&STREAM)),
        ]),
    ),
    (
        "checkpoint_diff",
        Object(&[
            ("last_op_id", true, Id),
            ("write_checkpoint", false, Id),
            ("updated_buckets", true, List(&BUCKET)),
            ("removed_buckets", true, List(&Text)),
        ]),
    ),
    ("data", Object(&[("bucket", true, Text), ("data", true, List(&ENTRY))])),
    ("checkpoint_complete", Object(&[("last_op_id", true, Id)])),
    ("partial_checkpoint_complete", Object(&[("last_op_id", true, Id), ("priority", true, Priority)])),
    ("token_expires_in", Integer),
];

/// What the line says; None if it is no valid one.
pub(crate) fn read(line: &Value) -> Option<Value> {
    let members = line.as_object().filter(|members| members.len() == 1)?;
    let (name, value) = members.iter().next()?;
    let said = match LINES.iter().find(|(known, _)| known == name) {
        Some((_, shape)) => read_value(shape, value)?,
        None => Value::Null,
    };
    Some(json!({ name.as_str(): said }))
}

fn read_value(shape: &Shape, value: &Value) -> Option<Value> {
    match shape {
        Shape::Text => value.is_string().then(|| value.clone()),
        Shape::Boolean => value.is_boolean().then(|| value.clone()),
        Shape::Integer => whole(value).map(Value::from),
        Shape::Id => id(value).map(Value::from),
        Shape::Checksum => whole(value).filter(|n| (-(1 << 31)..1 << 32).contains(n)).map(|n| (n & 0xffff_ffff).into()),
        Shape::Count => count(value).map(Value::from),
        Shape::Priority => whole(value).filter(|n| (0..=3).contains(n)).map(Value::from),
        Shape::Index => whole(value).filter(|n| *n >= 0).map(Value::from),
        Shape::Reference if value.is_string() => (value == "default").then(|| value.clone()),
        Shape::Reference => read_value(&Index, value),
        Shape::Operation => ["PUT", "REMOVE", "MOVE", "CLEAR"].iter().any(|name| value == name).then(|| value.clone()),
        Shape::Data if value.is_object() => Some(value.to_string().into()),
        Shape::Data => read_value(&Text, value),
        Shape::List(element) => value.as_array()?.iter().map(|value| read_value(element, value)).collect(),
        Shape::Reasons => reasons(value),
        Shape::Object(shapes) => object(shapes, value),
    }
}

fn object(shapes: &[(&str, bool, Shape)], value: &Value) -> Option<Value> {
    let members = value.as_object()?;
    let mut said = Map::new();
    for (name, is_required, shape) in shapes {
        match members.get(*name).filter(|value| !value.is_null()) {
            Some(value) => _ = said.insert((*name).to_owned(), read_value(shape, value)?),
            None if *is_required => return None,
            None => {}
        }
    }
    Some(said.into())
}

fn reasons(value: &Value) -> Option<Value> {
    let mut known = Vec::new();
    for reason in value.as_array()? {
        let reason = object(&[("default", false, Index), ("sub", false, Index)], reason)?;
        known.push(reason);
    }
    known.retain(|reason| reason.as_object().is_some_and(|members| !members.is_empty()));
    Some(known.into())
}

/// An integer, or a real without fraction, of 64 bits.
fn whole(value: &Value) -> Option<i64> {
    let number = value.as_number()?;
    let real =
        || number.as_f64().filter(|real| real.fract() == 0.0 && *real >= -2f64.powi(63) && *real < 2f64.powi(63));
    number.as_i64().or_else(|| real().map(|real| real as i64))
}

fn id(value: &Value) -> Option<i64> {
    match value.as_str() {
        Some(text) => text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok()).flatten(),
        None => whole(value).filter(|id| *id >= 0),
    }
}

fn count(value: &Value) -> Option<i64> {
    let number = value.as_number()?;
    Some(number.as_i64().unwrap_or_else(|| number.as_f64().unwrap_or(0.0) as i64).max(0))
}

/// Whether a value holds a reason of which it is not clear which of two kinds it is, or row data that is no string.
/// Both are read, but not alike in all encodings.
pub(crate) fn depends_on_encoding(value: &Value) -> bool {
    match value {
        Value::Array(items) => items.iter().any(depends_on_encoding),
        Value::Object(members) => {
            let is_object = |name: &str| members.get(name).is_some_and(Value::is_object);
            let has = |name: &str| members.contains_key(name);
            (has("op_id") && is_object("data"))
                || (has("default") && has("sub"))
                || members.iter().any(|(name, value)| name.contains('\0') || depends_on_encoding(value))
        }
        _ => false,
    }
}

/// What the decoder gave, in the same form.
pub(crate) fn of_decoded(line: &SyncLine<'_>) -> Value {
    match line {
        SyncLine::Checkpoint(checkpoint) => with_optional(
            json!({ "checkpoint": {
                "last_op_id": checkpoint.last_op_id,
                "buckets": list(&checkpoint.buckets, bucket),
                "streams": list(&checkpoint.streams, stream),
            }}),
            "/checkpoint",
            "write_checkpoint",
            checkpoint.write_checkpoint.map(Value::from),
        ),
        SyncLine::CheckpointDiff(diff) => with_optional(
            json!({ "checkpoint_diff": {
                "last_op_id": diff.last_op_id,
                "updated_buckets": list(&diff.updated_buckets, bucket),
                "removed_buckets": list(&diff.removed_buckets, |name| (*name).into()),
            }}),
            "/checkpoint_diff",
            "write_checkpoint",
            diff.write_checkpoint.map(Value::from),
        ),
        SyncLine::Data(data) => json!({ "data": { "bucket": data.bucket, "data": list(&data.entries, entry) } }),
        SyncLine::CheckpointComplete(complete) => {
            json!({ "checkpoint_complete": { "last_op_id": complete.last_op_id } })
        }
        SyncLine::PartialCheckpointComplete(complete) => json!({ "partial_checkpoint_complete": {
            "last_op_id": complete.last_op_id, "priority": i64::from(complete.priority.get()),
        }}),
        SyncLine::KeepAlive { token_expires_in } => json!({ "token_expires_in": token_expires_in }),
        SyncLine::Unknown { name } => json!({ *name: null }),
    }
}

fn list<T>(items: &[T], of: impl FnMut(&T) -> Value) -> Value {
    items.iter().map(of).collect()
}

/// Adds a member to the object at `pointer`, if there is a value for it.
fn with_optional(mut object: Value, pointer: &str, name: &str, value: Option<Value>) -> Value {
    if let (Some(object), Some(value)) = (object.pointer_mut(pointer), value) {
        object[name] = value;
    }
    object
}

fn bucket(bucket: &BucketChecksum<'_>) -> Value {
    let reason = |reason: &SubscriptionReason| match reason {
        SubscriptionReason::Default(index) => json!({ "default": index }),
        SubscriptionReason::Subscription(index) => json!({ "sub": index }),
    };
    let said = json!({
        "bucket": bucket.bucket, "checksum": bucket.checksum.get(), "priority": i64::from(bucket.priority.get()),
        "subscriptions": list(&bucket.subscriptions, reason),
    });
    with_optional(said, "", "count", bucket.count.map(Value::from))
}

fn stream(stream: &StreamDescription<'_>) -> Value {
    let error = |error: &rowtide_protocol::StreamError<'_>| {
        let subscription = match error.subscription {
            SubscriptionReference::Default => "default".into(),
            SubscriptionReference::Index(index) => Value::from(index),
        };
        json!({ "subscription": subscription, "message": error.message })
    };
    json!({ "name": stream.name, "is_default": stream.is_default, "errors": list(&stream.errors, error) })
}

fn entry(entry: &OplogEntry<'_>) -> Value {
    let operation = match entry.operation {
        Operation::Put => "PUT",
        Operation::Remove => "REMOVE",
        Operation::Move => "MOVE",
        Operation::Clear => "CLEAR",
    };
    let mut said = json!({ "op_id": entry.op_id, "op": operation, "checksum": entry.checksum.get() });
    let texts =
        [("object_type", entry.row_type), ("object_id", entry.row_id), ("subkey", entry.subkey), ("data", entry.data)];
    for (name, text) in texts {
        said = with_optional(said, "", name, text.map(Value::from));
    }
    said
}

/// Adds what absent members mean, so that both forms have all members that have such a value.
pub(crate) fn with_defaults(mut said: Value) -> Value {
    let missing = |object: &mut Value, name: &str, value: Value| {
        if let Some(object) = object.as_object_mut() {
            object.entry(name).or_insert(value);
        }
    };
    if let Some(checkpoint) = said.get_mut("checkpoint") {
        missing(checkpoint, "streams", json!([]));
    }
    for place in ["/checkpoint/buckets", "/checkpoint_diff/updated_buckets"] {
        for bucket in said.pointer_mut(place).and_then(Value::as_array_mut).into_iter().flatten() {
            missing(bucket, "priority", 3.into());
            missing(bucket, "subscriptions", json!([]));
        }
    }
    for stream in said.pointer_mut("/checkpoint/streams").and_then(Value::as_array_mut).into_iter().flatten() {
        missing(stream, "errors", json!([]));
    }
    said
}
