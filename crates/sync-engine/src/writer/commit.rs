//! Commits a batch, and gathers what connections are told of.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::batch::BatchBuilder;
use super::programs::Content;
use super::{Writer, WriterError};
use crate::live::{DefinitionId, IndexId, LivePlan};
use crate::notice::{ChangedBucket, ChangedLookup, CommitNotice};
use crate::store::{BucketId, Checkpoint};

/// More changes than this are not named one by one: while all rows are compared there is no checkpoint for a long time.
const MOST_NAMED: usize = 100_000;

/// What has changed since the last checkpoint.
#[derive(Debug, Default)]
pub(super) struct Unannounced {
    buckets: BTreeMap<BucketId, (DefinitionId, Option<Arc<str>>)>,
    lookups: BTreeSet<(IndexId, Arc<str>)>,
}

impl Unannounced {
    fn is_empty(&self) -> bool {
        self.buckets.is_empty() && self.lookups.is_empty()
    }

    fn len(&self) -> usize {
        self.buckets.len() + self.lookups.len()
    }

    /// Notes what a batch changes, if requests can see it.
    fn add(&mut self, builder: &mut BatchBuilder, visible: &Content) {
        for (bucket, (definition, key)) in std::mem::take(&mut builder.changed_buckets) {
            if visible.definitions.contains(&definition) {
                let known = self.buckets.entry(bucket).or_insert((definition, None));
                known.1 = key.or_else(|| known.1.take());
            }
        }
        let lookups = std::mem::take(&mut builder.changed_lookups);
        self.lookups.extend(lookups.into_iter().filter(|(index, _)| visible.indexes.contains(index)));
    }
}

impl Writer {
    /// Commits records alone.
    pub(super) fn commit_records(&mut self, now: i64) -> Result<(), WriterError> {
        let builder = self.begin_batch();
        self.commit_part(builder, now)
    }

    /// Commits something that no checkpoint shows yet.
    pub(super) fn commit_part(&mut self, builder: BatchBuilder, now: i64) -> Result<(), WriterError> {
        self.commit(builder, None, now)
    }

    /// Commits, and makes a checkpoint if there is something to show and nothing to hide.
    pub(super) fn commit_whole(
        &mut self,
        builder: BatchBuilder,
        activated: Option<Arc<LivePlan>>,
        now: i64,
    ) -> Result<Option<CommitNotice>, WriterError> {
        let checkpoint = self.next_checkpoint(&builder, now);
        let is_resting = self.is_only_position(&builder) && checkpoint.as_ref().is_none_or(|next| !self.is_news(next));
        let is_shown =
            |next: &Checkpoint| self.checkpoint.as_ref().is_some_and(|before| before.position == next.position);
        let is_stored = self.position == self.stored_position && checkpoint.as_ref().is_none_or(is_shown);
        if is_resting && (is_stored || now < self.committed_at.saturating_add(self.options.idle_interval)) {
            return Ok(None);
        }
        self.commit(builder, checkpoint.clone(), now)?;
        let Some(checkpoint) = checkpoint else { return Ok(None) };
        self.notice(checkpoint, activated).map(Some)
    }

    fn commit(
        &mut self,
        mut builder: BatchBuilder,
        checkpoint: Option<Checkpoint>,
        now: i64,
    ) -> Result<(), WriterError> {
        let visible = self.model.active_plan().map(|plan| Content::of_plan(&plan)).unwrap_or_default();
        if checkpoint.is_none() && !builder.is_empty() {
            // What is written may be ahead of the checkpoint, and the next writer is to see that.
            builder.take_op_id();
        }
        let (next_op_id, next_bucket) = builder.finish();
        let written = super::written::count(&builder);
        self.unannounced.add(&mut builder, &visible);
        if self.unannounced.len() > MOST_NAMED {
            (self.unannounced, self.is_all_news) = (Unannounced::default(), true);
        }
        self.model.next_op_id = next_op_id;
        self.model.next_ids.bucket = next_bucket;
        let mut batch = builder.batch;
        self.model.write(&mut batch);
        batch.write_checkpoints = self.acknowledgements.requested();
        batch.forget_requests_before = self.acknowledgements.forgotten();
        // Rows of an open transaction are written, so the stream has to begin before it.
        batch.position = self.position.clone().filter(|_| checkpoint.is_some() || self.is_whole());
        batch.checkpoint = checkpoint;
        self.store.commit(&batch)?;
        self.acknowledgements.stored();
        self.note_written(written);
        if let Some(position) = batch.position {
            self.stored_position = Some(position);
        }
        if batch.checkpoint.is_some() {
            self.checkpoint = batch.checkpoint;
        }
        self.committed_at = now;
        Ok(())
    }

    /// Whether what is stored with the next commit is all of the source up to the position.
    fn is_whole(&self) -> bool {
        !self.input.is_partly_written
    }

    /// Whether rows will be right when the stream has gone on, without anything that is only known later.
    pub(super) fn is_exact_soon(&self) -> bool {
        self.is_whole() && self.is_reconciled
    }

    /// Whether rows are those of the source at the position, except for content that is not ready.
    pub(super) fn is_exact(&self) -> bool {
        self.is_exact_soon() && self.hold.is_over(self.position.as_ref())
    }

    /// The checkpoint that the batch would make; none if rows could be seen that are not right at the position.
    fn next_checkpoint(&self, builder: &BatchBuilder, now: i64) -> Option<Checkpoint> {
        let config = self.model.active()?;
        let position = self.position.clone()?;
        if !self.is_exact() || !self.model.is_ready(&Content::of_plan(&config.plan)) {
            return None;
        }
        let op_id = builder.last_op_id();
        Some(Checkpoint { op_id, position, time: now, source_time: self.source_time, config: config.id })
    }

    /// Whether there is nothing to write but a position.
    fn is_only_position(&self, builder: &BatchBuilder) -> bool {
        builder.is_empty() && !self.model.is_changed() && !self.acknowledgements.has_requests()
    }

    /// Whether a checkpoint shows more than that the source is idle.
    fn is_news(&self, next: &Checkpoint) -> bool {
        let Some(before) = &self.checkpoint else { return true };
        let has_changes = self.is_all_news || !self.unannounced.is_empty();
        before.config != next.config || has_changes || self.acknowledgements.are_due_at(&next.position)
    }

    fn notice(
        &mut self,
        checkpoint: Checkpoint,
        activated: Option<Arc<LivePlan>>,
    ) -> Result<CommitNotice, WriterError> {
        let Unannounced { buckets, lookups } = std::mem::take(&mut self.unannounced);
        let unnamed: Vec<BucketId> =
            buckets.iter().filter(|(_, (_, key))| key.is_none()).map(|(bucket, _)| *bucket).collect();
        let mut names = BTreeMap::new();
        if !unnamed.is_empty() {
            names.extend(unnamed.iter().copied().zip(self.store.bucket_keys(&unnamed)?));
        }
        let mut notice = CommitNotice::new(checkpoint);
        for (bucket, (definition, key)) in buckets {
            if let Some(key) = key.or_else(|| names.remove(&bucket).flatten()) {
                notice.buckets.push(ChangedBucket { definition, key, bucket });
            }
        }
        notice.lookups.extend(lookups.into_iter().map(|(index, key)| ChangedLookup { index, key }));
        notice.write_checkpoints = self.acknowledgements.passed(&notice.checkpoint.position);
        // What an earlier writer has written after the checkpoint is visible now, and this one has not seen it.
        notice.everything = std::mem::take(&mut self.is_all_news);
        notice.activated = activated.or_else(|| self.model.active_plan().filter(|_| notice.everything));
        Ok(notice)
    }
}
