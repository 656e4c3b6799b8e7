//! What a source and its streams share: connections, and transactions in which the captures are right.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::{Connection, TransactionBehavior};
use sync_config::TablePattern;
use sync_engine::source::SourceError;

use super::failure::Result;
use super::file::{Identity, Slot};
use super::log::{self, Meta};
use super::reconcile::{Wanted, prepare, reconcile};
use super::registry::{self, Captured};
use super::schema::SCHEMA;
use crate::common::is_matched;
use crate::error::{position_lost, retry};

/// How many log entries are deleted in one transaction, so that the app does not wait long for the next one.
const DELETED_AT_ONCE: u64 = 10_000;

/// From how many entries on they are deleted at once, and else how often: each deletion is a write to the app's file.
const WORTH_DELETING: u64 = 1_000;
const DELETE_EVERY: Duration = Duration::from_secs(1);

pub(crate) struct Inner {
    pub(crate) path: PathBuf,
    writer: Slot,
    reader: Slot,
    /// All that [`Inner::tables`] was ever asked for.
    patterns: Mutex<Vec<TablePattern>>,
    last_deletion: Mutex<Option<Instant>>,
}

impl Inner {
    pub(crate) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            writer: Slot::new(path),
            reader: Slot::new(path),
            patterns: Mutex::new(Vec::new()),
            last_deletion: Mutex::new(None),
        }
    }

    /// A write transaction.
    pub(crate) fn write<T>(
        &self,
        what: &str,
        work: impl FnOnce(&Connection, &Identity) -> Result<T>,
    ) -> std::result::Result<T, SourceError> {
        self.writer.with(what, |opened| {
            let transaction = opened.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let result = work(&transaction, &opened.identity)?;
            transaction.commit()?;
            Ok(result)
        })
    }

    /// Begins a write transaction, and takes it back.
    pub(crate) fn try_write<T>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T>,
    ) -> std::result::Result<T, SourceError> {
        self.writer.with("testing the source", |opened| {
            work(&*opened.connection.transaction_with_behavior(TransactionBehavior::Immediate)?)
        })
    }

    /// A read transaction, whatever the captures are like.
    pub(crate) fn read<T>(
        &self,
        what: &str,
        work: impl FnOnce(&Connection) -> Result<T>,
    ) -> std::result::Result<T, SourceError> {
        self.reader.with(what, |opened| work(&*opened.connection.transaction()?))
    }

    /// A read transaction in which the captures are right for the schema.
    pub(crate) fn read_current<T>(
        &self,
        what: &str,
        work: impl Fn(&Connection) -> Result<T>,
    ) -> std::result::Result<T, SourceError> {
        // Other schema changes can come between.
        for _ in 0..5 {
            let done = self.reader.with(what, |opened| {
                let transaction = opened.connection.transaction()?;
                let meta = log::meta(&transaction)?.filter(|meta| meta.identity == opened.identity);
                match meta {
                    Some(meta) if log::is_current(&transaction, &meta)? => Ok(Some(work(&transaction)?)),
                    _ => Ok(None),
                }
            })?;
            match done {
                Some(result) => return Ok(result),
                None => self.reconcile(&[])?,
            }
        }
        Err(retry("the schema of the source changes all the time"))
    }

    /// Makes the captures right for the schema, and captures tables that match.
    pub(crate) fn reconcile(&self, new: &[TablePattern]) -> std::result::Result<(), SourceError> {
        let mut known = self.patterns.lock().unwrap_or_else(PoisonError::into_inner);
        self.write("preparing the capture of changes", |connection, identity| {
            prepare(connection, identity)?;
            reconcile(connection, &Wanted { known: &known, new })
        })?;
        for pattern in new {
            if !known.contains(pattern) {
                known.push(pattern.clone());
            }
        }
        Ok(())
    }

    /// The captured tables that match.
    pub(crate) fn captured(&self, patterns: &[TablePattern]) -> std::result::Result<Vec<Captured>, SourceError> {
        self.read_current("reading tables", |connection| {
            let mut captured = registry::all(connection)?;
            captured.retain(|captured| {
                captured.dropped_at.is_none() && is_matched(patterns, SCHEMA, &captured.definition.table.name)
            });
            Ok(captured)
        })
    }

    /// Where a stream begins. The log goes on from the time, so that positions of a backup's future are recognized.
    pub(crate) fn start(&self, from: Option<u64>) -> std::result::Result<u64, SourceError> {
        let known = self.patterns.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let started = self.write("starting the stream", |connection, identity| {
            let meta = prepare(connection, identity)?;
            let head = log::head(connection)?;
            let is_lost = from.is_some_and(|from| from < meta.first || from > head);
            if let Some(from) = from.filter(|from| *from > head) {
                // The log will come to this number one day: that must not look right then.
                log::begin_again(connection, identity, from)?;
            }
            reconcile(connection, &Wanted { known: &known, new: &[] })?;
            log::advance(connection, 0)?;
            let start = from.map_or_else(|| log::head(connection), Ok)?;
            Ok((!is_lost).then_some(start))
        })?;
        started.ok_or_else(|| {
            let path = self.path.display();
            position_lost(format!(
                "{path} does not know the changes after this position: the file was replaced, restored or copied, or the \
                capture was removed"
            ))
        })
    }

    /// Makes all positions up to now, and up to another one, lost ones.
    pub(crate) fn begin_again(&self, beyond: u64) -> std::result::Result<(), SourceError> {
        self.write("beginning another log", |connection, identity| match log::meta(connection)? {
            None => Ok(()),
            Some(_) => log::begin_again(connection, identity, log::head(connection)?.max(beyond)),
        })
    }

    /// Deletes log entries up to a position, if that is worth a write.
    pub(crate) fn forget(&self, position: u64) -> std::result::Result<(), SourceError> {
        let count = self.read("reading the log", |connection| {
            let (Some(_), limit) = (log::meta(connection)?, log::signed(WORTH_DELETING)) else { return Ok(0) };
            let sql = "SELECT count(*) FROM (SELECT 1 FROM main._sync_log WHERE seq <= ?1 LIMIT ?2)";
            let count = connection.prepare_cached(sql)?.query_row([log::signed(position), limit], |row| row.get(0))?;
            Ok(log::unsigned(count))
        })?;
        let mut last = self.last_deletion.lock().unwrap_or_else(PoisonError::into_inner);
        let is_recent = last.is_some_and(|last| last.elapsed() < DELETE_EVERY);
        if count == 0 || (count < WORTH_DELETING && is_recent) {
            return Ok(());
        }
        while self.delete(position)? {}
        *last = Some(Instant::now());
        Ok(())
    }

    /// Deletes some entries, and returns whether there may be more.
    fn delete(&self, position: u64) -> std::result::Result<bool, SourceError> {
        self.write("deleting from the log", |connection, _| {
            let Some(Meta { first, .. }) = log::meta(connection)? else { return Ok(false) };
            let position = position.min(log::head(connection)?);
            log::set_meta(connection, "first", log::signed(first.max(position)))?;
            let sql = "DELETE FROM main._sync_log WHERE seq IN
                (SELECT seq FROM main._sync_log WHERE seq <= ?1 ORDER BY seq LIMIT ?2)";
            let parameters = [log::signed(position), log::signed(DELETED_AT_ONCE)];
            let deleted = connection.prepare_cached(sql)?.execute(parameters)?;
            let sql = "DELETE FROM main._sync_table WHERE dropped_at <= ?1";
            connection.prepare_cached(sql)?.execute([log::signed(position)])?;
            log::advance(connection, 0)?;
            Ok(u64::try_from(deleted).is_ok_and(|deleted| deleted == DELETED_AT_ONCE))
        })
    }

    pub(crate) fn remove(&self) -> std::result::Result<(), SourceError> {
        self.write("removing the capture of changes", |connection, _| log::remove(connection))
    }
}
