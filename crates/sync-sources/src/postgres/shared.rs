//! What the source and its streams share.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sync_config::TablePattern;
use sync_engine::row::SourceTable;
use sync_engine::source::SourceError;

use super::catalog::{self, Layout, Table, Which};
use super::place::{Lsn, Place};
use super::slot::{self, Slot};
use super::sql::{Database, Result, Session};
use super::types::Types;

/// Names of what the service uses in the database.
#[derive(Clone, Debug)]
pub(crate) struct Names {
    pub(crate) slot: String,
    pub(crate) publication: String,
}

pub(crate) struct Shared {
    pub(crate) names: Names,
    /// For the service.
    pub(crate) main: Database,
    /// For streams.
    pub(crate) lookup: Database,
    slot: Mutex<Option<CurrentSlot>>,
    known: Mutex<Known>,
    /// Held while the catalog is read, so that what is read later is newer. Then come the connections, then `known`.
    reading: Mutex<()>,
    types: Mutex<Types>,
    /// A slot whose positions are not those of the server's log any more.
    distrusted: Mutex<Option<u32>>,
}

/// The slot that is used.
#[derive(Clone)]
pub(crate) struct CurrentSlot {
    pub(crate) slot: Slot,
    /// How far the service has stored what the slot gave.
    pub(crate) stored: Arc<AtomicU64>,
}

/// What the service was told of tables.
#[derive(Default)]
pub(crate) struct Known {
    patterns: Vec<TablePattern>,
    /// By id. Newer entries are not replaced by older knowledge.
    pub(crate) told: HashMap<u32, Told>,
    /// Tables that snapshots are read from, by their physical ids.
    tables: HashMap<String, Arc<Table>>,
    serial: u64,
}

/// What the service was told of a table.
pub(crate) struct Told {
    pub(crate) source: Arc<SourceTable>,
    pub(crate) serial: u64,
}

/// The tables at some time.
pub(crate) struct Seen {
    pub(crate) tables: BTreeMap<u32, Layout>,
    pub(crate) serial: u64,
    /// The server's log reached to here afterwards.
    pub(crate) at: Lsn,
}

impl Known {
    pub(crate) fn next_serial(&mut self) -> u64 {
        self.serial += 1;
        self.serial
    }

    pub(crate) fn is_wanted(&self, schema: &str, name: &str) -> bool {
        crate::common::is_matched(&self.patterns, schema, name)
    }

    /// How many patterns there are; it grows whenever they change.
    pub(crate) fn pattern_count(&self) -> usize {
        self.patterns.len()
    }

    /// Remembers patterns, which nobody takes back.
    pub(crate) fn add_patterns(&mut self, patterns: &[TablePattern]) {
        for pattern in patterns {
            if !self.patterns.contains(pattern) {
                self.patterns.push(pattern.clone());
            }
        }
    }
}

impl Shared {
    pub(crate) fn new(names: Names, target: &pg_connect::Target) -> Self {
        Self {
            names,
            main: Database::new(target.clone()),
            lookup: Database::new(target.clone()),
            slot: Mutex::default(),
            known: Mutex::default(),
            reading: Mutex::default(),
            types: Mutex::default(),
            distrusted: Mutex::default(),
        }
    }

    pub(crate) fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn types(&self) -> MutexGuard<'_, Types> {
        self.types.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn read_tables(&self, session: &mut Session, which: &Which<'_>) -> Result<Vec<Table>> {
        catalog::read(session, &mut self.types(), &self.names.publication, which)
    }

    /// The published tables that match, and have a key. The service is told of them.
    pub(crate) fn tables(&self, patterns: &[TablePattern]) -> std::result::Result<Vec<SourceTable>, SourceError> {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let serial = self.known().next_serial();
        let which = Which::Matching(patterns);
        let tables = self.main.run("reading the tables", |session| self.read_tables(session, &which))?;
        let mut known = self.known();
        let mut sources = Vec::new();
        for table in tables.into_iter().filter(Table::is_streamed) {
            let Some(layout) = table.layout() else { continue };
            known.told.insert(table.oid, Told { source: Arc::clone(&layout.source), serial });
            known.tables.insert(layout.source.physical_id.clone(), Arc::new(table));
            sources.push((*layout.source).clone());
        }
        Ok(sources)
    }

    /// All tables that match what the service has asked for, as they are now.
    pub(crate) fn look(&self) -> std::result::Result<Seen, SourceError> {
        let _reading = self.reading.lock().unwrap_or_else(PoisonError::into_inner);
        let (serial, patterns) = {
            let mut known = self.known();
            (known.next_serial(), known.patterns.clone())
        };
        let which = Which::Matching(&patterns);
        let (tables, at) = self.lookup.run("reading the tables", |session| {
            let tables = self.read_tables(session, &which)?;
            Ok((tables, current_lsn(session)?))
        })?;
        let mut seen = BTreeMap::new();
        let mut known = self.known();
        for table in tables.into_iter().filter(Table::is_streamed) {
            let Some(layout) = table.layout() else { continue };
            seen.insert(table.oid, layout.clone());
            known.tables.insert(layout.source.physical_id.clone(), Arc::new(table));
        }
        Ok(Seen { tables: seen, serial, at })
    }

    /// The table that the service knows like this, as it was when it was last read.
    pub(crate) fn table(&self, session: &mut Session, source: &SourceTable) -> Result<Arc<Table>> {
        let found = self.known().tables.get(&source.physical_id).cloned();
        if let Some(table) = found.filter(|table| is_as_known(table, source)) {
            return Ok(table);
        }
        let oid = source.physical_id.split('(').next().and_then(|oid| oid.parse().ok()).unwrap_or(0);
        let read = self.read_tables(session, &Which::Oid(oid))?;
        let table = read.into_iter().find(|table| is_as_known(table, source));
        let table = Arc::new(table.ok_or_else(|| super::rows::changed(source))?);
        self.known().tables.insert(source.physical_id.clone(), Arc::clone(&table));
        Ok(table)
    }

    /// The slot that is used; it is looked up or created first.
    pub(crate) fn slot(&self) -> std::result::Result<CurrentSlot, SourceError> {
        match self.current_slot() {
            Some(slot) => Ok(slot),
            None => self.refresh_slot(),
        }
    }

    pub(crate) fn current_slot(&self) -> Option<CurrentSlot> {
        self.slot.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Looks at the slot, and creates one if there is none that can be used.
    pub(crate) fn refresh_slot(&self) -> std::result::Result<CurrentSlot, SourceError> {
        Ok(self.set_slot(slot::ensure(&self.main, &self.names.slot)?))
    }

    /// A new slot. All positions of before are lost.
    pub(crate) fn renew_slot(&self, after: u32) -> std::result::Result<CurrentSlot, SourceError> {
        Ok(self.set_slot(slot::renew(&self.main, &self.names.slot, after)?))
    }

    fn set_slot(&self, slot: Slot) -> CurrentSlot {
        let mut current = self.slot.lock().unwrap_or_else(PoisonError::into_inner);
        let stored = match &*current {
            Some(before) if before.slot.epoch == slot.epoch => Arc::clone(&before.stored),
            _ => Arc::default(),
        };
        stored.fetch_max(slot.confirmed.0, Ordering::AcqRel);
        current.insert(CurrentSlot { slot, stored }).clone()
    }

    /// Positions of this slot are not those of the server's log.
    pub(crate) fn distrust(&self, epoch: u32) {
        *self.distrusted.lock().unwrap_or_else(PoisonError::into_inner) = Some(epoch);
    }

    pub(crate) fn is_distrusted(&self, epoch: u32) -> bool {
        *self.distrusted.lock().unwrap_or_else(PoisonError::into_inner) == Some(epoch)
    }

    /// Where the server's log ends. What is visible was written before.
    pub(crate) fn head(&self) -> std::result::Result<Place, SourceError> {
        let epoch = self.slot()?.slot.epoch;
        let lsn = self.main.run("reading the position", current_lsn)?;
        Ok(Place { epoch, lsn, last_commit: None })
    }
}

/// Whether reading the table gives rows as the service knows them.
fn is_as_known(table: &Table, source: &SourceTable) -> bool {
    table.layout().is_some_and(|layout| {
        let now = &layout.source;
        let has = |column: &sync_engine::row::Column| now.columns.iter().any(|other| other.name == column.name);
        (&now.physical_id, &now.schema, &now.name) == (&source.physical_id, &source.schema, &source.name)
            && source.columns.iter().all(has)
    })
}

/// Where the log ends. What is visible can be in a part that was not written to the disk yet.
pub(crate) fn current_lsn(session: &mut Session) -> Result<Lsn> {
    let row = session.client.query_one("SELECT pg_current_wal_insert_lsn()::text", &[])?;
    Ok(Lsn::parse(row.get(0)).unwrap_or_default())
}
