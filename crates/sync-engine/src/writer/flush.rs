//! One step of writing: changes of the stream, then everything that the new position makes possible.

use super::apply::{Incoming, Origin};
use super::batch::BatchBuilder;
use super::changes::{Change, ChangedRow, Changes};
use super::{Writer, WriterError};
use crate::notice::CommitNotice;
use crate::row::RowKey;
use crate::store::{ContentState, JobId, TableId};

impl Writer {
    /// Writes what has come, and whatever else can be done now. Call it when the writer [is full](Writer::is_full), when
    /// the stream gives nothing for a moment, when [`Writer::want`] says so, and at least once a second. Gives what
    /// connections are told of, if there is a new checkpoint.
    ///
    /// # Errors
    /// The store failed, or the source contradicts itself. Load a new writer.
    pub fn flush(&mut self, now: i64) -> Result<Option<CommitNotice>, WriterError> {
        self.guarded(|writer| writer.flush_step(now))
    }

    fn flush_step(&mut self, now: i64) -> Result<Option<CommitNotice>, WriterError> {
        let part = self.input.next_part(self.too_large());
        if !self.complete_rows(part)? {
            if self.acknowledgements.has_requests() {
                // They are answered after this call, so they are stored although nothing else can be.
                self.commit_records(now)?;
            }
            return Ok(None);
        }
        self.sweep(now)?;
        self.is_jobs_turn = true;
        let mut builder = self.begin_batch();
        let (mut changes, end) = self.input.take(part);
        let next = end.as_ref().map(|end| &end.position);
        self.end_altered(next);
        // Their rows are removed below, so none is written before.
        self.end_doomed(next);
        // Jobs that begin now read what came after: rows that the stream has given with columns of before.
        changes.truncated.iter().for_each(|table| self.end_reading(*table, None));
        self.plan_appeared_tables();
        self.write_changes(&mut builder, &mut changes, now)?;
        if let Some(end) = end {
            self.position = Some(end.position);
            self.source_time = end.time.or(self.source_time);
            self.input.is_partly_written = false;
        }
        self.finish_jobs(&mut builder, now)?;
        let activated = self.activate(&mut builder, now);
        self.drop_unneeded(now);
        if self.input.is_partly_written {
            self.commit_part(builder, now)?;
            return Ok(None);
        }
        self.commit_whole(builder, activated, now)
    }

    /// Tables that the stream has shown: their earlier rows are read, and generations that they replace are removed later.
    fn plan_appeared_tables(&mut self) {
        for id in std::mem::take(&mut self.input.replaced) {
            self.model.note_table(id);
        }
        // Others get their jobs for all tables at once: what has a job is known to have all.
        let planned = self.model.live().difference(&self.unplanned);
        for (id, content) in std::mem::take(&mut self.input.appeared) {
            self.model.note_table(id);
            if !self.model.is_live_table(id) || content.is_empty() {
                continue;
            }
            // Jobs may have taken rows with the columns of before.
            let mut content = content;
            self.jobs_of(id).filter_map(|job| self.model.jobs.get(&job)).for_each(|job| content.add(&job.content()));
            self.add_job(id, &content.intersection(&planned), None);
        }
    }

    fn write_changes(
        &mut self,
        builder: &mut BatchBuilder,
        changes: &mut Changes,
        now: i64,
    ) -> Result<(), WriterError> {
        for table in changes.dropped.clone() {
            self.set_gone(table);
            self.to_purge.remove(&table);
            self.model.note_table(table);
        }
        for table in changes.truncated.clone() {
            self.clear_table(builder, table, changes, now)?;
        }
        let with_jobs = self.tables_with_jobs();
        let mut rows = Vec::new();
        for (table, key, change) in changes.take_rows() {
            if !self.model.is_live_table(table) {
                continue;
            }
            if with_jobs.contains(&table) && !matches!(change.row, ChangedRow::Unknown) {
                builder.batch.touched.extend(self.jobs_touched_by(table, change.layout).map(|job| (job, key.clone())));
            }
            rows.push(incoming(table, key, change));
        }
        self.write_rows(builder, rows, Origin::Stream)
    }

    /// Ends jobs whose barrier is reached. What they read is ready then, and the rows that it replaces are removed.
    fn finish_jobs(&mut self, builder: &mut BatchBuilder, now: i64) -> Result<(), WriterError> {
        if !self.is_exact_soon() {
            return Ok(());
        }
        let is_finished = |job: &&super::jobs::Job| job.is_finished_at(self.position.as_ref());
        let finished: Vec<JobId> = self.model.jobs.values().filter(is_finished).map(|job| job.record.id).collect();
        finished.into_iter().for_each(|job| self.model.finish_job(job));
        for table in self.purgeable() {
            self.clear_table(builder, table, &Changes::default(), now)?;
            self.to_purge.remove(&table);
            self.model.note_table(table);
        }
        if self.planned.as_ref().is_some_and(|(_, at)| self.position.as_ref() >= Some(at)) {
            self.planned = None;
        }
        let mut ready = self.model.unplanned().difference(&self.unplanned);
        if let Some((planned, _)) = &self.planned {
            ready = ready.difference(planned);
        }
        self.model.set_content_state(&ready, ContentState::Ready);
        Ok(())
    }
}

fn incoming(table: TableId, key: RowKey, change: Change) -> Incoming {
    let Change { layout, row, .. } = change;
    let (values, restored) = match row {
        ChangedRow::Now(row) => (Some(row.values), row.restored),
        ChangedRow::Deleted | ChangedRow::Unknown => (None, Vec::new()),
    };
    Incoming { table, key, layout, values, restored }
}
