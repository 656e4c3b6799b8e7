//! What a sync service sends: keeps the checksum and length of each bucket, and writes the lines of the sync protocol.
//!
//! Checksums are random, as clients only add them up. Unlike the model service of the tests it forgets the operations
//! that it wrote, so that large streams are made fast.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use rowtide_driver::stream::Line;
use rowtide_testkit::bson;

use crate::rows::{Rows, quoted, uuid};

/// Operations in one line, at most, as services send them.
pub(crate) const OPERATIONS_PER_LINE: usize = 1000;

/// How the lines of a stream are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// JSON text.
    Json,
    /// BSON documents.
    Bson,
}

impl Encoding {
    /// The line of this JSON text.
    pub(crate) fn line(self, json: String) -> Line {
        match self {
            Encoding::Json => Line::Text(json),
            Encoding::Bson => Line::Binary(bson::encode(&serde_json::from_str(&json).unwrap_or_default())),
        }
    }
}

#[derive(Debug, Clone)]
struct Bucket {
    checksum: u32,
    count: usize,
    priority: u8,
    subscriptions: String,
}

/// The buckets of a service, in the order in which they were made.
#[derive(Debug, Clone, Default)]
pub(crate) struct Service {
    names: Vec<String>,
    buckets: HashMap<String, Bucket>,
    last_op_id: u64,
    streams: Option<&'static str>,
}

impl Service {
    /// A service without buckets. `streams` is the member of that name of its checkpoints, a list in JSON.
    pub(crate) fn with_streams(streams: &'static str) -> Self {
        Service { streams: Some(streams), ..Service::default() }
    }

    /// Makes a bucket without operations. `subscriptions` is its member of that name, a list in JSON.
    pub(crate) fn add_bucket(&mut self, name: &str, priority: u8, subscriptions: &str) {
        self.names.push(name.to_owned());
        let bucket = Bucket { checksum: 0, count: 0, priority, subscriptions: subscriptions.to_owned() };
        self.buckets.insert(name.to_owned(), bucket);
    }

    /// The names of all buckets.
    pub(crate) fn names(&self) -> &[String] {
        &self.names
    }

    /// Adds a PUT to a bucket, and gives the entry of a data line.
    pub(crate) fn put(&mut self, rows: &mut Rows, bucket: &str, table: &str, id: &str, data: &str) -> String {
        let (op_id, checksum) = self.add(rows, bucket);
        let (subkey, data) = (subkey(table, id), quoted(data));
        format!(
            r#"{{"op_id":"{op_id}","op":"PUT","object_type":"{table}","object_id":"{id}","checksum":{checksum},"subkey":"{subkey}","data":{data}}}"#
        )
    }

    /// Adds a REMOVE to a bucket, and gives the entry of a data line.
    pub(crate) fn remove(&mut self, rows: &mut Rows, bucket: &str, table: &str, id: &str) -> String {
        let (op_id, checksum) = self.add(rows, bucket);
        let subkey = subkey(table, id);
        format!(
            r#"{{"op_id":"{op_id}","op":"REMOVE","object_type":"{table}","object_id":"{id}","checksum":{checksum},"subkey":"{subkey}","data":null}}"#
        )
    }

    fn add(&mut self, rows: &mut Rows, bucket: &str) -> (u64, u32) {
        let checksum = rows.checksum();
        if let Some(bucket) = self.buckets.get_mut(bucket) {
            bucket.checksum = bucket.checksum.wrapping_add(checksum);
            bucket.count += 1;
        }
        self.last_op_id += 1;
        (self.last_op_id, checksum)
    }

    /// A `checkpoint` with all buckets.
    pub(crate) fn checkpoint(&self) -> String {
        self.checkpoint_of(&self.names)
    }

    /// A `checkpoint` with some of the buckets.
    pub(crate) fn checkpoint_of(&self, names: &[String]) -> String {
        let (last_op_id, buckets) = (self.last_op_id, self.describe(names));
        let streams = self.streams.map(|streams| format!(r#","streams":{streams}"#)).unwrap_or_default();
        format!(
            r#"{{"checkpoint":{{"last_op_id":"{last_op_id}","write_checkpoint":null,"buckets":[{buckets}]{streams}}}}}"#
        )
    }

    /// A `checkpoint_diff` in which these buckets have changed.
    pub(crate) fn diff(&self, changed: &[String]) -> String {
        let (last_op_id, updated) = (self.last_op_id, self.describe(changed));
        format!(
            r#"{{"checkpoint_diff":{{"last_op_id":"{last_op_id}","write_checkpoint":null,"updated_buckets":[{updated}],"removed_buckets":[]}}}}"#
        )
    }

    /// A `checkpoint_complete`.
    pub(crate) fn complete(&self) -> String {
        format!(r#"{{"checkpoint_complete":{{"last_op_id":"{}"}}}}"#, self.last_op_id)
    }

    /// A `partial_checkpoint_complete`.
    pub(crate) fn partial_complete(&self, priority: u8) -> String {
        let last_op_id = self.last_op_id;
        format!(r#"{{"partial_checkpoint_complete":{{"last_op_id":"{last_op_id}","priority":{priority}}}}}"#)
    }

    fn describe(&self, names: &[String]) -> String {
        let descriptions = names.iter().filter_map(|name| {
            let Bucket { checksum, count, priority, subscriptions } = self.buckets.get(name)?;
            let name = quoted(name);
            Some(format!(
                r#"{{"bucket":{name},"priority":{priority},"checksum":{checksum},"count":{count},"subscriptions":{subscriptions}}}"#
            ))
        });
        descriptions.collect::<Vec<_>>().join(",")
    }
}

/// A `data` line; entries are those of [`Service::put`] and [`Service::remove`].
pub(crate) fn data(bucket: &str, entries: &[String], has_more: bool) -> String {
    let (bucket, entries) = (quoted(bucket), entries.join(","));
    format!(r#"{{"data":{{"bucket":{bucket},"after":"0","has_more":{has_more},"data":[{entries}],"next_after":"0"}}}}"#)
}

/// The `data` lines of one bucket, with up to [`OPERATIONS_PER_LINE`] entries each.
pub(crate) fn data_lines(bucket: &str, entries: &[String]) -> Vec<String> {
    let chunks = entries.chunks(OPERATIONS_PER_LINE);
    let last = chunks.len().saturating_sub(1);
    chunks.enumerate().map(|(number, chunk)| data(bucket, chunk, number < last)).collect()
}

/// 61 characters, as the reference service makes them of the table and of the row.
fn subkey(table: &str, id: &str) -> String {
    let hash = |part: &str, salt: u8| {
        let mut hasher = DefaultHasher::new();
        (part, salt).hash(&mut hasher);
        hasher.finish()
    };
    let row = uuid(u128::from(hash(id, 0)) << 64 | u128::from(hash(id, 1)));
    format!("{:016x}{:08x}/{row}", hash(table, 0), hash(table, 1) >> 32)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn parse(line: &str) -> Value {
        serde_json::from_str(line).unwrap()
    }

    #[test]
    fn buckets_have_the_sum_of_their_operations() {
        let (mut service, mut rows) = (Service::default(), Rows::new(1));
        service.add_bucket("a[\"1\"]", 2, "[]");
        let put = parse(&service.put(&mut rows, "a[\"1\"]", "items", "x", "{\"n\":\"\\\"\"}"));
        let remove = parse(&service.remove(&mut rows, "a[\"1\"]", "items", "x"));
        let sum = put["checksum"].as_u64().unwrap() + remove["checksum"].as_u64().unwrap();
        let checkpoint = parse(&service.checkpoint());
        let bucket = json!({"bucket": "a[\"1\"]", "priority": 2, "checksum": sum & 0xffff_ffff, "count": 2, "subscriptions": []});
        assert_eq!(checkpoint["checkpoint"]["buckets"], json!([bucket]));
        assert_eq!(checkpoint["checkpoint"]["last_op_id"], "2");
        assert_eq!(put["subkey"], remove["subkey"]);
        assert_eq!(put["subkey"].as_str().unwrap().len(), 61);
        assert_eq!(put["data"], "{\"n\":\"\\\"\"}");
        assert_eq!(parse(&service.diff(service.names()))["checkpoint_diff"]["updated_buckets"], json!([bucket]));
    }

    #[test]
    fn long_buckets_take_several_lines() {
        let entries = vec!["{}".to_owned(); OPERATIONS_PER_LINE + 1];
        let lines = data_lines("a", &entries);
        let counts: Vec<usize> =
            lines.iter().map(|line| parse(line)["data"]["data"].as_array().unwrap().len()).collect();
        assert_eq!(counts, [OPERATIONS_PER_LINE, 1]);
        assert_eq!(parse(&lines[0])["data"]["has_more"], true);
        assert_eq!(parse(&lines[1])["data"]["has_more"], false);
    }
}
