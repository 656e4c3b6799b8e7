//! Gives the transactions of a [`Database`] as a stream of events.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sync_engine::row::Position;
use sync_engine::source::{RowChange, SourceError, SourceEvent, SourceStream};

use super::Shared;
use super::database::{Change, Committed};
use crate::common::Relations;
use crate::error::{position_lost, retry};

/// What looks for new transactions while a stream waits, and how often. A failure ends the stream.
pub(crate) type Look = (Box<dyn Fn() -> Result<(), SourceError> + Send>, Duration);

pub(crate) struct MemoryStream {
    shared: Arc<Shared>,
    look: Option<Look>,
    /// Everything up to here was given.
    position: u64,
    /// The transaction that is being given, and how many of its changes were.
    open: Option<(Arc<Committed>, usize)>,
    relations: Relations,
}

impl MemoryStream {
    pub(crate) fn new(shared: Arc<Shared>, position: u64, look: Option<Look>) -> Self {
        Self { shared, look, position, open: None, relations: Relations::default() }
    }

    /// What there is now.
    fn take(&mut self) -> Result<Vec<SourceEvent>, SourceError> {
        let shared = Arc::clone(&self.shared);
        let mut state = shared.lock();
        if let Some(error) = state.faults.fail_next.take() {
            return Err(error);
        }
        if self.open.is_none() && self.position < state.database.forgotten {
            return Err(position_lost("the stream is at a position that was forgotten"));
        }
        let mut limit = state.faults.events_per_call.unwrap_or(EVENTS);
        if let Some(left) = state.faults.cut_after {
            if left == 0 {
                state.faults.cut_after = None;
                return Err(retry("the stream was cut"));
            }
            limit = limit.min(left);
        }
        let mut events = Vec::new();
        while events.len() < limit {
            let (transaction, given) = match self.open.take() {
                Some(open) => open,
                None => match state.database.after(self.position) {
                    // There was one in between, which the next call says.
                    Some(_) if self.position < state.database.forgotten => break,
                    Some(transaction) => {
                        events.push(SourceEvent::Begin);
                        (Arc::clone(transaction), 0)
                    }
                    None => break,
                },
            };
            match transaction.changes.get(given) {
                Some(_) if events.len() >= limit => self.open = Some((transaction, given)),
                Some(change) => {
                    self.give(change, &mut events);
                    self.open = Some((transaction, given.saturating_add(1)));
                }
                None => {
                    self.position = transaction.position;
                    let position = Position::from_number(self.position);
                    events.push(SourceEvent::Commit { position, time: None });
                }
            }
        }
        if let Some(left) = &mut state.faults.cut_after {
            *left = left.saturating_sub(events.len());
        }
        if events.is_empty() && self.position < state.database.head {
            self.position = state.database.head;
            events.push(SourceEvent::Idle { position: Position::from_number(self.position) });
        }
        Ok(events)
    }

    fn give(&mut self, change: &Change, events: &mut Vec<SourceEvent>) {
        let event = match change {
            Change::Defined(table) => {
                self.relations.number(table, events);
                return;
            }
            Change::Put { table, old_key, row } => SourceEvent::Row(RowChange {
                table: self.relations.number(table, events),
                old_key: old_key.clone(),
                row: Some(row.clone()),
            }),
            Change::Delete { table, key } => SourceEvent::Row(RowChange {
                table: self.relations.number(table, events),
                old_key: Some(key.clone()),
                row: None,
            }),
            Change::Truncate(tables) => {
                SourceEvent::Truncate(tables.iter().map(|table| self.relations.number(table, events)).collect())
            }
            Change::Dropped(table) => SourceEvent::Dropped(self.relations.number(table, events)),
        };
        events.push(event);
    }
}

/// Events that one call gives, about.
const EVENTS: usize = 2_000;

impl SourceStream for MemoryStream {
    fn next(&mut self, wait: Duration) -> Result<Vec<SourceEvent>, SourceError> {
        let end = Instant::now() + wait;
        loop {
            if let Some((look, _)) = &self.look {
                look()?;
            }
            let events = self.take()?;
            let left = end.saturating_duration_since(Instant::now());
            if !events.is_empty() || left.is_zero() {
                return Ok(events);
            }
            let step = self.look.as_ref().map_or(left, |(_, step)| left.min(*step));
            self.shared.wait_beyond(self.position, step);
        }
    }
}
