//! Gives the log as a stream of events.
//!
//! All that the log has is one transaction, however many the app made of it. Rows are read as they are now, some thousand
//! log entries at a time, each time in one read transaction with the log. No read transaction stays open between two
//! calls, since it would keep writers waiting, or the WAL growing. The transaction of the stream ends when the log has
//! no more: a row that was read earlier and has changed since is in the log again, so at that moment all rows are as the file
//! has them.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rusqlite::types::ToSqlOutput;
use rusqlite::{Connection, params_from_iter};
use sync_config::Value;
use sync_engine::row::{Position, RowKey, SourceTable};
use sync_engine::source::{RowChange, SourceError, SourceEvent, SourceStream};

use super::failure::Result;
use super::file::{Identity, Opened};
use super::inner::Inner;
use super::log::{self, Meta};
use super::registry;
use super::rows::{Reader, SourceRow};
use super::schema::TableInfo;
use super::values;
use crate::common::Relations;
use crate::error::{position_lost, retry};

/// How often a waiting stream asks whether the file has changed.
const STEP: Duration = Duration::from_millis(25);

/// How many log entries are read at once.
const CHUNK: usize = 2_000;

/// How long the file can be locked before that is an error.
const LOCKED: Duration = Duration::from_secs(10);

pub(crate) struct SqliteStream {
    inner: Arc<Inner>,
    opened: Opened,
    place: Place,
    /// What `data_version` was before the log was last read to its end.
    seen: Option<i64>,
    locked_since: Option<Instant>,
}

struct Place {
    /// The last one committed.
    position: u64,
    /// The log was read up to here: beyond the position while a transaction is open.
    cursor: u64,
    is_open: bool,
    relations: Relations,
    tables: HashMap<i64, Followed>,
    /// The version of the schema that `tables` are for.
    schema: Option<i64>,
}

/// A captured table.
struct Followed {
    table: Arc<SourceTable>,
    info: TableInfo,
    is_dropped: bool,
}

/// What log entries say, each table and key once.
#[derive(Default)]
struct Entries {
    count: usize,
    last: u64,
    dropped: Vec<i64>,
    defined: Vec<i64>,
    deleted: Vec<(i64, Vec<Value>)>,
    written: Vec<(i64, SourceRow)>,
}

impl SqliteStream {
    pub(crate) fn new(inner: Arc<Inner>, opened: Opened, position: u64) -> Self {
        let place = Place {
            position,
            cursor: position,
            is_open: false,
            relations: Relations::default(),
            tables: HashMap::new(),
            schema: None,
        };
        Self { inner, opened, place, seen: None, locked_since: None }
    }

    /// What there is now; nothing if the file is locked.
    fn take(&mut self) -> std::result::Result<Vec<SourceEvent>, SourceError> {
        if Identity::of(&self.inner.path)? != self.opened.identity {
            let path = self.inner.path.display();
            return Err(position_lost(format!("{path} was replaced by another file")));
        }
        match self.try_take() {
            Ok(events) => {
                self.locked_since = None;
                Ok(events)
            }
            Err(failure) if failure.is_busy() => {
                let since = *self.locked_since.get_or_insert_with(Instant::now);
                if since.elapsed() < LOCKED {
                    return Ok(Vec::new());
                }
                Err(failure.while_doing("reading changes", &self.inner.path))
            }
            Err(failure) => Err(failure.while_doing("reading changes", &self.inner.path)),
        }
    }

    fn try_take(&mut self) -> Result<Vec<SourceEvent>> {
        let version: i64 =
            self.opened.connection.prepare_cached("PRAGMA main.data_version")?.query_row([], |row| row.get(0))?;
        if self.seen == Some(version) && !self.place.is_open {
            return Ok(Vec::new());
        }
        // Other schema changes can come between.
        for _ in 0..5 {
            match self.place.read(&self.opened.connection) {
                Ok(Some(events)) => {
                    self.seen = Some(version);
                    return Ok(events);
                }
                Ok(None) => self.inner.reconcile(&[])?,
                Err(failure) => {
                    self.begin_again_if_lost();
                    return Err(failure);
                }
            }
        }
        Err(retry("the schema of the source changes all the time").into())
    }

    /// If the log ends before our position, it will go on beyond it one day: that must not look right then.
    fn begin_again_if_lost(&self) {
        let head = log::head(&self.opened.connection);
        if head.is_ok_and(|head| head < self.place.cursor) {
            // If it fails, the next stream finds the same.
            let _ = self.inner.begin_again(self.place.cursor);
        }
    }
}

impl SourceStream for SqliteStream {
    fn next(&mut self, wait: Duration) -> std::result::Result<Vec<SourceEvent>, SourceError> {
        let end = Instant::now() + wait;
        loop {
            let events = self.take()?;
            let left = end.saturating_duration_since(Instant::now());
            if !events.is_empty() || left.is_zero() {
                return Ok(events);
            }
            std::thread::sleep(left.min(STEP));
        }
    }
}

impl Place {
    /// The next events; none if the captures are not right for the schema.
    fn read(&mut self, connection: &Connection) -> Result<Option<Vec<SourceEvent>>> {
        let transaction = connection.unchecked_transaction()?;
        let Some(meta) = log::meta(&transaction)? else { return Ok(None) };
        if !log::is_current(&transaction, &meta)? {
            return Ok(None);
        }
        let head = log::head(&transaction)?;
        if head < self.cursor {
            return Err(position_lost(
                "the log ends before the stream's position: the file was restored, or the log reset",
            )
            .into());
        }
        if meta.first > self.position {
            return Err(position_lost("what follows the stream's position was deleted").into());
        }
        self.describe(&transaction, &meta)?;
        let entries = self.entries(&transaction)?;
        drop(transaction);
        let mut events = Vec::new();
        let is_end = entries.count < CHUNK;
        if entries.count > 0 {
            if !self.is_open {
                events.push(SourceEvent::Begin);
                self.is_open = true;
            }
            self.cursor = entries.last;
            self.give(entries, &mut events);
        }
        if is_end && self.is_open {
            let position = Position::from_number(head);
            events.push(SourceEvent::Commit { position, time: None });
            (self.is_open, self.cursor, self.position) = (false, head, head);
        } else if is_end && head > self.position {
            events.push(SourceEvent::Idle { position: Position::from_number(head) });
            (self.cursor, self.position) = (head, head);
        }
        Ok(Some(events))
    }

    /// Reads which tables are captured, if that may have changed.
    fn describe(&mut self, connection: &Connection, meta: &Meta) -> Result<()> {
        if self.schema == Some(meta.schema) {
            return Ok(());
        }
        self.tables.clear();
        for captured in registry::all(connection)? {
            let info = captured.definition.table;
            let table = Arc::new(info.source_table(captured.generation));
            self.tables.insert(captured.id, Followed { table, info, is_dropped: captured.dropped_at.is_some() });
        }
        self.schema = Some(meta.schema);
        Ok(())
    }

    fn entries(&self, connection: &Connection) -> Result<Entries> {
        let mut entries = Entries::default();
        let mut seen: HashSet<(i64, RowKey)> = HashSet::new();
        let mut readers: HashMap<i64, Reader<'_>> = HashMap::new();
        let sql = "SELECT * FROM main._sync_log WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let mut statement = connection.prepare_cached(sql)?;
        let mut rows = statement.query((log::signed(self.cursor), i64::try_from(CHUNK).unwrap_or(i64::MAX)))?;
        while let Some(row) = rows.next()? {
            entries.count = entries.count.saturating_add(1);
            entries.last = log::unsigned(row.get(0)?);
            let (id, op): (i64, i64) = (row.get(1)?, row.get(2)?);
            let Some(followed) = self.tables.get(&id) else { continue };
            match op {
                log::DROPPED => entries.dropped.push(id),
                _ if followed.is_dropped => {}
                log::DEFINED => entries.defined.push(id),
                _ => {
                    let columns = 3..followed.info.key_width().saturating_add(3);
                    let values = values::values(row, columns.clone())?;
                    let key = RowKey::new(&values);
                    if seen.contains(&(id, key.clone())) {
                        continue;
                    }
                    let reader = match readers.entry(id) {
                        std::collections::hash_map::Entry::Occupied(reader) => reader.into_mut(),
                        std::collections::hash_map::Entry::Vacant(place) => {
                            place.insert(Reader::new(connection, &followed.info)?)
                        }
                    };
                    // Bound as they are stored, so that a text that is no UTF-8 is found, too.
                    let stored = columns.map(|column| row.get_ref(column).map(ToSqlOutput::Borrowed));
                    let stored: Vec<ToSqlOutput<'_>> = stored.collect::<rusqlite::Result<_>>()?;
                    match reader.get(&key, params_from_iter(stored))? {
                        Some(row) => entries.written.push((id, row)),
                        None => entries.deleted.push((id, values)),
                    }
                    seen.insert((id, key));
                }
            }
        }
        Ok(entries)
    }

    /// Tables that are gone, then what the others are like, then rows that are gone, then those that are there.
    fn give(&mut self, entries: Entries, events: &mut Vec<SourceEvent>) {
        let Self { relations, tables, .. } = self;
        let mut number = |id: i64, events: &mut Vec<SourceEvent>| {
            let followed = tables.get(&id);
            debug_assert!(followed.is_some(), "entries are of known tables");
            followed.map(|followed| relations.number(&followed.table, events))
        };
        for id in entries.dropped {
            if let Some(number) = number(id, events) {
                events.push(SourceEvent::Dropped(number));
            }
        }
        for id in entries.defined {
            number(id, events);
        }
        for (id, key) in entries.deleted {
            if let Some(table) = number(id, events) {
                events.push(SourceEvent::Row(RowChange { table, old_key: Some(key), row: None }));
            }
        }
        for (id, row) in entries.written {
            if let Some(table) = number(id, events) {
                events.push(SourceEvent::Row(RowChange { table, old_key: None, row: Some(row) }));
            }
        }
    }
}
