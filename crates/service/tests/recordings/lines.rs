//! Brings lines into a form in which ours and recorded ones are equal.
//!
//! - Names of buckets lose what is in front of the stream and between its number and the key.
//! - Ids of operations are checked (they grow, and none is above the checkpoint), then left out.
//! - Counts of buckets become differences to the line before, as the recorded buckets had a history. Their checksums are
//!   compared with those of the operations at the end of a checkpoint, then left out.
//! - Operations of a bucket from its beginning become the rows that they leave, for the same reason.
//! - Operations of a later line are sorted, as the order within a transaction is free.
//! - Subkeys are left out, after a check that a row has one; checksums of REMOVE, which depend on them, are computed again.

use std::collections::{BTreeMap, HashMap};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What is known from the lines before.
#[derive(Default)]
pub(super) struct Normal {
    /// The count and the checksum of each bucket.
    buckets: HashMap<String, (i64, i64)>,
    /// The sum of the checksums of its operations.
    sums: HashMap<String, u32>,
    /// The subkey of each row, by type and id.
    subkeys: HashMap<String, String>,
    /// The operation ids of each bucket.
    positions: HashMap<String, u64>,
    last_op_id: u64,
}

impl Normal {
    pub(super) fn line(&mut self, line: &Value) -> Value {
        let (member, value) = line.as_object().unwrap().iter().next().unwrap();
        match member.as_str() {
            "checkpoint" => json!({"checkpoint": {
                "buckets": self.buckets(&value["buckets"]), "streams": value["streams"],
                "write_checkpoint": value.get("write_checkpoint"), "is_newer": self.checkpoint(value),
            }}),
            "checkpoint_diff" => {
                let removed = value["removed_buckets"].as_array().unwrap();
                let mut removed: Vec<String> = removed.iter().map(|name| canonical(name.as_str().unwrap())).collect();
                removed.sort();
                for name in &removed {
                    self.buckets.remove(name);
                    self.sums.remove(name);
                    self.positions.remove(name);
                }
                json!({"checkpoint_diff": {
                    "removed": removed, "buckets": self.buckets(&value["updated_buckets"]),
                    "write_checkpoint": value.get("write_checkpoint"), "is_newer": self.checkpoint(value),
                }})
            }
            "data" => self.data(value),
            "partial_checkpoint_complete" | "checkpoint_complete" => {
                assert_eq!(id(&value["last_op_id"]), self.last_op_id);
                if member == "checkpoint_complete" {
                    self.check_sums();
                }
                json!({member: value.get("priority")})
            }
            _ => line.clone(),
        }
    }

    /// Takes note of lines that are not compared.
    pub(super) fn skip(&mut self, lines: &[Value]) {
        for line in lines {
            self.line(line);
        }
    }

    fn check_sums(&self) {
        for (name, (_, checksum)) in &self.buckets {
            let sum = self.sums.get(name).copied().unwrap_or_default();
            assert_eq!(i64::from(sum.cast_signed()), *checksum, "{name}");
        }
    }

    fn checkpoint(&mut self, value: &Value) -> bool {
        let before = std::mem::replace(&mut self.last_op_id, id(&value["last_op_id"]));
        assert!(self.last_op_id >= before);
        self.last_op_id > before
    }

    fn buckets(&mut self, buckets: &Value) -> Vec<Value> {
        let mut normal = Vec::new();
        for bucket in buckets.as_array().unwrap() {
            let name = canonical(bucket["bucket"].as_str().unwrap());
            let count = bucket["count"].as_i64().unwrap();
            let state = (count, bucket["checksum"].as_i64().unwrap());
            let before = self.buckets.insert(name.clone(), state);
            let mut reasons: Vec<String> =
                bucket["subscriptions"].as_array().unwrap().iter().map(Value::to_string).collect();
            reasons.sort();
            reasons.dedup();
            let added = before.map(|(before, _)| count - before);
            normal.push(json!([name, bucket["priority"], reasons, added]));
        }
        normal.sort_by_key(|bucket| bucket[0].to_string());
        normal
    }

    fn data(&mut self, value: &Value) -> Value {
        let name = canonical(value["bucket"].as_str().unwrap());
        let is_first = value["after"] == "0";
        let operations = value["data"].as_array().unwrap();
        let mut position = if is_first { 0 } else { self.positions.get(&name).copied().unwrap() };
        assert_eq!(id(&value["after"]), position, "lines of a bucket continue each other");
        let mut normal = Vec::new();
        for operation in operations {
            let op_id = id(&operation["op_id"]);
            assert!(op_id > position && op_id <= self.last_op_id, "{op_id}");
            position = op_id;
            let sum = self.sums.entry(name.clone()).or_default();
            *sum = sum.wrapping_add(u32::try_from(operation["checksum"].as_u64().unwrap()).unwrap());
            normal.push(self.operation(operation));
        }
        assert_eq!(id(&value["next_after"]), position);
        self.positions.insert(name.clone(), position);
        if is_first {
            normal = rows(normal);
        } else {
            normal.sort_by_key(Value::to_string);
        }
        json!({"data": [name, is_first, value["has_more"], normal]})
    }

    fn operation(&mut self, operation: &Value) -> Value {
        let kind = operation["op"].as_str().unwrap();
        let Some(subkey) = operation["subkey"].as_str() else { return json!([kind]) };
        let row = format!("{} {}", operation["object_type"], operation["object_id"]);
        assert_eq!(*self.subkeys.entry(row.clone()).or_insert_with(|| subkey.into()), subkey, "{row} has one subkey");
        let checksum = operation["checksum"].as_u64().unwrap();
        if kind == "REMOVE" {
            assert_eq!(checksum, hash(&format!("delete.{subkey}")));
            assert!(operation["data"].is_null());
        }
        let (data, checksum) = match &operation["data"] {
            Value::String(text) => {
                (json!(text.replace(":NaN", ":null")), if text.contains(":NaN") { 0 } else { checksum })
            }
            other => (other.clone(), 0),
        };
        let is_nan = data.to_string().contains("\\\"weight\\\":null");
        let checksum = if kind == "REMOVE" || is_nan { None } else { Some(checksum) };
        json!([kind, operation["object_type"], operation["object_id"], data, checksum])
    }
}

/// What a client has after these operations.
fn rows(operations: Vec<Value>) -> Vec<Value> {
    let mut rows = BTreeMap::new();
    for operation in operations {
        let key = format!("{}{}", operation[1], operation[2]);
        match operation[0].as_str().unwrap() {
            "PUT" => drop(rows.insert(key, operation)),
            "REMOVE" => drop(rows.remove(&key)),
            _ => {}
        }
    }
    rows.into_values().collect()
}

/// `<stream>|<number>[<key>]` of a name; for old definitions `<name>[<key>]`.
fn canonical(name: &str) -> String {
    let (front, key) = name.split_at(name.find('[').unwrap());
    let front = front.split_once('#').map_or(front, |(_, rest)| rest);
    let front = match front.split_once('|') {
        Some((stream, rest)) => format!("{stream}|{}", rest.split('.').next().unwrap()),
        None => front.split('.').next().unwrap().to_owned(),
    };
    // Two streams with the same query, which share a bucket with ours.
    let front = front.replace("by_ids_default|", "by_ids|");
    format!("{front}{key}")
}

fn id(value: &Value) -> u64 {
    value.as_str().unwrap().parse().unwrap()
}

fn hash(text: &str) -> u64 {
    let digest = Sha256::digest(text.as_bytes());
    u64::from(u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]))
}
