//! A model of the client: what it keeps of a stream, and what it requires of lines.

use std::collections::BTreeMap;

use rowtide_protocol::{BucketChecksum, DataLine, Operation, SubscriptionReason, SyncLine};

use crate::request::ClientBucket;

/// Rows by type, id and subkey: data and checksum.
type Rows = BTreeMap<(String, String, String), (String, u32)>;

#[derive(Clone, Debug, Default)]
struct Bucket {
    rows: Rows,
    /// Of operations that have left nothing else.
    other: u32,
    last_op: i64,
}

impl Bucket {
    fn checksum(&self) -> u32 {
        self.rows.values().fold(self.other, |sum, (_, checksum)| sum.wrapping_add(*checksum))
    }
}

#[derive(Clone, Debug)]
struct Wanted {
    checksum: u32,
    priority: u8,
}

#[derive(Clone, Debug)]
struct Target {
    op_id: i64,
    buckets: BTreeMap<String, Wanted>,
    is_complete: bool,
    /// Data of a priority up to this one may not come any more.
    done: Option<u8>,
    at: u8,
}

/// A client. It survives its connections.
#[derive(Clone, Debug, Default)]
pub(super) struct Model {
    buckets: BTreeMap<String, Bucket>,
    target: Option<Target>,
    /// Rows by bucket, as of the last complete checkpoint.
    pub(super) published: BTreeMap<String, BTreeMap<(String, String), String>>,
    pub(super) acknowledged: Option<i64>,
    /// Operations received.
    pub(super) operations: usize,
    /// Complete checkpoints so far.
    pub(super) completed: usize,
}

impl Model {
    /// The positions for the next request.
    pub(super) fn positions(&self) -> Vec<ClientBucket> {
        let buckets = self.buckets.iter();
        buckets.map(|(name, bucket)| ClientBucket { name: name.as_str().into(), after: bucket.last_op }).collect()
    }

    /// The connection is gone.
    pub(super) fn disconnect(&mut self) {
        self.target = None;
    }

    /// Takes a line, and describes it in short.
    pub(super) fn apply(&mut self, line: &SyncLine<'_>) -> String {
        match line {
            SyncLine::Checkpoint(line) => {
                let buckets: BTreeMap<_, _> = line.buckets.iter().map(wanted).collect();
                assert_eq!(buckets.len(), line.buckets.len(), "each bucket once");
                self.buckets.retain(|name, _| buckets.contains_key(name));
                self.target(line.last_op_id, line.write_checkpoint, buckets);
                let streams = line.streams.iter().map(|stream| {
                    let errors: Vec<&str> = stream.errors.iter().map(|error| error.message).collect();
                    let default = if stream.is_default { "*" } else { "" };
                    format!(" {}{default}{}", stream.name, if errors.is_empty() { "" } else { "!" })
                });
                let buckets: String = line.buckets.iter().map(listed).collect();
                format!(
                    "checkpoint {}{}:{buckets} |{}",
                    line.last_op_id,
                    ack(line.write_checkpoint),
                    streams.collect::<String>()
                )
            }
            SyncLine::CheckpointDiff(line) => {
                let mut buckets = self.target.take().expect("a diff has a target before it").buckets;
                let mut text = format!("diff {}{}:", line.last_op_id, ack(line.write_checkpoint));
                for name in &line.removed_buckets {
                    assert!(buckets.remove(*name).is_some(), "{name} was known");
                    self.buckets.remove(*name);
                    text.push_str(&format!(" -{name}"));
                }
                for bucket in &line.updated_buckets {
                    text.push_str(&listed(bucket));
                }
                buckets.extend(line.updated_buckets.iter().map(wanted));
                self.target(line.last_op_id, line.write_checkpoint, buckets);
                text
            }
            SyncLine::Data(line) => self.data(line),
            SyncLine::CheckpointComplete(line) => {
                self.complete(3, line.last_op_id);
                self.target.as_mut().unwrap().is_complete = true;
                for bucket in self.buckets.values_mut() {
                    bucket.last_op = line.last_op_id;
                }
                self.completed += 1;
                let rows = |bucket: &Bucket| {
                    let rows = bucket.rows.iter();
                    rows.map(|((kind, id, _), (data, _))| ((kind.clone(), id.clone()), data.clone())).collect()
                };
                self.published = self.buckets.iter().map(|(name, bucket)| (name.clone(), rows(bucket))).collect();
                format!("complete {}", line.last_op_id)
            }
            SyncLine::PartialCheckpointComplete(line) => {
                let priority = line.priority.get();
                self.complete(priority, line.last_op_id);
                let target = self.target.as_mut().unwrap();
                assert!(target.done.is_none_or(|done| done < priority), "partial complete lines ascend");
                target.done = Some(priority);
                format!("partial {} p{priority}", line.last_op_id)
            }
            SyncLine::KeepAlive { token_expires_in } => format!("expires {token_expires_in}"),
            SyncLine::Unknown { name } => panic!("unknown line {name}"),
        }
    }

    fn target(&mut self, op_id: i64, acknowledged: Option<i64>, buckets: BTreeMap<String, Wanted>) {
        assert!(acknowledged >= self.acknowledged, "what was acknowledged stays acknowledged");
        self.acknowledged = acknowledged;
        self.target = Some(Target { op_id, buckets, is_complete: false, done: None, at: 0 });
    }

    fn data(&mut self, line: &DataLine<'_>) -> String {
        let target = self.target.as_mut().expect("data have a target before them");
        let wanted = target.buckets.get(line.bucket).expect("data are of buckets of the target");
        assert!(!target.is_complete, "no data after the end");
        assert!(target.done.is_none_or(|done| done < wanted.priority), "no data of a priority that is complete");
        assert!(target.at <= wanted.priority, "the most urgent data come first");
        target.at = wanted.priority;
        let bucket = self.buckets.entry(line.bucket.to_owned()).or_default();
        assert!(!line.entries.is_empty());
        for entry in &line.entries {
            assert!(entry.op_id > bucket.last_op, "operations of a bucket ascend, and come once");
            assert!(entry.op_id <= target.op_id, "operations are part of the checkpoint");
            bucket.last_op = entry.op_id;
            let checksum = entry.checksum.get();
            let key = || {
                let text = |text: Option<&str>| text.unwrap().to_owned();
                (text(entry.row_type), text(entry.row_id), text(entry.subkey))
            };
            if matches!(entry.operation, Operation::Put | Operation::Remove)
                && let Some((_, old)) = bucket.rows.remove(&key())
            {
                bucket.other = bucket.other.wrapping_add(old);
            }
            match entry.operation {
                Operation::Put => {
                    bucket.rows.insert(key(), (entry.data.unwrap().to_owned(), checksum));
                }
                Operation::Remove | Operation::Move => bucket.other = bucket.other.wrapping_add(checksum),
                Operation::Clear => {
                    bucket.rows.clear();
                    bucket.other = checksum;
                }
            }
        }
        self.operations += line.entries.len();
        format!("data {} {} to {}", line.bucket, line.entries.len(), bucket.last_op)
    }

    fn complete(&self, priority: u8, op_id: i64) {
        let target = self.target.as_ref().expect("a complete line has a target before it");
        assert!(!target.is_complete, "one complete line");
        assert_eq!(target.op_id, op_id);
        for (name, wanted) in target.buckets.iter().filter(|(_, wanted)| wanted.priority <= priority) {
            let checksum = self.buckets.get(name).map_or(0, Bucket::checksum);
            assert_eq!(checksum, wanted.checksum, "checksum of {name}");
        }
        for name in self.buckets.keys() {
            assert!(target.buckets.contains_key(name), "{name} is kept without being part of the target");
        }
    }
}

fn wanted(bucket: &BucketChecksum<'_>) -> (String, Wanted) {
    (bucket.bucket.to_owned(), Wanted { checksum: bucket.checksum.get(), priority: bucket.priority.get() })
}

/// A bucket in short: name, priority, reasons.
fn listed(bucket: &BucketChecksum<'_>) -> String {
    let reasons = bucket.subscriptions.iter().map(|reason| match reason {
        SubscriptionReason::Default(number) => format!("d{number}"),
        SubscriptionReason::Subscription(number) => format!("s{number}"),
    });
    format!(" {} p{} {}", bucket.bucket, bucket.priority.get(), reasons.collect::<Vec<_>>().join(","))
}

fn ack(write_checkpoint: Option<i64>) -> String {
    write_checkpoint.map(|id| format!(" ack {id}")).unwrap_or_default()
}
