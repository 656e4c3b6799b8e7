//! Makes events of the server's messages. It does no I/O.
//!
//! Changes of the catalog that no message shows, such as a table that is dropped, are found by looking at it. What was seen
//! is part of the stream once that has come to where the server's log was when it was seen.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use sync_config::Value;
use sync_engine::row::{RowKey, SourceTable, SourceValue};
use sync_engine::source::{RowChange, SourceEvent};

use crate::postgres::catalog::Layout;
use crate::postgres::pgoutput::{Cell, Message};
use crate::postgres::place::{Lsn, Place};
use crate::postgres::shared::{Known, Seen, Told};
use crate::postgres::types::Kind;

/// What a stream knows.
pub(crate) struct Assembler {
    epoch: u32,
    from: Lsn,
    /// What is known of the transactions before `from` that come again.
    history: Option<History>,
    last_commit: Option<Lsn>,
    tables: BTreeMap<u32, Followed>,
    open: Option<Open>,
    /// The last position that was given.
    given: Lsn,
    seen: Option<Seen>,
    /// How many patterns there were when it was decided which tables are wanted.
    pattern_count: usize,
}

/// The transactions between where the slot was confirmed and where the stream begins.
struct History {
    /// The end of the last one.
    expected: Option<Lsn>,
    found: Option<Lsn>,
}

/// A table of the stream.
struct Followed {
    /// As the server last described it.
    described: Option<Described>,
    /// As the service was last told in this stream.
    told: Option<Arc<SourceTable>>,
}

#[derive(Clone)]
struct Described {
    layout: Layout,
    is_wanted: bool,
}

/// A transaction whose end has not come.
struct Open {
    /// It was complete before the stream began.
    is_old: bool,
    has_events: bool,
}

/// Why the stream cannot go on.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Broken {
    /// A message does not fit to those before it.
    Contradiction(&'static str),
    /// The log is not the one that the position is of.
    OtherHistory,
}

type Result<T> = std::result::Result<T, Broken>;

impl Assembler {
    /// `confirmed` is from where on the server gives transactions.
    pub(crate) fn new(from: Place, confirmed: Lsn) -> Self {
        // A transaction whose end is not after it does not come.
        let expected = |last: Lsn| History { expected: Some(last).filter(|last| *last > confirmed), found: None };
        Self {
            epoch: from.epoch,
            from: from.lsn,
            history: from.last_commit.map(expected),
            last_commit: from.last_commit,
            tables: BTreeMap::new(),
            open: None,
            given: from.lsn,
            seen: None,
            pattern_count: 0,
        }
    }

    /// Whether what was seen in the catalog waits for the stream.
    pub(crate) fn has_seen(&self) -> bool {
        self.seen.is_some()
    }

    /// The catalog was looked at.
    pub(crate) fn see(&mut self, seen: Seen, known: &Known) {
        let is_news = !changed_tables(&seen, known).is_empty();
        self.seen = is_news.then_some(seen);
    }

    /// The server describes a table, which has no layout if its rows cannot be told apart.
    pub(crate) fn describe(&mut self, oid: u32, layout: Option<Layout>, known: &mut Known) {
        let followed = self.tables.entry(oid).or_insert(Followed { described: None, told: None });
        followed.described = layout.map(|layout| Described { is_wanted: is_wanted(&layout, known), layout });
        if let Some(described) = followed.described.as_ref().filter(|described| described.is_wanted) {
            let (source, serial) = (Arc::clone(&described.layout.source), known.next_serial());
            known.told.insert(oid, Told { source, serial });
        }
    }

    /// Takes a message.
    pub(crate) fn message(
        &mut self,
        message: Message<'_>,
        known: &mut Known,
        events: &mut Vec<SourceEvent>,
    ) -> Result<()> {
        self.follow_patterns(known);
        match message {
            Message::Begin { lsn } => {
                if self.open.is_some() {
                    return Err(Broken::Contradiction("a transaction begins in another one"));
                }
                let is_old = lsn < self.from;
                if !is_old {
                    self.check_history()?;
                }
                self.open = Some(Open { is_old, has_events: false });
            }
            Message::Commit { end, time } => return self.commit(end, time, known, events),
            Message::Insert { table, new } => self.row(table, (None, Some(&new)), known, events)?,
            Message::Update { table, old, new } => self.row(table, (old.as_deref(), Some(&new)), known, events)?,
            Message::Delete { table, old } => self.row(table, (Some(&old), None), known, events)?,
            Message::Truncate { tables } => self.truncate(&tables, known, events)?,
            Message::Logical { is_transactional: false, lsn } => return self.reached(lsn, known, events),
            Message::Relation(_) | Message::Logical { .. } | Message::Other => {}
        }
        Ok(())
    }

    /// All that was committed up to here has come.
    pub(crate) fn reached(&mut self, lsn: Lsn, known: &mut Known, events: &mut Vec<SourceEvent>) -> Result<()> {
        if self.open.is_some() || lsn < self.from {
            return Ok(());
        }
        self.check_history()?;
        if lsn <= self.given {
            return Ok(());
        }
        self.given = lsn;
        let position = Place { epoch: self.epoch, lsn, last_commit: self.last_commit }.to_position();
        let changes = self.catalog_changes(lsn, known);
        if changes.is_empty() {
            // Of several, the last is enough.
            events.pop_if(|event| matches!(event, SourceEvent::Idle { .. }));
            events.push(SourceEvent::Idle { position });
        } else {
            events.push(SourceEvent::Begin);
            events.extend(changes);
            events.push(SourceEvent::Commit { position, time: None });
        }
        Ok(())
    }

    fn commit(&mut self, end: Lsn, time: i64, known: &mut Known, events: &mut Vec<SourceEvent>) -> Result<()> {
        let open = self.open.take().ok_or(Broken::Contradiction("a transaction ends, and none has begun"))?;
        if open.is_old {
            if let Some(history) = &mut self.history {
                history.found = Some(end);
            }
            return Ok(());
        }
        self.last_commit = Some(end);
        if !open.has_events {
            return self.reached(end, known, events);
        }
        events.extend(self.catalog_changes(end, known));
        self.given = end;
        let position = Place { epoch: self.epoch, lsn: end, last_commit: self.last_commit }.to_position();
        events.push(SourceEvent::Commit { position, time: Some(time.saturating_add(super::EPOCH_2000)) });
        Ok(())
    }

    /// All transactions before the beginning of the stream have come. The last of them must be the one that was the last.
    fn check_history(&mut self) -> Result<()> {
        match self.history.take() {
            Some(history) if history.found != history.expected => Err(Broken::OtherHistory),
            _ => Ok(()),
        }
    }

    /// Decides again which tables are wanted if the service wants more.
    fn follow_patterns(&mut self, known: &Known) {
        if self.pattern_count == known.pattern_count() {
            return;
        }
        self.pattern_count = known.pattern_count();
        for described in self.tables.values_mut().filter_map(|followed| followed.described.as_mut()) {
            described.is_wanted = is_wanted(&described.layout, known);
        }
    }

    /// The layout of a table whose rows are wanted in this transaction. The service is told of the table first.
    fn wanted(&mut self, oid: u32, known: &mut Known, events: &mut Vec<SourceEvent>) -> Result<Option<Layout>> {
        let open = self.open.as_mut().ok_or(Broken::Contradiction("a row was changed in no transaction"))?;
        let followed = self.tables.get_mut(&oid).ok_or(Broken::Contradiction("a table was not described"))?;
        let Some(described) = followed.described.as_ref().filter(|described| described.is_wanted && !open.is_old)
        else {
            return Ok(None);
        };
        if !std::mem::replace(&mut open.has_events, true) {
            events.push(SourceEvent::Begin);
        }
        let source = &described.layout.source;
        if followed.told.as_ref() != Some(source) {
            followed.told = Some(Arc::clone(source));
            let serial = known.next_serial();
            known.told.insert(oid, Told { source: Arc::clone(source), serial });
            events.push(SourceEvent::Relation { number: oid, table: (**source).clone() });
        }
        Ok(Some(described.layout.clone()))
    }

    fn row(
        &mut self,
        table: u32,
        (old, new): (Option<&[Cell<'_>]>, Option<&[Cell<'_>]>),
        known: &mut Known,
        events: &mut Vec<SourceEvent>,
    ) -> Result<()> {
        let Some(layout) = self.wanted(table, known, events)? else { return Ok(()) };
        let key = &layout.source.key;
        let old_key = old.map(|old| key_of(&layout, old, key)).transpose()?;
        let Some(new) = new else {
            events.push(SourceEvent::Row(RowChange { table, old_key, row: None }));
            return Ok(());
        };
        if new.len() != layout.kinds.len() {
            return Err(Broken::Contradiction("a row has another number of values than its table has columns"));
        }
        let row: Vec<SourceValue> = new
            .iter()
            .zip(&layout.kinds)
            .enumerate()
            .map(|(at, (cell, kind))| match (cell, old.and_then(|old| old.get(at))) {
                (Cell::Unchanged, Some(Cell::Text(text))) => kind.value(text),
                (Cell::Unchanged, _) => SourceValue::Missing,
                (Cell::Null, _) => SourceValue::Value(Value::Null),
                (Cell::Text(text), _) => kind.value(text),
            })
            .collect();
        let is_same = |old_key: &Vec<Value>| {
            let new_key = key.iter().map(|at| row.get(*at).map_or(Value::Null, super::key_value)).collect::<Vec<_>>();
            RowKey::new(old_key) == RowKey::new(&new_key)
        };
        let old_key = old_key.filter(|old_key| !is_same(old_key));
        events.push(SourceEvent::Row(RowChange { table, old_key, row: Some(row) }));
        Ok(())
    }

    fn truncate(&mut self, tables: &[u32], known: &mut Known, events: &mut Vec<SourceEvent>) -> Result<()> {
        let mut numbers = Vec::new();
        for oid in tables {
            if self.wanted(*oid, known, events)?.is_some() {
                numbers.push(*oid);
            }
        }
        if !numbers.is_empty() {
            events.push(SourceEvent::Truncate(numbers));
        }
        Ok(())
    }

    /// What was seen in the catalog, if the stream has come to where that was.
    fn catalog_changes(&mut self, lsn: Lsn, known: &mut Known) -> Vec<SourceEvent> {
        let Some(seen) = self.seen.take_if(|seen| seen.at <= lsn) else { return Vec::new() };
        let mut events = Vec::new();
        for oid in changed_tables(&seen, known) {
            let followed = self.tables.entry(oid).or_insert(Followed { described: None, told: None });
            if let Some(layout) = seen.tables.get(&oid) {
                let (source, serial) = (Arc::clone(&layout.source), seen.serial);
                followed.told = Some(Arc::clone(&source));
                events.push(SourceEvent::Relation { number: oid, table: (*source).clone() });
                known.told.insert(oid, Told { source, serial });
            } else if let Some(told) = known.told.remove(&oid) {
                if followed.told.take().is_none() {
                    events.push(SourceEvent::Relation { number: oid, table: (*told.source).clone() });
                }
                events.push(SourceEvent::Dropped(oid));
            }
        }
        events
    }
}

fn is_wanted(layout: &Layout, known: &Known) -> bool {
    known.is_wanted(&layout.source.schema, &layout.source.name)
}

/// Tables that are not what the service was told before they were seen.
fn changed_tables(seen: &Seen, known: &Known) -> BTreeSet<u32> {
    let all: BTreeSet<u32> = seen.tables.keys().chain(known.told.keys()).copied().collect();
    let is_changed = |oid: &u32| match (seen.tables.get(oid), known.told.get(oid)) {
        (_, Some(told)) if told.serial > seen.serial => false,
        (Some(layout), Some(told)) => layout.source != told.source,
        (Some(_), None) | (None, Some(_)) => true,
        (None, None) => false,
    };
    all.into_iter().filter(is_changed).collect()
}

/// The key of a row that the server has sent to identify it.
fn key_of(layout: &Layout, row: &[Cell<'_>], key: &[usize]) -> Result<Vec<Value>> {
    let value = |at: &usize| {
        let kind: &Kind = layout.kinds.get(*at)?;
        match row.get(*at)? {
            Cell::Null => Some(Value::Null),
            Cell::Text(text) => Some(kind.key_value(text)),
            Cell::Unchanged => None,
        }
    };
    let key = key.iter().map(value).collect::<Option<_>>();
    key.ok_or(Broken::Contradiction("a row was changed, and its key is missing"))
}

#[cfg(test)]
#[path = "assemble/tests.rs"]
mod tests;
