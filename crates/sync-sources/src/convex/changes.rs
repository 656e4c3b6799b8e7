//! Pages of changes to events. Nothing here talks to anybody, so that all of it can be tried with pages of a test.
//!
//! A page of deltas has whole mutations: those with one timestamp are one transaction. A page of the sync API has no such
//! boundaries, so all pages up to the one after which there is no more are one transaction.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use sync_config::Value;
use sync_engine::row::Position;
use sync_engine::source::{RowChange, SourceError, SourceEvent};

use super::pages::{DeltasPage, Row, SyncPage};
use super::tables::{Layout, MARKERS, Tables};
use crate::common::Relations;
use crate::error::{position_lost, retry};

/// How often an idle source says so, if nobody waits for it.
const IDLE_EVERY: Duration = Duration::from_secs(60);

/// A timestamp as a position: 19 digits, so that positions compare as their numbers do.
pub(crate) fn position(ts: i64) -> Position {
    Position(format!("{:019}", ts.max(0)).into_bytes())
}

/// The timestamp of a position.
pub(crate) fn timestamp(position: &Position) -> Result<i64, SourceError> {
    let text = std::str::from_utf8(&position.0).ok().filter(|text| text.len() == 19);
    let ts = text.and_then(|text| text.parse().ok());
    ts.ok_or_else(|| position_lost("the position is of another kind of source"))
}

/// What surrounds a page: what is known of tables, what somebody waits for, and the time.
pub(crate) struct Around<'a> {
    pub(crate) tables: &'a Tables,
    /// Somebody waits for this timestamp, or has.
    pub(crate) awaited: i64,
    pub(crate) now: Instant,
}

/// Where a stream is.
pub(crate) struct Changes {
    /// Where the next page of deltas begins.
    pub(crate) cursor: i64,
    /// The last position that was given.
    given: i64,
    idle_since: Instant,
    relations: Relations,
    /// Tables that are gone, and whose rows are removed with the next timestamp.
    pub(crate) gone: Vec<String>,
    /// Whether a transaction of several pages has begun.
    is_open: bool,
}

impl Changes {
    pub(crate) fn new(from: i64, now: Instant) -> Self {
        Self {
            cursor: from,
            given: from,
            idle_since: now,
            relations: Relations::default(),
            gone: Vec::new(),
            is_open: false,
        }
    }

    /// A page of deltas, asked for at the cursor.
    pub(crate) fn deltas(&mut self, page: DeltasPage, around: &Around<'_>) -> Result<Vec<SourceEvent>, SourceError> {
        if page.cursor < self.cursor {
            return Err(position_lost("the Convex deployment is at an earlier timestamp than before"));
        }
        if page.has_more && page.cursor == self.cursor {
            return Err(retry("Reading changes: the Convex deployment has more, and its cursor does not move"));
        }
        let mut rows = page.rows;
        rows.retain(|row| row.ts > self.given);
        rows.sort_by_key(|row| row.ts);
        let has_marker = rows.iter().any(|row| row.table == MARKERS && row.component.is_empty());
        // Tables that are gone go before the first transaction: their name may be that of a new table in it.
        let first = rows.first().map(|row| row.ts);
        let layouts = around.tables.learn_page(&mut rows);
        let mut events = Vec::new();
        if let Some(ts) = first.filter(|ts| !self.gone.is_empty() && rows.first().is_none_or(|row| row.ts > *ts)) {
            self.remove_gone(around.tables, ts, &mut events);
        }
        let mut rows = rows.into_iter().peekable();
        while let Some(ts) = rows.peek().map(|row| row.ts) {
            events.push(SourceEvent::Begin);
            self.truncate_gone(around.tables, &mut events);
            while let Some(row) = rows.next_if(|row| row.ts == ts) {
                self.row(row, &layouts, &mut events)?;
            }
            self.commit(ts, Some(ts), &mut events);
        }
        if page.cursor > self.given && !self.gone.is_empty() {
            self.remove_gone(around.tables, page.cursor, &mut events);
        }
        self.cursor = page.cursor;
        self.idle(page.cursor, has_marker, around, &mut events);
        Ok(events)
    }

    /// A page of the sync API.
    pub(crate) fn sync(&mut self, page: SyncPage, around: &Around<'_>) -> Result<Vec<SourceEvent>, SourceError> {
        let mut rows = page.rows;
        let has_marker = rows.iter().any(|row| row.table == MARKERS && row.component.is_empty());
        let time = rows.iter().map(|row| row.ts).max();
        let layouts = around.tables.learn_page(&mut rows);
        let truncates: Vec<String> =
            page.truncates.into_iter().filter(|table| around.tables.is_wanted(table)).collect();
        let mut events = Vec::new();
        if !(self.is_open || truncates.is_empty() && rows.is_empty()) {
            events.push(SourceEvent::Begin);
            self.is_open = true;
        }
        self.gone = truncates;
        self.truncate_gone(around.tables, &mut events);
        for row in rows {
            self.row(row, &layouts, &mut events)?;
        }
        if page.has_more || page.is_snapshotting {
            return Ok(events);
        }
        if page.snapshot < self.given {
            return Err(position_lost("the Convex deployment is at an earlier timestamp than before"));
        }
        if std::mem::take(&mut self.is_open) {
            if page.snapshot == self.given {
                return Err(retry(
                    "Reading changes: the Convex deployment has changes, and its timestamp does not move",
                ));
            }
            self.commit(page.snapshot, time, &mut events);
        }
        self.idle(page.snapshot, has_marker, around, &mut events);
        Ok(events)
    }

    fn row(
        &mut self,
        row: Row,
        layouts: &HashMap<String, Arc<Layout>>,
        events: &mut Vec<SourceEvent>,
    ) -> Result<(), SourceError> {
        let layout = layouts.get(&row.table).ok_or_else(|| retry("Reading changes: a table has no layout"))?;
        let table = self.relations.number(&layout.table, events);
        let change = match row.fields {
            Some(fields) => {
                let values = layout.row(fields).ok_or_else(|| retry("Reading changes: a row has an unknown field"))?;
                RowChange { table, old_key: None, row: Some(values) }
            }
            None => RowChange { table, old_key: Some(vec![Value::Text(row.id)]), row: None },
        };
        events.push(SourceEvent::Row(change));
        Ok(())
    }

    fn commit(&mut self, ts: i64, time: Option<i64>, events: &mut Vec<SourceEvent>) {
        events.push(SourceEvent::Commit { position: position(ts), time: time.map(|time| time / 1_000) });
        self.given = ts;
    }

    /// A transaction that removes the rows of tables that are gone, and nothing else.
    fn remove_gone(&mut self, tables: &Tables, ts: i64, events: &mut Vec<SourceEvent>) {
        events.push(SourceEvent::Begin);
        self.truncate_gone(tables, events);
        self.commit(ts, None, events);
    }

    fn truncate_gone(&mut self, tables: &Tables, events: &mut Vec<SourceEvent>) {
        let gone = std::mem::take(&mut self.gone);
        let numbers: Vec<u32> =
            gone.iter().map(|table| self.relations.number(&tables.layout(table).table, events)).collect();
        if !numbers.is_empty() {
            events.push(SourceEvent::Truncate(numbers));
        }
    }

    /// Says that nothing happened up to a timestamp, if somebody waits for that, or once in a while.
    fn idle(&mut self, reached: i64, has_marker: bool, around: &Around<'_>, events: &mut Vec<SourceEvent>) {
        if !events.is_empty() {
            self.idle_since = around.now;
        }
        let is_awaited = self.given < around.awaited && around.awaited <= reached;
        let is_due = around.now.duration_since(self.idle_since) >= IDLE_EVERY;
        if reached > self.given && (has_marker || is_awaited || is_due) {
            events.push(SourceEvent::Idle { position: position(reached) });
            (self.given, self.idle_since) = (reached, around.now);
        }
    }
}

#[cfg(test)]
#[path = "changes_tests.rs"]
mod tests;
