//! Snapshot jobs: the rows of a table for definitions that are new, or whose rows have to be compared.
//!
//! A chunk is written only for the job's definitions and indexes, and only for keys that the stream has not touched since
//! the job began: a touched row is as new as the chunk's, or newer, or the stream will bring what is newer. A chunk can be
//! ahead of the stream, so what a job builds is right when the stream has reached the largest position of its chunks, the
//! *barrier*.
//!
//! If clients may have seen the job's definitions before, rows are there already. Equal ones give no operation. The job then
//! notes the keys of its chunks as touched, too, and at the end *sweeps*: it removes rows that nothing has touched.
//!
//! Rows that are compared although nothing is known to be missing stay visible meanwhile: after each chunk there is no
//! checkpoint until the stream has passed it, and no other chunk is read before.

use std::collections::BTreeSet;

use super::apply::{Incoming, Origin};
use super::layouts::LayoutId;
use super::programs::Content;
use super::want::ChunkWanted;
use super::{Writer, WriterError};
use crate::row::{Position, RowKey};
use crate::source::SnapshotChunk;
use crate::store::{ContentState, JobId, JobRecord, TableId};

/// Rows of a sweep in one batch.
const SWEEP_ROWS: usize = 5_000;

/// A job that is not finished.
#[derive(Debug)]
pub(super) struct Job {
    pub(super) record: JobRecord,
    sweep: Sweep,
}

/// How far the removal of rows is that the source does not have.
#[derive(Debug)]
enum Sweep {
    /// There are none.
    Unneeded,
    /// After this key.
    At(Option<RowKey>),
    Done,
}

/// A chunk that the source was asked for.
#[derive(Debug)]
pub(super) struct ChunkRequest {
    pub(super) job: JobId,
    pub(super) layout: LayoutId,
}

impl Job {
    pub(super) fn new(record: JobRecord, sweeps: bool) -> Self {
        Self { record, sweep: if sweeps { Sweep::At(None) } else { Sweep::Unneeded } }
    }

    pub(super) fn content_of(record: &JobRecord) -> Content {
        Content {
            definitions: record.definitions.iter().copied().collect(),
            indexes: record.indexes.iter().copied().collect(),
        }
    }

    pub(super) fn content(&self) -> Content {
        Self::content_of(&self.record)
    }

    /// Whether it had any of it.
    pub(super) fn remove_content(&mut self, content: &Content) -> bool {
        let before = self.record.definitions.len() + self.record.indexes.len();
        self.record.definitions.retain(|id| !content.definitions.contains(id));
        self.record.indexes.retain(|id| !content.indexes.contains(id));
        before != self.record.definitions.len() + self.record.indexes.len()
    }

    pub(super) fn sweeps(&self) -> bool {
        !matches!(self.sweep, Sweep::Unneeded)
    }

    pub(super) fn has_sweep_left(&self) -> bool {
        self.record.is_read && matches!(self.sweep, Sweep::At(_))
    }

    /// Whether nothing is left but to wait for the stream.
    pub(super) fn is_written(&self) -> bool {
        self.record.is_read && !matches!(self.sweep, Sweep::At(_))
    }

    pub(super) fn is_finished_at(&self, position: Option<&Position>) -> bool {
        let reached = |barrier| position.is_some_and(|position| position >= barrier);
        self.is_written() && self.record.barrier.as_ref().is_none_or(reached)
    }
}

impl Writer {
    /// A snapshot of a table for this content, which is not ready until it is done, and before the stream has reached
    /// `barrier`.
    pub(super) fn add_job(&mut self, table: TableId, content: &Content, barrier: Option<Position>) {
        if content.is_empty() {
            return;
        }
        let record = self.model.new_job(table, content, barrier);
        self.model.set_content_state(content, ContentState::Snapshotting);
        let sweeps = self.model.was_visible(content);
        self.model.put_job(Job::new(record, sweeps));
    }

    /// Compares the rows of a table that this content has, all of which is ready and stays so.
    pub(super) fn add_comparison(&mut self, table: TableId, content: &Content, barrier: Position) {
        if content.is_empty() {
            return;
        }
        let record = self.model.new_job(table, content, Some(barrier));
        self.model.put_job(Job::new(record, true));
    }

    /// The next chunk to read, of several jobs in turn.
    pub(super) fn next_chunk(&mut self) -> Option<ChunkWanted> {
        if self.chunk.is_some() || self.position.is_none() {
            return None;
        }
        let is_shown = self.hold.is_over(self.position.as_ref());
        let unread = |job: &&Job| {
            let waits = self.is_seen_meanwhile(job) && !is_shown;
            !job.record.is_read && !self.input.is_being_dropped(job.record.table) && !waits
        };
        let turn = self.turn;
        let later = self.model.jobs.values().filter(unread).find(|job| Some(job.record.id) > turn);
        let job = later.or_else(|| self.model.jobs.values().find(unread))?;
        let (layout, table) = self.layouts.newest(job.record.table)?;
        let wanted = ChunkWanted {
            job: job.record.id,
            table: (*table.source).clone(),
            after: job.record.next.clone(),
            limit: self.options.chunk_rows,
        };
        self.turn = Some(wanted.job);
        self.is_jobs_turn = false;
        self.chunk = Some(ChunkRequest { job: wanted.job, layout });
        Some(wanted)
    }

    /// A chunk that [`Want::Chunk`](super::Want::Chunk) asked for. One that nobody waits for any more is ignored.
    ///
    /// # Errors
    /// The store failed.
    pub fn chunk(&mut self, job: JobId, chunk: SnapshotChunk, now: i64) -> Result<(), WriterError> {
        let Some(request) = self.chunk.take_if(|request| request.job == job) else { return Ok(()) };
        self.guarded(|writer| writer.write_chunk(&request, chunk, now))
    }

    /// The chunk could not be read for now; it is asked for again.
    pub fn chunk_failed(&mut self) {
        self.chunk = None;
    }

    /// Whether clients go on to see what the job compares.
    fn is_seen_meanwhile(&self, job: &Job) -> bool {
        job.sweeps() && !self.model.ready_part(&job.content()).is_empty()
    }

    fn write_chunk(&mut self, request: &ChunkRequest, chunk: SnapshotChunk, now: i64) -> Result<(), WriterError> {
        let Some(job) = self.model.jobs.get(&request.job) else { return Ok(()) };
        let Some(layout) = self.layouts.get(request.layout) else { return Ok(()) };
        let (content, sweeps, table) = (job.content(), job.sweeps(), job.record.table);
        if self.is_seen_meanwhile(job) {
            self.hold.raise(&chunk.read_at);
        }
        let rows_read = u64::try_from(chunk.rows.len()).unwrap_or(u64::MAX);
        let mut rows = Vec::with_capacity(chunk.rows.len());
        for values in chunk.rows {
            let key = layout.key(&values).ok_or(WriterError::Source("a row of a snapshot has no key"))?;
            rows.push(Incoming { table, key, layout: request.layout, values: Some(values), restored: Vec::new() });
        }
        let keys: Vec<RowKey> = rows.iter().map(|row| row.key.clone()).collect();
        let mut touched = self.store.touched(request.job, &keys)?.into_iter();
        rows.retain(|_| !touched.next().unwrap_or(true));
        let mut builder = self.begin_batch();
        if sweeps {
            builder.batch.touched.extend(rows.iter().map(|row| (request.job, row.key.clone())));
        }
        let origin = if sweeps { Origin::Comparison(&content) } else { Origin::Snapshot(&content) };
        self.write_rows(&mut builder, rows, origin)?;
        if let Some(job) = self.model.jobs.get_mut(&request.job) {
            job.record.rows = job.record.rows.saturating_add(rows_read);
            job.record.barrier = job.record.barrier.take().max(Some(chunk.read_at));
            job.record.is_read = chunk.next.is_none();
            job.record.next = chunk.next;
        }
        self.model.note_job(request.job);
        self.commit_part(builder, now)
    }

    /// All rows of the table are gone, or will be at a position: later ones come with the stream, so jobs have nothing left
    /// to read.
    pub(super) fn end_reading(&mut self, table: TableId, gone_at: Option<&Position>) {
        let jobs: Vec<JobId> = self.jobs_of(table).collect();
        for id in jobs {
            if let Some(job) = self.model.jobs.get_mut(&id) {
                job.record.is_read = true;
                job.record.next = None;
                job.record.barrier = job.record.barrier.take().max(gone_at.cloned());
            }
            self.model.note_job(id);
            self.chunk.take_if(|chunk| chunk.job == id);
        }
    }

    pub(super) fn jobs_of(&self, table: TableId) -> impl Iterator<Item = JobId> {
        self.model.jobs.values().filter(move |job| job.record.table == table).map(|job| job.record.id)
    }

    /// Jobs that need not read a row that the stream has given. If the row came with columns of before, it has given
    /// nothing to definitions that need the newer ones.
    pub(super) fn jobs_touched_by(&self, table: TableId, layout: LayoutId) -> impl Iterator<Item = JobId> {
        let newest = self.layouts.newest(table).map(|(_, newest)| &newest.bound.unbound);
        let lacks =
            self.layouts.get(layout).zip(newest).map(|(layout, newest)| layout.bound.unbound.difference(newest));
        let lacks = lacks.unwrap_or_default();
        let jobs = self.model.jobs.values().filter(move |job| job.record.table == table);
        jobs.filter(move |job| lacks.is_empty() || job.content().intersection(&lacks).is_empty())
            .map(|job| job.record.id)
    }

    /// Tables of which stored rows may be wrong.
    pub(super) fn compared_tables(&self) -> BTreeSet<TableId> {
        self.model.jobs.values().filter(|job| job.sweeps()).map(|job| job.record.table).collect()
    }

    /// Tables whose changes are noted for jobs.
    pub(super) fn tables_with_jobs(&self) -> BTreeSet<TableId> {
        self.model.jobs.values().map(|job| job.record.table).collect()
    }

    /// Removes some rows that the source did not have.
    pub(super) fn sweep(&mut self, now: i64) -> Result<(), WriterError> {
        let Some(job) = self.model.jobs.values().find(|job| job.has_sweep_left()) else { return Ok(()) };
        let Sweep::At(after) = &job.sweep else { return Ok(()) };
        let (id, table, content) = (job.record.id, job.record.table, job.content());
        if let Some(barrier) = job.record.barrier.clone().filter(|_| self.is_seen_meanwhile(job)) {
            self.hold.raise(&barrier);
        }
        let rows = self.store.rows_of_table(table, after.as_ref(), SWEEP_ROWS)?;
        let keys: Vec<RowKey> = rows.iter().map(|(key, _)| key.clone()).collect();
        let touched = self.store.touched(id, &keys)?;
        let mut builder = self.begin_batch();
        let rows = rows.into_iter().zip(touched).filter(|(_, touched)| !touched).map(|(row, _)| row);
        self.remove_rows(&mut builder, table, rows, Some(&content));
        let sweep = match keys.into_iter().next_back() {
            Some(last) => Sweep::At(Some(last)),
            None => Sweep::Done,
        };
        if let Some(job) = self.model.jobs.get_mut(&id) {
            job.sweep = sweep;
        }
        self.commit_part(builder, now)
    }
}
