//! A small model of the sync service: buckets with their operations, and the lines that a client is sent.
//!
//! It gives checksums as the reference service does (docs/reference/protocol.md#checksums), hands out operation ids,
//! and knows what a client must show in the end ([`Service::rows`]). It models no users, streams or network: a test
//! says which lines it wants in which order.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// What an operation does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// The row has this content (JSON text) now.
    Put(String),
    /// The row is gone.
    Remove,
    /// An operation whose row went elsewhere; only its checksum is left.
    Move,
    /// Everything before is gone.
    Clear,
}

/// One operation of a bucket.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Its id, unique in the service and ascending in each bucket.
    pub op_id: i64,
    /// What it does.
    pub action: Action,
    /// Type of its row; empty for MOVE and CLEAR.
    pub row_type: String,
    /// Id of its row; empty for MOVE and CLEAR.
    pub row_id: String,
    /// Distinguishes rows of one type and id within a bucket.
    pub subkey: Option<String>,
    /// Its checksum.
    pub checksum: u32,
}

impl Operation {
    /// The operation as a member of a data line.
    pub fn to_json(&self) -> Value {
        let mut entry = json!({ "op_id": self.op_id.to_string(), "checksum": self.checksum });
        let name = match &self.action {
            Action::Put(data) => {
                entry["data"] = data.as_str().into();
                "PUT"
            }
            Action::Remove => "REMOVE",
            Action::Move => "MOVE",
            Action::Clear => "CLEAR",
        };
        entry["op"] = name.into();
        if matches!(self.action, Action::Put(_) | Action::Remove) {
            entry["object_type"] = self.row_type.as_str().into();
            entry["object_id"] = self.row_id.as_str().into();
            entry["subkey"] = self.subkey.as_deref().into();
        }
        entry
    }
}

/// The checksum of a PUT.
pub fn put_checksum(row_type: &str, row_id: &str, data: &str) -> u32 {
    checksum(&format!("put.{row_type}.{row_id}.{data}"))
}

/// The checksum of a REMOVE.
pub fn remove_checksum(subkey: Option<&str>) -> u32 {
    checksum(&format!("delete.{}", subkey.unwrap_or("null")))
}

fn checksum(text: &str) -> u32 {
    let hash = Sha256::digest(text);
    u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]])
}

/// One bucket: its priority and its operations in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Bucket {
    /// 0 (most urgent) to 3.
    pub priority: i64,
    /// The operations that a new client is sent.
    pub operations: Vec<Operation>,
    /// The `subscriptions` member of the bucket's description; JSON null for none.
    pub subscriptions: Value,
}

impl Bucket {
    /// Sum of all checksums, mod 2³².
    pub fn checksum(&self) -> u32 {
        self.operations.iter().fold(0, |sum, operation| sum.wrapping_add(operation.checksum))
    }

    fn describe(&self, name: &str) -> Value {
        let mut description = json!({
            "bucket": name, "checksum": self.checksum().cast_signed(), "priority": self.priority,
            "count": self.operations.len(),
        });
        if !self.subscriptions.is_null() {
            description["subscriptions"] = self.subscriptions.clone();
        }
        description
    }
}

/// The model service. Buckets are made on first use, with priority 3.
#[derive(Debug, Clone, Default)]
pub struct Service {
    /// The newest operation id handed out.
    pub last_op_id: i64,
    /// Acknowledged write checkpoint, sent with every checkpoint while it is set.
    pub write_checkpoint: Option<i64>,
    /// The `streams` member of checkpoint lines.
    pub streams: Vec<Value>,
    /// All buckets by name.
    pub buckets: BTreeMap<String, Bucket>,
}

impl Service {
    /// A service without buckets.
    pub fn new() -> Self {
        Self::default()
    }

    /// The bucket of this name, made if there is none.
    pub fn bucket(&mut self, name: &str) -> &mut Bucket {
        self.buckets.entry(name.to_owned()).or_insert_with(|| Bucket {
            priority: 3,
            operations: Vec::new(),
            subscriptions: Value::Null,
        })
    }

    /// Adds a PUT without subkey and gives its id.
    pub fn put(&mut self, bucket: &str, row_type: &str, row_id: &str, data: &Value) -> i64 {
        self.put_text(bucket, row_type, row_id, None, &data.to_string())
    }

    /// Adds a PUT of exactly this text and gives its id.
    pub fn put_text(&mut self, bucket: &str, row_type: &str, row_id: &str, subkey: Option<&str>, data: &str) -> i64 {
        let checksum = put_checksum(row_type, row_id, data);
        self.push(bucket, Action::Put(data.to_owned()), (row_type, row_id, subkey), checksum)
    }

    /// Adds a REMOVE without subkey and gives its id.
    pub fn remove(&mut self, bucket: &str, row_type: &str, row_id: &str) -> i64 {
        self.remove_subkey(bucket, row_type, row_id, None)
    }

    /// Adds a REMOVE of the row with this subkey and gives its id.
    pub fn remove_subkey(&mut self, bucket: &str, row_type: &str, row_id: &str, subkey: Option<&str>) -> i64 {
        self.push(bucket, Action::Remove, (row_type, row_id, subkey), remove_checksum(subkey))
    }

    fn push(&mut self, bucket: &str, action: Action, row: (&str, &str, Option<&str>), checksum: u32) -> i64 {
        self.last_op_id += 1;
        let op_id = self.last_op_id;
        let (row_type, row_id, subkey) = (row.0.to_owned(), row.1.to_owned(), row.2.map(str::to_owned));
        let operation = Operation { op_id, action, row_type, row_id, subkey, checksum };
        self.bucket(bucket).operations.push(operation);
        op_id
    }

    /// Compacts a bucket as services do: operations that later ones supersede become MOVE with the same checksum.
    pub fn compact(&mut self, bucket: &str) {
        let operations = &mut self.bucket(bucket).operations;
        let mut seen = std::collections::BTreeSet::new();
        for operation in operations.iter_mut().rev() {
            let key = (operation.row_type.clone(), operation.row_id.clone(), operation.subkey.clone());
            let is_row = matches!(operation.action, Action::Put(_) | Action::Remove);
            if is_row && !seen.insert(key) {
                operation.action = Action::Move;
                (operation.row_type, operation.row_id, operation.subkey) = Default::default();
            }
        }
    }

    /// Replaces a bucket's first operations, up to the last before its first current PUT, by one CLEAR with the sum of
    /// their checksums and the id of the last of them.
    pub fn clear_start(&mut self, bucket: &str) {
        self.compact(bucket);
        let operations = &mut self.bucket(bucket).operations;
        let is_put = |operation: &Operation| matches!(operation.action, Action::Put(_));
        let count = operations.iter().position(is_put).unwrap_or(operations.len());
        let replaced: Vec<Operation> = operations.drain(..count).collect();
        if let Some(last) = replaced.last() {
            let checksum = replaced.iter().fold(0, |sum: u32, operation| sum.wrapping_add(operation.checksum));
            let (row_type, row_id) = Default::default();
            let clear =
                Operation { op_id: last.op_id, action: Action::Clear, row_type, row_id, subkey: None, checksum };
            operations.insert(0, clear);
        }
    }

    /// A `checkpoint` line over all buckets.
    pub fn checkpoint(&self) -> Value {
        let buckets: Vec<Value> = self.buckets.iter().map(|(name, bucket)| bucket.describe(name)).collect();
        json!({ "checkpoint": {
            "last_op_id": self.last_op_id.to_string(),
            "write_checkpoint": self.write_checkpoint.map(|id| id.to_string()),
            "buckets": buckets,
            "streams": self.streams,
        }})
    }

    /// A `checkpoint_diff` line that gives the present state of `updated` buckets and drops `removed` ones.
    pub fn checkpoint_diff(&self, updated: &[&str], removed: &[&str]) -> Value {
        let updated: Vec<Value> = updated.iter().map(|name| self.buckets[*name].describe(name)).collect();
        json!({ "checkpoint_diff": {
            "last_op_id": self.last_op_id.to_string(),
            "write_checkpoint": self.write_checkpoint.map(|id| id.to_string()),
            "updated_buckets": updated,
            "removed_buckets": removed,
        }})
    }

    /// A `data` line with all operations of a bucket that are newer than `after`.
    pub fn data(&self, bucket: &str, after: i64) -> Value {
        let newer = self.buckets[bucket].operations.iter().filter(|operation| operation.op_id > after);
        let operations: Vec<Value> = newer.map(Operation::to_json).collect();
        json!({ "data": {
            "bucket": bucket, "after": after.to_string(), "has_more": false, "data": operations,
            "next_after": self.last_op_id.to_string(),
        }})
    }

    /// A `checkpoint_complete` line.
    pub fn complete(&self) -> Value {
        json!({ "checkpoint_complete": { "last_op_id": self.last_op_id.to_string() } })
    }

    /// A `partial_checkpoint_complete` line.
    pub fn partial_complete(&self, priority: i64) -> Value {
        json!({ "partial_checkpoint_complete": { "last_op_id": self.last_op_id.to_string(), "priority": priority } })
    }

    /// All lines for a client that holds nothing newer than `after`: checkpoint, data, complete.
    pub fn lines(&self, after: i64) -> Vec<Value> {
        let has_newer = |bucket: &Bucket| bucket.operations.last().is_some_and(|last| last.op_id > after);
        let changed = self.buckets.iter().filter(|(_, bucket)| has_newer(bucket));
        let data = changed.map(|(name, _)| self.data(name, after));
        std::iter::once(self.checkpoint()).chain(data).chain([self.complete()]).collect()
    }

    /// What a client must show after all of it: row content (JSON text) by type and id.
    pub fn rows(&self) -> BTreeMap<(String, String), String> {
        winners(self.buckets.values().flat_map(|bucket| current(&bucket.operations)))
    }
}

/// The PUT operations of one bucket that no later operation of the bucket supersedes.
pub fn current(operations: &[Operation]) -> Vec<&Operation> {
    let mut rows = BTreeMap::new();
    for operation in operations {
        let key = (&operation.row_type, &operation.row_id, &operation.subkey);
        match operation.action {
            Action::Put(_) => {
                rows.insert(key, operation);
            }
            Action::Remove => {
                rows.remove(&key);
            }
            Action::Clear => rows.clear(),
            Action::Move => {}
        }
    }
    rows.into_values().collect()
}

/// For each type and id the content of the newest operation.
pub fn winners<'o>(operations: impl Iterator<Item = &'o Operation>) -> BTreeMap<(String, String), String> {
    let mut newest: BTreeMap<(String, String), (i64, String)> = BTreeMap::new();
    for operation in operations {
        if let Action::Put(data) = &operation.action {
            let row = newest.entry((operation.row_type.clone(), operation.row_id.clone())).or_default();
            if operation.op_id > row.0 {
                *row = (operation.op_id, data.clone());
            }
        }
    }
    newest.into_iter().map(|(row, (_, data))| (row, data)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_reference_service() {
        // The first operation of a recorded stream.
        assert_eq!(put_checksum("regions", "eu", r#"{"id":"eu","name":"Europe"}"#), 1_887_670_837);
        let subkey = "8175f12e-bfe1-4ca3-8545-d4e7eb014e08/af4af2e7-c599-540f-aa9a-be9533ea5a62";
        assert_eq!(remove_checksum(Some(subkey)), 68_080_411);
    }

    #[test]
    fn compaction_keeps_rows_and_checksums() {
        let mut service = Service::new();
        for number in 0..5 {
            service.put("a", "t", &(number % 2).to_string(), &json!({ "n": number }));
        }
        service.remove("a", "t", "0");
        let (rows, checksum) = (service.rows(), service.buckets["a"].checksum());
        assert_eq!(rows.len(), 1);
        service.compact("a");
        assert_eq!((service.rows(), service.buckets["a"].checksum()), (rows.clone(), checksum));
        service.clear_start("a");
        assert_eq!((service.rows(), service.buckets["a"].checksum()), (rows, checksum));
        let actions: Vec<_> = service.buckets["a"].operations.iter().map(|operation| &operation.action).collect();
        assert!(matches!(actions[..], [Action::Clear, Action::Put(_), Action::Move, Action::Remove]), "{actions:?}");
    }

    #[test]
    fn the_newest_operation_of_any_bucket_wins() {
        let mut service = Service::new();
        service.put("a", "t", "1", &json!({ "from": "a" }));
        service.put("b", "t", "1", &json!({ "from": "b" }));
        assert_eq!(service.rows()[&("t".into(), "1".into())], r#"{"from":"b"}"#);
        service.remove("b", "t", "1");
        assert_eq!(service.rows()[&("t".into(), "1".into())], r#"{"from":"a"}"#);
    }
}
