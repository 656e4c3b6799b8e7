//! Does what the writer wants, and hands it what the source gives: late, repeated and cut.

use std::time::Duration;

use rowtide_testkit::random::Random;
use sync_engine::source::{ErrorClass, Source, SourceError};
use sync_engine::writer::Want;

use crate::backend::Backend;

impl Backend {
    /// Does what the writer wants. Gives whether there was anything.
    pub(crate) fn want(&mut self) -> bool {
        let want = self.writer().want();
        match want {
            Want::Tables(patterns) => {
                let tables = self.world.source.tables(&patterns).expect("no fault was injected");
                let (head, now) = (self.world.head(), self.now);
                self.trace.note(|| format!("tables at {head:?}"));
                let result = self.writer().tables(&tables, head, now);
                self.check(result);
            }
            Want::Chunk(wanted) => {
                match self.world.source.snapshot_chunk(&wanted.table, wanted.after.as_deref(), wanted.limit) {
                    Ok(chunk) => {
                        self.trace.note(|| format!("chunk of {} at {:?}", wanted.table.name, chunk.read_at));
                        self.late_chunk = Some((wanted.job, chunk));
                    }
                    Err(_) => self.writer().table_failed(),
                }
            }
            Want::Refetch(wanted) if self.late_rows.is_none() => {
                match self.world.source.refetch(&wanted.table, &wanted.keys) {
                    Ok(rows) => self.late_rows = Some(rows),
                    Err(_) => self.writer().refetch_failed(),
                }
            }
            Want::Refetch(_) => return self.deliver(),
            Want::Mark => {
                // An empty transaction: the position moves.
                self.world.commit(&[]);
                self.writer().marked();
            }
            Want::Flush => self.flush(),
            Want::Events => return false,
        }
        true
    }

    /// Hands over what the source has answered.
    pub(crate) fn deliver(&mut self) -> bool {
        if let Some(rows) = self.late_rows.take() {
            self.trace.note(|| format!("rows by key, read at {:?}", rows.read_at));
            let result = self.writer().refetched(rows);
            self.check(result);
            return true;
        }
        let Some((job, chunk)) = self.late_chunk.take() else { return false };
        let now = self.now;
        let result = self.writer().chunk(job, chunk, now);
        self.check(result);
        true
    }

    /// Hands over the next events of the stream. Gives whether there were any.
    pub(crate) fn pump(&mut self) -> bool {
        let Some(stream) = &mut self.stream else { return self.open_stream() };
        match stream.next(Duration::ZERO) {
            Ok(events) => {
                let has_any = !events.is_empty();
                let result = self.writer().push(events);
                self.check(result);
                has_any
            }
            Err(error) => {
                self.trace.note(|| format!("the stream ends: {error}"));
                self.end_stream();
                true
            }
        }
    }

    pub(crate) fn end_stream(&mut self) {
        self.stream = None;
        self.writer().stream_ended();
    }

    fn open_stream(&mut self) -> bool {
        let Some(position) = self.writer().position().cloned() else { return false };
        match self.world.source.stream(Some(&position)) {
            Ok(stream) => self.stream = Some(stream),
            Err(SourceError { class: ErrorClass::PositionLost, .. }) => self.rebuild(),
            Err(error) => panic!("the stream does not open: {error}"),
        }
        true
    }

    /// All rows are compared, as the source has forgotten what came after the position.
    fn rebuild(&mut self) {
        self.events.rebuilds += 1;
        (self.late_chunk, self.late_rows) = (None, None);
        let tables = self.world.source.schema().expect("no fault was injected");
        let (head, now) = (self.world.head(), self.now);
        self.trace.note(|| format!("rebuild at {head:?}"));
        let result = self.writer().rebuild(&tables, head, now);
        self.check(result);
    }

    /// Makes the source behave as badly as sources do.
    pub(crate) fn disturb(&mut self, random: &mut Random) {
        use sync_sources::memory::Fault;
        let fault = match random.below(3) {
            0 => Fault::CutStreamsAfter(random.below(20)),
            1 => Fault::EventsPerCall(1 + random.below(12)),
            _ => Fault::RepeatRows(random.below(3)),
        };
        self.trace.note(|| format!("{fault:?}"));
        self.world.source.inject(fault);
    }
}
