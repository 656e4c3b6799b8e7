//! What the driver is to do next.

use sync_config::{TablePattern, Value};

use super::Writer;
use super::tables::TableRequest;
use crate::row::{Position, SourceTable};
use crate::store::JobId;

/// What the writer needs. The question stays until it is answered.
#[derive(Clone, Debug)]
pub enum Want {
    /// The source's tables with these names, and then its head: [`Writer::tables`].
    Tables(Vec<TablePattern>),
    /// Rows of a table: [`Writer::chunk`], [`Writer::chunk_failed`], or [`Writer::table_failed`].
    Chunk(ChunkWanted),
    /// Rows by their keys: [`Writer::refetched`], or [`Writer::refetch_failed`].
    Refetch(RefetchWanted),
    /// The source's position has to move beyond its head: [`Writer::marked`].
    Mark,
    /// There is something to write: [`Writer::flush`].
    Flush,
    /// Nothing but events of the stream.
    Events,
}

/// Rows of a snapshot.
#[derive(Clone, Debug)]
pub struct ChunkWanted {
    /// For which job.
    pub job: JobId,
    /// Of which table.
    pub table: SourceTable,
    /// After this key; from the beginning without one.
    pub after: Option<Vec<Value>>,
    /// At most this many.
    pub limit: usize,
}

/// Rows whose values the source has not sent.
#[derive(Clone, Debug)]
pub struct RefetchWanted {
    /// Of which table.
    pub table: SourceTable,
    /// Their keys. The answer has a row, or none, for each of them in this order.
    pub keys: Vec<Vec<Value>>,
}

impl Writer {
    /// What the driver is to do next.
    pub fn want(&mut self) -> Want {
        if let Some(refetch) = &self.refetch {
            return Want::Refetch(refetch.wanted.clone());
        }
        if self.table_request != TableRequest::Done && !self.model.configs.is_empty() {
            self.table_request = TableRequest::Asked;
            return Want::Tables(self.programs.patterns());
        }
        // While the stream is behind, jobs have every other turn: neither of them waits for long.
        if (self.is_full() && !self.is_jobs_turn) || self.has_step() {
            return Want::Flush;
        }
        if let Some(chunk) = self.next_chunk() {
            return Want::Chunk(chunk);
        }
        if self.is_full() {
            return Want::Flush;
        }
        let unmarked = |target: &Position| self.reached() < Some(target) && self.marked.as_ref() < Some(target);
        if self.awaited_position().is_some_and(unmarked) { Want::Mark } else { Want::Events }
    }

    /// The source was marked.
    pub fn marked(&mut self) {
        self.marked = self.awaited_position().cloned();
    }

    /// Whether a flush can do anything besides writing changes.
    fn has_step(&self) -> bool {
        let position = self.position.as_ref();
        self.acknowledgements.has_requests()
            || !(self.input.appeared.is_empty() && self.input.replaced.is_empty())
            || self.model.jobs.values().any(super::jobs::Job::has_sweep_left)
            || (self.is_exact_soon()
                && (self.model.jobs.values().any(|job| job.is_finished_at(position))
                    || !self.purgeable().is_empty()
                    || self.can_activate()))
    }

    /// The position that something waits for.
    fn awaited_position(&self) -> Option<&Position> {
        let jobs = self.model.jobs.values().filter(|job| job.is_written());
        let barriers = jobs.filter_map(|job| job.record.barrier.as_ref());
        let planned = self.planned.iter().map(|(_, at)| at);
        barriers
            .chain(self.doomed.values())
            .chain(planned)
            .chain(self.acknowledgements.last_head())
            .chain(self.hold.until())
            .max()
    }
}
