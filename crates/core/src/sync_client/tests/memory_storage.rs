//! A [`Storage`] in memory, with transactions that can be rolled back and calls that can be made to fail.

use std::collections::BTreeMap;
use std::string::{String, ToString};
use std::vec::Vec;

use rowtide_protocol::{Checksum, DataLine, Operation};

use crate::error::{Error, ErrorKind, Result};
use crate::sync_client::storage::{
    BucketId, ChangedBucket, Continuation, Finding, FindingKind, IterationState, NewSubscription, NewestCheckpoints,
    RequestFingerprint, RequestId, Scope, Storage, StoredBucket, StoredLine, StoredSubscription, Timestamp,
    UnpublishableOperation,
};

/// A bucket, as far as the state machine can see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct MemoryBucket {
    pub name: String,
    pub last_op: i64,
    pub checksum: Checksum,
    pub count_at_last: i64,
    pub count_since_last: i64,
    pub is_settled: bool,
    pub is_in_checkpoint: bool,
    pub requested_by: Option<RequestFingerprint>,
}

/// Everything that a transaction changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Data {
    pub buckets: BTreeMap<i64, MemoryBucket>,
    next_bucket: i64,
    pub subscriptions: Vec<StoredSubscription>,
    next_subscription: i64,
    pub request_ids: BTreeMap<&'static str, i64>,
    pub upload_queue: usize,
    /// What every publish warns of.
    pub untyped: Vec<String>,
    pub sync_times: BTreeMap<i64, Timestamp>,
    pub generation: i64,
    /// The iteration that was the last to change something.
    pub writer: i64,
    next_writer: i64,
    pub newest: NewestCheckpoints,
    /// Findings by kind and subject, with detail and how often in a row.
    pub findings: BTreeMap<(FindingKind, String), (String, usize)>,
    /// What was published: names of buckets by kind of publish, since the test last looked.
    pub published: Vec<(&'static str, Vec<String>)>,
}

impl Data {
    pub(super) fn bucket(&self, name: &str) -> Option<&MemoryBucket> {
        self.buckets.values().find(|bucket| bucket.name == name)
    }
}

#[derive(Debug, Default)]
pub(super) struct MemoryStorage {
    pub data: Data,
    committed: Data,
    has_noted_change: bool,
    has_undone_changes: bool,
    iteration: Option<MemoryIteration>,
    begun: Option<MemoryIteration>,
    /// Whether the iteration is the writer, if the call has asked.
    is_writer: Option<bool>,
    pub now: Timestamp,
    /// Calls made so far.
    pub calls: usize,
    /// The number of the call that fails.
    pub failing_call: Option<usize>,
}

#[derive(Debug, Clone, Copy)]
struct MemoryIteration {
    generation: i64,
    writer: i64,
    request: RequestFingerprint,
}

impl MemoryStorage {
    /// A call begins.
    pub(super) fn begin(&mut self) {
        self.is_writer = None;
    }

    /// Another connection has left these data.
    pub(super) fn take_over(&mut self, data: &Data) {
        self.data = data.clone();
        self.committed = data.clone();
    }

    pub(super) fn commit(&mut self) {
        self.committed = self.data.clone();
        self.has_noted_change = false;
    }

    pub(super) fn roll_back(&mut self) {
        self.data = self.committed.clone();
        self.begun = None;
        self.has_undone_changes |= core::mem::take(&mut self.has_noted_change);
    }

    fn count_call(&mut self) -> Result<()> {
        self.calls += 1;
        if self.failing_call == Some(self.calls) {
            return Err(Error::new(ErrorKind::Abort, "this call was made to fail"));
        }
        Ok(())
    }

    fn id_of(&self, name: &str) -> Option<i64> {
        self.data.buckets.iter().find(|(_, bucket)| bucket.name == name).map(|(id, _)| *id)
    }

    fn subscription(&mut self, id: i64) -> &mut StoredSubscription {
        let row = self.data.subscriptions.iter_mut().find(|row| row.id == id);
        row.expect("a subscription that is stored")
    }

    fn note_writer(&mut self) {
        match (self.is_writer.replace(true), self.iteration) {
            (Some(true), _) => {}
            (Some(false), Some(iteration)) => self.data.writer = iteration.writer,
            _ => self.data.writer = 0,
        }
    }

    fn last_op_of(&self, bucket: &MemoryBucket) -> i64 {
        if bucket.is_in_checkpoint { bucket.last_op.max(self.data.newest.completed) } else { bucket.last_op }
    }

    fn names(&self, changed: &[ChangedBucket]) -> Vec<String> {
        let mut names: Vec<_> = changed.iter().map(|bucket| self.data.buckets[&bucket.id.0].name.clone()).collect();
        names.sort();
        names
    }
}

const fn key(id: RequestId) -> &'static str {
    match id {
        RequestId::Target => "target",
        RequestId::LastSeen => "seen",
        RequestId::LastApplied => "applied",
        RequestId::LastRequested => "requested",
    }
}

impl Storage for MemoryStorage {
    fn now(&mut self) -> Result<Timestamp> {
        self.count_call()?;
        Ok(self.now)
    }

    fn client_id(&mut self) -> Result<String> {
        self.count_call()?;
        Ok("client".to_string())
    }

    fn begin_iteration(&mut self, request: RequestFingerprint) -> Result<NewestCheckpoints> {
        self.count_call()?;
        self.data.next_writer += 1;
        self.data.writer = self.data.next_writer;
        self.begun = Some(MemoryIteration { generation: self.data.generation, writer: self.data.writer, request });
        self.is_writer = Some(true);
        Ok(self.data.newest)
    }

    fn adopt_iteration(&mut self) {
        self.iteration = self.begun.take();
        self.has_noted_change = true;
        self.has_undone_changes = false;
    }

    fn iteration_state(&mut self) -> Result<IterationState> {
        self.count_call()?;
        let iteration = self.iteration.expect("an iteration that has begun");
        if self.has_undone_changes {
            return Ok(IterationState::Ended { for_other: false });
        }
        if self.data.generation != iteration.generation {
            return Ok(IterationState::Ended { for_other: true });
        }
        let (writer, newest) = (self.data.writer, self.data.newest);
        self.is_writer = Some(writer == iteration.writer);
        Ok(if writer == iteration.writer {
            IterationState::Current
        } else {
            IterationState::Outdated { newest, by_iteration: writer != 0 }
        })
    }

    fn prepare_to_note_change(&mut self) -> Result<()> {
        self.count_call()
    }

    fn track_change(&mut self) {
        self.has_noted_change = true;
    }

    fn visit_buckets(&mut self, visit: &mut dyn FnMut(StoredBucket<'_>) -> Result<()>) -> Result<()> {
        self.count_call()?;
        for (id, bucket) in &self.data.buckets {
            let request = self.iteration.map(|iteration| iteration.request);
            visit(StoredBucket {
                id: BucketId(*id),
                name: &bucket.name,
                last_op: self.last_op_of(bucket),
                is_in_checkpoint: bucket.is_in_checkpoint,
                is_of_other_request: bucket.requested_by.is_some() && bucket.requested_by != request,
                checksum: bucket.checksum,
                count_at_last: bucket.count_at_last,
                count_since_last: bucket.count_since_last,
                is_settled: bucket.is_settled,
            })?;
        }
        Ok(())
    }

    fn record_removal(&mut self, last_op_id: i64) -> Result<()> {
        self.count_call()?;
        self.note_writer();
        self.data.newest.removed = self.data.newest.removed.max(last_op_id);
        Ok(())
    }

    fn leave_checkpoint(&mut self, bucket: BucketId) -> Result<()> {
        self.count_call()?;
        self.note_writer();
        let last_op = self.last_op_of(&self.data.buckets[&bucket.0]);
        let bucket = self.data.buckets.get_mut(&bucket.0).expect("a bucket that is held");
        (bucket.last_op, bucket.is_in_checkpoint) = (last_op, false);
        Ok(())
    }

    fn delete_bucket(&mut self, name: &str) -> Result<()> {
        self.count_call()?;
        self.note_writer();
        if let Some(id) = self.id_of(name) {
            self.data.buckets.remove(&id);
        }
        Ok(())
    }

    fn reset_counts(&mut self, bucket: BucketId) -> Result<()> {
        self.count_call()?;
        self.note_writer();
        let bucket = self.data.buckets.get_mut(&bucket.0).expect("a bucket that is held");
        (bucket.count_at_last, bucket.count_since_last) = (0, 0);
        Ok(())
    }

    fn store_line(
        &mut self,
        line: &DataLine<'_>,
        _line_size: usize,
        continuation: Continuation,
    ) -> Result<Option<StoredLine>> {
        self.count_call()?;
        let stored = self.id_of(line.bucket);
        let held = stored.map_or(0, |id| self.last_op_of(&self.data.buckets[&id]));
        if held < continuation.after || stored.is_none() && !continuation.may_create {
            return Ok(None);
        }
        let requested_by = self.iteration.map(|iteration| iteration.request);
        let id = stored.unwrap_or_else(|| {
            self.note_writer();
            self.data.next_bucket += 1;
            let bucket = MemoryBucket {
                name: line.bucket.to_string(),
                last_op: 0,
                checksum: Checksum::ZERO,
                count_at_last: 0,
                count_since_last: 0,
                is_settled: false,
                is_in_checkpoint: false,
                requested_by,
            };
            self.data.buckets.insert(self.data.next_bucket, bucket);
            self.data.next_bucket
        });
        let bucket = self.data.buckets.get_mut(&id).expect("just made");
        let mut last_op = held;
        let mut stored = StoredLine {
            bucket: BucketId(id),
            new_operations: 0,
            count_at_last: bucket.count_at_last,
            count_since_last: bucket.count_since_last,
            unpublishable: Vec::new(),
        };
        for entry in &line.entries {
            if entry.op_id <= last_op {
                continue;
            }
            last_op = entry.op_id;
            bucket.last_op = entry.op_id;
            bucket.is_settled = false;
            bucket.count_since_last = bucket.count_since_last.saturating_add(1);
            stored.new_operations += 1;
            match entry.operation {
                Operation::Clear => bucket.checksum = entry.checksum,
                Operation::Put | Operation::Remove | Operation::Move => bucket.checksum += entry.checksum,
            }
            if entry.operation == Operation::Put && entry.row_id.is_none() {
                stored.unpublishable.push(UnpublishableOperation {
                    op_id: entry.op_id,
                    row_type: entry.row_type.map(String::from),
                    row_id: None,
                    reason: "it has no row id",
                });
            }
        }
        stored.count_since_last = bucket.count_since_last;
        if stored.new_operations > 0 {
            self.note_writer();
        }
        Ok(Some(stored))
    }

    fn last_op(&mut self, bucket: BucketId) -> Result<i64> {
        self.count_call()?;
        Ok(self.data.buckets.get(&bucket.0).map_or(0, |bucket| self.last_op_of(bucket)))
    }

    fn checksum(&mut self, bucket: BucketId) -> Result<Checksum> {
        self.count_call()?;
        Ok(self.data.buckets.get(&bucket.0).map_or(Checksum::ZERO, |bucket| bucket.checksum))
    }

    fn complete(&mut self, changed: &[ChangedBucket], last_op_id: i64, scope: Scope<'_>) -> Result<()> {
        self.count_call()?;
        self.note_writer();
        let is_full = matches!(scope, Scope::Full);
        for changed in changed {
            let bucket = self.data.buckets.get_mut(&changed.id.0).expect("a bucket that is held");
            bucket.last_op = bucket.last_op.max(last_op_id);
            bucket.is_in_checkpoint |= is_full;
        }
        if is_full {
            self.data.newest.completed = last_op_id;
        }
        Ok(())
    }

    fn publish(&mut self, changed: &[ChangedBucket], scope: Scope<'_>) -> Result<()> {
        self.count_call()?;
        self.note_writer();
        let names = self.names(changed);
        match scope {
            Scope::Full => {
                for changed in changed {
                    let bucket = self.data.buckets.get_mut(&changed.id.0).expect("a bucket that is held");
                    bucket.is_settled = true;
                    if let Some(count) = changed.count {
                        (bucket.count_at_last, bucket.count_since_last) = (count, 0);
                    }
                }
                self.data.published.push(("full", names));
            }
            Scope::Partial { is_involved } => {
                let involved = self.data.buckets.iter().filter(|(id, _)| is_involved(BucketId(**id)));
                let mut involved: Vec<_> = involved.map(|(_, bucket)| bucket.name.clone()).collect();
                involved.sort();
                self.data.published.push(("partial", names));
                self.data.published.push(("involved", involved));
            }
        }
        Ok(())
    }

    fn take_untyped(&mut self) -> Result<Vec<String>> {
        self.count_call()?;
        Ok(self.data.untyped.clone())
    }

    fn publish_around_local_writes(&mut self, changed: &[ChangedBucket], scope: Scope<'_>) -> Result<()> {
        self.count_call()?;
        self.note_writer();
        let kind =
            if matches!(scope, Scope::Full) { "full around local writes" } else { "partial around local writes" };
        self.data.published.push((kind, self.names(changed)));
        Ok(())
    }

    fn upload_queue_is_empty(&mut self) -> Result<bool> {
        self.count_call()?;
        Ok(self.data.upload_queue == 0)
    }

    fn explain_gate(&mut self, event: &str) -> Result<String> {
        self.count_call()?;
        Ok(std::format!("{event}reason"))
    }

    fn request_id(&mut self, id: RequestId) -> Result<Option<i64>> {
        self.count_call()?;
        Ok(self.data.request_ids.get(key(id)).copied())
    }

    fn set_request_id(&mut self, id: RequestId, value: Option<i64>) -> Result<()> {
        self.count_call()?;
        match value {
            Some(value) => self.data.request_ids.insert(key(id), value),
            None => self.data.request_ids.remove(key(id)),
        };
        Ok(())
    }

    fn sync_times(&mut self) -> Result<Vec<(i64, Timestamp)>> {
        self.count_call()?;
        Ok(self.data.sync_times.iter().map(|(priority, time)| (*priority, *time)).collect())
    }

    fn record_sync_time(&mut self, priority: i64, time: Timestamp) -> Result<()> {
        self.count_call()?;
        self.note_writer();
        self.data.sync_times.retain(|known, _| *known > priority);
        self.data.sync_times.insert(priority, time);
        Ok(())
    }

    fn subscriptions(&mut self) -> Result<Vec<StoredSubscription>> {
        self.count_call()?;
        Ok(self.data.subscriptions.clone())
    }

    fn delete_unreadable_subscriptions(&mut self) -> Result<Vec<Error>> {
        self.count_call()?;
        Ok(Vec::new())
    }

    fn find_subscription(&mut self, subscription: NewSubscription<'_>) -> Result<Option<StoredSubscription>> {
        self.count_call()?;
        let NewSubscription { stream_name, parameters } = subscription;
        let matches = |row: &&StoredSubscription| row.stream_name == stream_name && row.parameters == parameters;
        Ok(self.data.subscriptions.iter().find(matches).cloned())
    }

    fn find_or_insert_subscription(&mut self, subscription: NewSubscription<'_>) -> Result<StoredSubscription> {
        self.count_call()?;
        self.note_writer();
        let NewSubscription { stream_name, parameters } = subscription;
        let known = self.data.subscriptions.iter();
        if let Some(row) = known.clone().find(|row| row.stream_name == stream_name && row.parameters == parameters) {
            return Ok(row.clone());
        }
        self.data.next_subscription += 1;
        let row = StoredSubscription {
            id: self.data.next_subscription,
            stream_name: stream_name.to_string(),
            parameters: parameters.to_string(),
            active: false,
            is_default: false,
            local_priority: None,
            ttl: None,
            expires_at: None,
            last_synced_at: None,
        };
        self.data.subscriptions.push(row.clone());
        Ok(row)
    }

    fn update_explicit_subscription(&mut self, subscription: &StoredSubscription) -> Result<()> {
        self.count_call()?;
        self.note_writer();
        let row = self.subscription(subscription.id);
        row.ttl = subscription.ttl;
        row.expires_at = subscription.expires_at;
        row.local_priority = subscription.local_priority;
        Ok(())
    }

    fn describe_subscription(&mut self, id: i64, active: bool, is_default: bool) -> Result<()> {
        self.count_call()?;
        self.note_writer();
        let row = self.subscription(id);
        (row.active, row.is_default) = (active, is_default);
        Ok(())
    }

    fn record_subscription_sync(&mut self, id: i64, time: Timestamp) -> Result<()> {
        self.count_call()?;
        self.note_writer();
        self.subscription(id).last_synced_at = Some(time);
        Ok(())
    }

    fn delete_subscription(&mut self, id: i64) -> Result<()> {
        self.count_call()?;
        self.note_writer();
        self.data.subscriptions.retain(|row| row.id != id);
        Ok(())
    }

    fn record_findings(
        &mut self,
        kind: FindingKind,
        found: &[Finding<'_>],
        is_looked_at: &dyn Fn(&str) -> bool,
    ) -> Result<()> {
        self.count_call()?;
        let is_found = |subject: &str| found.iter().any(|found| found.subject == subject);
        self.data.findings.retain(|(of, subject), _| *of != kind || !is_looked_at(subject) || is_found(subject));
        for Finding { subject, detail } in found {
            let known = self.data.findings.entry((kind, (*subject).to_string())).or_default();
            *known = ((*detail).to_string(), known.1 + 1);
        }
        Ok(())
    }
}
