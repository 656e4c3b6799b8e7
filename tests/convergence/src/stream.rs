//! The service's side of one connection: what was announced to the client, and which operations were sent.

use std::collections::{BTreeMap, BTreeSet};

use rowtide_testkit::service::{Operation, current};
use serde_json::{Value, json};

use crate::backend::Backend;
use crate::rows::Key;

/// A bucket as it was announced.
#[derive(Debug, Clone)]
pub struct AnnouncedBucket {
    /// 0 (most urgent) to 3.
    pub priority: i64,
    /// All of its operations.
    pub operations: Vec<Operation>,
    description: Value,
}

/// A checkpoint that was announced to a client.
#[derive(Debug, Clone)]
pub struct Announced {
    /// By name.
    pub buckets: BTreeMap<String, AnnouncedBucket>,
    /// Its newest operation.
    pub last_op_id: i64,
    /// The write checkpoint that it acknowledges.
    pub write_checkpoint: Option<i64>,
    /// The position in the source database that it includes.
    pub position: u64,
    /// The bucket that was announced with a wrong checksum.
    pub wrong: Option<String>,
}

impl Announced {
    /// Whether a row is in any of its buckets.
    pub fn has(&self, key: &Key) -> bool {
        self.buckets.values().any(|bucket| {
            current(&bucket.operations).iter().any(|row| row.row_type == key.0.name() && row.row_id == key.1)
        })
    }

    /// The buckets up to a priority number; None: all.
    pub fn involved(&self, limit: Option<i64>) -> BTreeSet<&str> {
        let in_limit = |bucket: &AnnouncedBucket| limit.is_none_or(|limit| bucket.priority <= limit);
        self.buckets.iter().filter(|(_, bucket)| in_limit(bucket)).map(|(name, _)| name.as_str()).collect()
    }
}

/// One connection.
#[derive(Debug)]
pub struct Stream {
    /// What was announced last.
    pub announced: Option<Announced>,
    /// Everything of it was sent, and that it is complete.
    pub is_complete: bool,
    /// The client keeps it until its writes are acknowledged.
    pub is_waiting: bool,
    sent: BTreeMap<String, i64>,
}

impl Stream {
    /// A connection to a client that holds these buckets, each up to an operation.
    pub fn new(held: BTreeMap<String, i64>) -> Self {
        Self { announced: None, is_complete: false, is_waiting: false, sent: held }
    }

    /// The service's present state for a client, and the line that announces it. `wrong_checksum` chooses a bucket
    /// whose checksum the line gives wrong, if it names any.
    pub fn announce(&self, backend: &mut Backend, client: usize, wrong_checksum: Option<u8>) -> (Announced, Value) {
        let names = backend.buckets_of(client);
        let position = backend.replicated_position();
        let service = backend.service_for(client);
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let mut line = service.checkpoint_diff(&names, &[]);
        let diff = &mut line["checkpoint_diff"];
        let descriptions = diff["updated_buckets"].as_array().cloned().unwrap_or_default();
        let mut buckets = BTreeMap::new();
        for (name, description) in names.iter().zip(descriptions) {
            let bucket = &service.buckets[*name];
            let (priority, operations) = (bucket.priority, bucket.operations.clone());
            buckets.insert((*name).to_owned(), AnnouncedBucket { priority, operations, description });
        }
        let mut told: Vec<Value> = buckets
            .iter()
            .filter(|(name, bucket)| self.described(name) != Some(&bucket.description))
            .map(|(_, bucket)| bucket.description.clone())
            .collect();
        let wrong = wrong_checksum.filter(|_| !told.is_empty()).map(|index| {
            let index = usize::from(index) % told.len();
            let bucket = &mut told[index];
            bucket["checksum"] = (bucket["checksum"].as_i64().unwrap_or(0) ^ 1).into();
            bucket["bucket"].as_str().unwrap_or_default().to_owned()
        });
        let (last_op_id, write_checkpoint) = (service.last_op_id, service.write_checkpoint);
        let line = match &self.announced {
            Some(before) => {
                diff["updated_buckets"] = told.into();
                diff["removed_buckets"] =
                    before.buckets.keys().filter(|name| !buckets.contains_key(*name)).cloned().collect();
                line
            }
            None => json!({"checkpoint": {
                "last_op_id": last_op_id.to_string(), "buckets": told, "streams": [],
                "write_checkpoint": write_checkpoint.map(|id| id.to_string()),
            }}),
        };
        (Announced { buckets, last_op_id, write_checkpoint, position, wrong }, line)
    }

    /// What was last announced, correctly, about a bucket.
    fn described(&self, bucket: &str) -> Option<&Value> {
        let announced = self.announced.as_ref().filter(|announced| announced.wrong.as_deref() != Some(bucket));
        announced?.buckets.get(bucket).map(|bucket| &bucket.description)
    }

    /// The client took the announcement.
    pub fn announced(&mut self, announced: Announced) {
        self.sent.retain(|name, _| announced.buckets.contains_key(name));
        self.announced = Some(announced);
        (self.is_complete, self.is_waiting) = (false, false);
    }

    /// The next operations, at most `size` of one bucket, of buckets up to a priority number.
    pub fn next_data(&self, size: usize, limit: i64) -> Option<(String, Vec<Operation>)> {
        let announced = self.announced.as_ref()?;
        let mut buckets: Vec<_> = announced.buckets.iter().filter(|(_, bucket)| bucket.priority <= limit).collect();
        buckets.sort_by_key(|(_, bucket)| bucket.priority);
        buckets.into_iter().find_map(|(name, bucket)| {
            let sent = self.sent.get(name).copied().unwrap_or(0);
            let next = bucket.operations.iter().filter(|operation| operation.op_id > sent);
            let operations: Vec<Operation> = next.take(size.max(1)).cloned().collect();
            (!operations.is_empty()).then(|| (name.clone(), operations))
        })
    }

    /// Up to which operation the client takes a bucket as received.
    pub fn position(&self, bucket: &str) -> i64 {
        self.sent.get(bucket).copied().unwrap_or(0)
    }

    /// The client took these operations.
    pub fn sent(&mut self, bucket: &str, operations: &[Operation]) {
        if let Some(last) = operations.last() {
            let sent = self.sent.entry(bucket.to_owned()).or_default();
            *sent = (*sent).max(last.op_id);
        }
    }
}

/// A data line.
pub fn data_line(bucket: &str, operations: &[Operation]) -> Value {
    let data: Vec<Value> = operations.iter().map(Operation::to_json).collect();
    json!({"data": {"bucket": bucket, "has_more": false, "data": data}})
}
