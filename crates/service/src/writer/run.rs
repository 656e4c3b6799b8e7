//! The loop of the writer's thread: does what the writer wants, and hands it what the source and the service give.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sync_engine::row::Position;
use sync_engine::source::{ErrorClass, Source, SourceError, SourceEvent};
use sync_engine::writer::{ChunkWanted, RefetchWanted, Want, Writer, WriterError};

use super::Input;
use super::compaction::Compaction;
use super::feed::Feed;
use super::inbox::Inbox;
use super::publisher::Publisher;
use super::requests::{Asked, NO_SOURCE, Unanswered};
use super::status::Board;
use super::trouble::Trouble;
use crate::clock;
use crate::options::OpenStore;

/// The longest time without a flush, which also does what is due by time.
const TICK: Duration = Duration::from_secs(1);

/// How long requests for checkpoints are remembered, in µs, and how often old ones are forgotten.
const REQUEST_LIFETIME: i64 = 3_600_000_000;
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// What the thread works with, whichever writer it has.
pub(super) struct Edges {
    pub(super) source: Arc<dyn Source>,
    pub(super) open_store: OpenStore,
    pub(super) publisher: Publisher,
    pub(super) feed: Feed,
    pub(super) inbox: Inbox,
    pub(super) board: Arc<Board>,
    pub(super) trouble: Trouble,
    /// How long to wait before the storage is opened again, as it has failed after it was opened last.
    pub(super) storage_pause: Duration,
    /// The position that the source was last told.
    told: Option<Position>,
}

impl Edges {
    pub(super) fn new(
        source: Arc<dyn Source>,
        open_store: OpenStore,
        publisher: Publisher,
        feed: Feed,
        inbox: Inbox,
        board: Arc<Board>,
    ) -> Self {
        let (trouble, storage_pause, told) = (Trouble::default(), Duration::ZERO, None);
        Self { source, open_store, publisher, feed, inbox, board, trouble, storage_pause, told }
    }
}

/// Everything that the thread owns.
pub(super) struct Thread {
    pub(super) writer: Writer,
    pub(super) edges: Edges,
    pub(super) unanswered: Unanswered,
    /// Whether events were pushed since the last flush.
    pub(super) has_changes: bool,
    /// What the writer wanted when it was asked last.
    wanted: Wanted,
    flushed_at: Instant,
    acknowledged_at: Instant,
    forgotten_at: Option<Instant>,
    compaction: Compaction,
}

/// What kind of thing the writer wanted.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wanted {
    /// Nothing but events.
    Events,
    /// Rows without which it cannot write.
    Rows,
    Other,
}

/// Why the loop ends.
pub(super) struct Stopped;

impl Thread {
    pub(super) fn new(writer: Writer, edges: Edges) -> Self {
        let now = Instant::now();
        Self {
            writer,
            edges,
            unanswered: Unanswered::default(),
            has_changes: false,
            wanted: Wanted::Other,
            flushed_at: now,
            acknowledged_at: now,
            forgotten_at: None,
            compaction: Compaction::new(),
        }
    }

    /// Runs until the service stops.
    pub(super) fn run(mut self) {
        loop {
            self.report();
            if self.receive().is_err() {
                break;
            }
            let Err(error) = self.step() else { continue };
            match self.recover(&error) {
                Ok(recovered) => self = recovered,
                Err(Stopped) => return,
            }
        }
        self.edges.feed.close();
        // What has come is stored, so that less is read again.
        let _ = self.flush();
        self.edges.publisher.end();
    }

    /// Takes what has come; waits for it if there is nothing to do.
    fn receive(&mut self) -> Result<(), Stopped> {
        let wait = self.wait();
        let mut next = if wait.is_zero() {
            self.edges.inbox.try_take()
        } else {
            self.edges.inbox.take(wait).map_err(|_| Stopped)?
        };
        let mut asked = Asked::default();
        while let Some(input) = next {
            match input {
                Input::Events(stream, events) if self.edges.feed.is_current(stream) => self.push(events),
                Input::StreamEnded(stream, error) if self.edges.feed.is_current(stream) => self.stream_ended(&error),
                Input::Events(..) | Input::StreamEnded(..) => {}
                Input::Command(command) => self.command(command, &mut asked)?,
            }
            if self.writer.is_full() {
                break;
            }
            next = self.edges.inbox.try_take();
        }
        self.answer(asked);
        Ok(())
    }

    /// How long there is nothing to do.
    fn wait(&mut self) -> Duration {
        let blocked = self.edges.trouble.left();
        match blocked {
            // Nothing can be written without them.
            Some(left) if self.wanted == Wanted::Rows => return left.min(TICK),
            _ if self.has_changes || self.unanswered.is_urgent() => return Duration::ZERO,
            Some(left) => return left.min(TICK),
            None => {}
        }
        let is_read = self.edges.feed.is_open() || self.writer.position().is_none();
        if self.wanted != Wanted::Events || !is_read {
            return Duration::ZERO;
        }
        let flush = TICK.saturating_sub(self.flushed_at.elapsed());
        self.compaction.wait(Instant::now()).map_or(flush, |wait| wait.min(flush))
    }

    fn push(&mut self, events: Vec<SourceEvent>) {
        self.has_changes = true;
        self.compaction.changed();
        self.edges.trouble.stream_works();
        if let Err(error) = self.writer.push(events) {
            // The writer refuses everything from now on, and the next flush reports that.
            tracing::error!(%error, "taking events of the source");
        }
    }

    fn stream_ended(&mut self, error: &SourceError) {
        self.edges.feed.close();
        self.writer.stream_ended();
        self.edges.trouble.stream_ended(error);
    }

    /// Requests at the same time share one look at the source's head.
    fn answer(&mut self, asked: Asked) {
        if asked.is_empty() {
            return;
        }
        match self.edges.source.head() {
            Ok(head) => asked.give(&mut self.writer, &head, &mut self.unanswered),
            Err(error) => {
                asked.refuse(NO_SOURCE);
                self.edges.trouble.failed(&error);
            }
        }
        self.has_changes |= self.writer.has_unstored_requests();
    }

    /// Does one thing that the writer wants, or writes what has come.
    fn step(&mut self) -> Result<(), WriterError> {
        let is_blocked = self.edges.trouble.left().is_some();
        let want = self.writer.want();
        self.wanted = match want {
            Want::Events => Wanted::Events,
            Want::Refetch(_) => Wanted::Rows,
            _ => Wanted::Other,
        };
        match want {
            Want::Flush => return self.flush(),
            Want::Events => {}
            // The question would stay open.
            Want::Chunk(_) if is_blocked => self.writer.chunk_failed(),
            Want::Refetch(_) if is_blocked => return Ok(()),
            _ if is_blocked => {}
            Want::Tables(patterns) => return self.read_tables(&patterns),
            Want::Chunk(wanted) => self.read_chunk(&wanted)?,
            Want::Refetch(wanted) => return self.read_rows(&wanted),
            Want::Mark => match self.edges.source.mark() {
                Ok(()) => self.writer.marked(),
                Err(error) => self.edges.trouble.failed(&error),
            },
        }
        if !is_blocked && !self.edges.feed.is_open() {
            self.open_stream()?;
        }
        if self.has_changes || self.unanswered.is_urgent() || self.flushed_at.elapsed() >= TICK {
            return self.flush();
        }
        self.compact();
        Ok(())
    }

    fn read_tables(&mut self, patterns: &[sync_config::TablePattern]) -> Result<(), WriterError> {
        let source = &self.edges.source;
        match source.tables(patterns).and_then(|tables| Ok((tables, source.head()?))) {
            Ok((tables, head)) => {
                self.edges.trouble.worked();
                self.writer.tables(&tables, head, clock::now())
            }
            Err(error) => {
                self.edges.trouble.failed(&error);
                Ok(())
            }
        }
    }

    fn read_chunk(&mut self, wanted: &ChunkWanted) -> Result<(), WriterError> {
        match self.edges.source.snapshot_chunk(&wanted.table, wanted.after.as_deref(), wanted.limit) {
            Ok(chunk) => {
                self.edges.trouble.worked();
                return self.writer.chunk(wanted.job, chunk, clock::now());
            }
            Err(error) => {
                if error.class == ErrorClass::PositionLost {
                    self.writer.table_failed();
                } else {
                    self.writer.chunk_failed();
                }
                self.edges.trouble.failed(&error);
            }
        }
        Ok(())
    }

    fn read_rows(&mut self, wanted: &RefetchWanted) -> Result<(), WriterError> {
        match self.edges.source.refetch(&wanted.table, &wanted.keys) {
            Ok(rows) => {
                self.has_changes = true;
                return self.writer.refetched(rows);
            }
            // If the source can be reached, it is the table that is not what it was.
            Err(error) if error.class == ErrorClass::PositionLost || self.edges.source.head().is_ok() => {
                tracing::warn!(%error, "reading rows by their keys: the table is read again");
                self.has_changes = true;
                self.writer.refetch_failed();
            }
            Err(error) => self.edges.trouble.failed(&error),
        }
        Ok(())
    }

    fn open_stream(&mut self) -> Result<(), WriterError> {
        let Some(position) = self.writer.position().cloned() else { return Ok(()) };
        match self.edges.feed.open(Some(&position)) {
            Ok(()) => self.edges.trouble.worked(),
            Err(error) if error.class == ErrorClass::PositionLost => {
                tracing::warn!(%error, "the source has lost its position: all rows are compared");
                let patterns = self.patterns();
                let source = &self.edges.source;
                match source.tables(&patterns).and_then(|tables| Ok((tables, source.head()?))) {
                    Ok((tables, head)) => self.writer.rebuild(&tables, head, clock::now())?,
                    Err(error) => self.edges.trouble.failed(&error),
                }
            }
            Err(error) => self.edges.trouble.failed(&error),
        }
        Ok(())
    }

    /// The tables of all plans.
    pub(super) fn patterns(&self) -> Vec<sync_config::TablePattern> {
        let mut patterns: Vec<_> = self
            .writer
            .configs()
            .flat_map(|config| {
                let plan = &config.plan.plan;
                let evaluators = plan.evaluators.iter().map(|evaluator| evaluator.program.table.clone());
                evaluators.chain(plan.indexes.iter().map(|index| index.program.table.clone())).collect::<Vec<_>>()
            })
            .collect();
        patterns.sort();
        patterns.dedup();
        patterns
    }

    fn flush(&mut self) -> Result<(), WriterError> {
        self.has_changes = false;
        // The writer may want something else now.
        self.wanted = Wanted::Other;
        self.flushed_at = Instant::now();
        if self.forgotten_at.is_none_or(|at| at.elapsed() >= FORGET_EVERY) {
            self.forgotten_at = Some(self.flushed_at);
            self.writer.forget_requests_before(clock::now().saturating_sub(REQUEST_LIFETIME));
        }
        let notice = self.writer.flush(clock::now())?;
        if let Some(notice) = notice {
            // Whoever sees the checkpoint finds it in the status.
            self.report();
            self.edges.storage_pause = Duration::ZERO;
            if notice.activated.is_some() {
                tracing::info!(id = notice.checkpoint.config.0, "a sync configuration is active");
            }
            self.edges.publisher.publish(&notice);
            self.unanswered.answer_reached(&notice.checkpoint);
        }
        if !self.writer.has_unstored_requests() {
            self.unanswered.answer_stored();
        }
        if self.acknowledged_at.elapsed() >= TICK {
            self.acknowledged_at = Instant::now();
            self.tell_position();
            self.edges.publisher.post(|| self.edges.board.status().posted());
        }
        Ok(())
    }

    /// Tells the source what it may forget.
    fn tell_position(&mut self) {
        let Some(position) = self.writer.stored_position() else { return };
        if self.edges.told.as_ref() == Some(position) {
            return;
        }
        match self.edges.source.acknowledge(position) {
            Ok(()) => self.edges.told = Some(position.clone()),
            Err(error) => tracing::warn!(%error, "telling the source what is stored"),
        }
    }

    fn compact(&mut self) {
        let begin = Instant::now();
        if self.compaction.wait(begin) != Some(Duration::ZERO) {
            return;
        }
        let has_more = match self.writer.compact(self.compaction.step()) {
            Ok(compacted) => compacted.has_more,
            Err(error) => {
                tracing::warn!(%error, "compacting the storage");
                false
            }
        };
        self.compaction.stepped(has_more, begin.elapsed(), Instant::now());
    }

    pub(super) fn report(&self) {
        self.edges.board.set(&self.writer, self.edges.trouble.error(), self.lag());
    }

    /// Seconds that the newest checkpoint may be behind the source, if that is known.
    fn lag(&self) -> Option<f64> {
        let rested_at = self.edges.feed.rested_at();
        let is_resting = rested_at.is_some_and(|at| at >= clock::now().saturating_sub(RESTING));
        if self.edges.feed.is_open() && self.edges.trouble.error().is_none() && is_resting && !self.has_changes {
            return Some(0.0);
        }
        let shown = self.writer.checkpoint().and_then(|checkpoint| checkpoint.source_time).max(rested_at)?;
        #[allow(clippy::cast_precision_loss, reason = "for people")]
        let seconds = clock::now().saturating_sub(shown).max(0) as f64 / 1e6;
        Some(seconds)
    }
}

/// How long the source is known to have given all, in µs.
const RESTING: i64 = 2_000_000;
