//! The writer: source events in, batches for the store out.
//!
//! There is one writer for each deployment. It does no I/O but through its [`Store`], has no threads and no clock. A driver
//! does what [`Writer::want`] says, hands over the answers and the events of the source's stream, and calls
//! [`Writer::flush`] when nothing more comes for a moment:
//!
//! ```text
//! loop {
//!     match writer.want() {
//!         Want::Tables(patterns) => writer.tables(source.tables(&patterns)?, source.head()?, now)?,
//!         Want::Chunk(wanted)    => writer.chunk(wanted.job, source.snapshot_chunk(…)?, now)?,
//!         Want::Refetch(wanted)  => writer.refetched(source.refetch(…)?)?,
//!         Want::Mark             => { source.mark()?; writer.marked(); }
//!         Want::Flush            => publish(writer.flush(now)?),
//!         Want::Events           => {}
//!     }
//!     let events = stream.next(wait)?;        // begins at writer.position(), as soon as that is known
//!     if events.is_empty() { publish(writer.flush(now)?) } else { writer.push(events)? }
//! }
//! ```
//!
//! After an error of the store the writer refuses all calls. A new one loads what was stored and continues there; source
//! events that it gets again change nothing.
//!
//! # What checkpoints show
//! A checkpoint is made at the end of a source transaction only, and shows exactly the source's rows at its position. While
//! that cannot be known, for instance while rows are compared after the source has lost the position, there is none.

mod acknowledgements;
mod activation;
mod apply;
mod batch;
mod changes;
mod checksums;
mod commit;
mod deploy;
mod flush;
mod hold;
mod jobs;
mod layouts;
mod missing;
mod model;
mod problems;
mod programs;
mod removal;
mod rows;
mod stream;
mod tables;
mod want;
mod written;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use crate::live::{ConfigId, DefinitionId, LivePlan};
use crate::row::{Position, SourceTable};
use crate::store::{Checkpoint, Compacted, OpId, Readers, Store, StoreError, TableId};

pub use problems::{ProblemCount, ProblemKind, Subject};
pub use want::{ChunkWanted, RefetchWanted, Want};

/// Sizes and times.
#[derive(Clone, Copy, Debug)]
pub struct WriterOptions {
    /// Row changes after which a batch is written.
    pub max_changes: usize,
    /// Bytes of values after which a batch is written.
    pub max_bytes: usize,
    /// Rows of a snapshot chunk.
    pub chunk_rows: usize,
    /// How long a retired configuration is kept up to date, in µs.
    pub grace: i64,
    /// How often the position of an idle source is stored, in µs.
    pub idle_interval: i64,
}

impl Default for WriterOptions {
    fn default() -> Self {
        Self {
            max_changes: 20_000,
            max_bytes: 32 * 1024 * 1024,
            chunk_rows: 2_000,
            grace: 3_600_000_000,
            idle_interval: 10_000_000,
        }
    }
}

/// The writer of a deployment.
pub struct Writer {
    store: Box<dyn Store>,
    readers: Arc<dyn Readers>,
    options: WriterOptions,
    model: model::Model,
    programs: programs::Programs,
    layouts: layouts::Layouts,
    input: stream::Input,
    /// What the store's rows show, but for a transaction that is partly written.
    position: Option<Position>,
    stored_position: Option<Position>,
    /// When the source's newest transaction was committed.
    source_time: Option<i64>,
    checkpoint: Option<Checkpoint>,
    committed_at: i64,
    hold: hold::Hold,
    unannounced: commit::Unannounced,
    /// Whether anything may have changed that `unannounced` does not name.
    is_all_news: bool,
    acknowledgements: acknowledgements::Acknowledgements,
    problems: problems::Problems,
    written: written::Written,
    table_request: tables::TableRequest,
    /// Whether the source's tables have been compared with the stored ones since the writer was made.
    is_reconciled: bool,
    /// Definitions and indexes whose tables are not known yet.
    unplanned: programs::Content,
    /// Definitions and indexes that are not ready before the position at which their tables were known.
    planned: Option<(programs::Content, Position)>,
    /// Tables that the source does not have at this position. Until then the stream may still change them.
    doomed: BTreeMap<TableId, Position>,
    /// Where the source was when it said that it has this generation of a table.
    listed: BTreeMap<TableId, Position>,
    /// Columns that tables have at this position.
    altered: BTreeMap<TableId, (SourceTable, Position)>,
    /// Tables that are gone, and whose rows are stored.
    to_purge: BTreeSet<TableId>,
    refetch: Option<missing::Refetch>,
    chunk: Option<jobs::ChunkRequest>,
    /// The job that had the last turn.
    turn: Option<crate::store::JobId>,
    /// Whether the stream was written last, so that a job may read before more of it is.
    is_jobs_turn: bool,
    /// The position that a mark was made for.
    marked: Option<Position>,
    /// The operation id from which on readers do not use a retired configuration.
    retired_at: BTreeMap<ConfigId, OpId>,
    has_failed: bool,
}

impl Writer {
    /// Loads what is stored.
    ///
    /// # Errors
    /// The store cannot be read.
    pub fn new(mut store: Box<dyn Store>, options: WriterOptions) -> Result<Self, WriterError> {
        let stored = store.load()?;
        let readers = store.readers();
        let model = model::Model::new(&stored);
        let has_unfinished = stored.next_op_id > stored.checkpoint.as_ref().map_or(0, |at| at.op_id).saturating_add(1);
        let mut writer = Self {
            store,
            readers,
            options,
            programs: programs::Programs::default(),
            layouts: layouts::Layouts::default(),
            input: stream::Input::default(),
            stored_position: stored.position.clone(),
            position: stored.position,
            source_time: stored.checkpoint.as_ref().and_then(|at| at.source_time),
            committed_at: stored.checkpoint.as_ref().map_or(0, |at| at.time),
            checkpoint: stored.checkpoint,
            // Operations after the checkpoint may be a part of a transaction. What the source has now includes all of it.
            hold: if has_unfinished { hold::Hold::UntilHead } else { hold::Hold::Nothing },
            unannounced: commit::Unannounced::default(),
            is_all_news: has_unfinished,
            acknowledgements: acknowledgements::Acknowledgements::new(stored.waiting_write_checkpoints),
            problems: problems::Problems::default(),
            written: written::Written::default(),
            table_request: tables::TableRequest::Needed,
            is_reconciled: false,
            unplanned: model.unplanned(),
            planned: None,
            doomed: BTreeMap::new(),
            listed: BTreeMap::new(),
            altered: BTreeMap::new(),
            to_purge: model.gone_tables(),
            model,
            refetch: None,
            chunk: None,
            turn: None,
            is_jobs_turn: false,
            marked: None,
            retired_at: BTreeMap::new(),
            has_failed: false,
        };
        writer.bind_programs();
        Ok(writer)
    }

    /// Where the source's stream is to begin; none until tables are known. Read it again whenever a stream is opened.
    pub fn position(&self) -> Option<&Position> {
        // Which generation of a table is the newest cannot be told from the stream alone.
        self.reached().filter(|_| self.is_reconciled)
    }

    /// What has come, up to here.
    fn reached(&self) -> Option<&Position> {
        self.input.end_position().or(self.position.as_ref())
    }

    /// The source may forget what came before it.
    pub fn stored_position(&self) -> Option<&Position> {
        self.stored_position.as_ref()
    }

    /// The newest checkpoint.
    pub fn checkpoint(&self) -> Option<&Checkpoint> {
        self.checkpoint.as_ref()
    }

    /// Whether no checkpoint is made for now although there is an active configuration: rows are being compared, or are
    /// ahead of the stream.
    pub fn is_withholding(&self) -> bool {
        let is_ready = |plan: Arc<LivePlan>| self.model.is_ready(&programs::Content::of_plan(&plan));
        self.active_plan().is_some_and(|plan| !self.is_exact() || !is_ready(plan))
    }

    /// The plan that requests are evaluated with.
    pub fn active_plan(&self) -> Option<Arc<LivePlan>> {
        self.model.active_plan()
    }

    /// All configurations that are not deleted.
    pub fn configs(&self) -> impl Iterator<Item = &crate::live::ConfigRecord> {
        self.model.configs.values()
    }

    /// Snapshots that are being read.
    pub fn jobs(&self) -> impl Iterator<Item = &crate::store::JobRecord> {
        self.model.jobs.values().map(|job| &job.record)
    }

    /// What kept rows out of definitions and indexes since the writer was made.
    pub fn problems(&self) -> impl Iterator<Item = ProblemCount> {
        self.problems.iter()
    }

    /// What names of buckets of this definition begin with, if it is stored.
    pub fn name_prefix(&self, definition: DefinitionId) -> Option<&str> {
        self.model.definitions.get(&definition).map(|record| &*record.name_prefix)
    }

    /// For connections.
    pub fn readers(&self) -> Arc<dyn Readers> {
        Arc::clone(&self.readers)
    }

    /// Makes old operations smaller; see [`Store::compact`].
    ///
    /// # Errors
    /// The store failed, and nothing was changed. The writer can go on.
    pub fn compact(&mut self, budget: usize) -> Result<Compacted, StoreError> {
        let pin = self.readers.oldest_pin();
        self.store.compact(pin, budget)
    }

    /// Runs a call that changes the store. If it fails, what is in memory may be ahead of what is stored.
    fn guarded<T>(&mut self, run: impl FnOnce(&mut Self) -> Result<T, WriterError>) -> Result<T, WriterError> {
        if self.has_failed {
            return Err(WriterError::HasFailed);
        }
        let result = run(self);
        self.has_failed = result.is_err();
        result
    }
}

/// Why the writer cannot go on. Load a new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum WriterError {
    /// The store failed.
    Store(StoreError),
    /// The source does what a source must not do.
    Source(&'static str),
    /// An earlier call failed.
    HasFailed,
}

impl From<StoreError> for WriterError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl fmt::Display for WriterError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Store(error) => write!(formatter, "Writing to the store: {error}"),
            Self::Source(message) => write!(formatter, "Reading the source's changes: {message}"),
            Self::HasFailed => formatter.write_str("The writer has failed before; load a new one"),
        }
    }
}

impl std::error::Error for WriterError {}
