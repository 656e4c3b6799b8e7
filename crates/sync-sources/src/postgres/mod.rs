//! A PostgreSQL database as a source: snapshots by `COPY`, and the stream by logical replication.
//!
//! The service uses one replication slot for all configurations, and one publication. It creates both if its role may, and
//! adds tables to the publication that a configuration reads. What it may not do, [`Source::test`] tells, with SQL.

mod catalog;
mod check;
mod copy;
mod pgoutput;
mod place;
mod publication;
mod query;
mod rows;
mod settle;
mod shared;
mod slot;
mod sql;
mod stream;
mod types;
mod url;
mod wire;

use std::sync::Arc;
use std::sync::atomic::Ordering;

use pg_connect::Target;
use sync_config::{TablePattern, Value};
use sync_engine::row::{Position, SourceTable};
use sync_engine::source::{
    Check, QueryAnswer, Refetched, SnapshotChunk, Source, SourceDescription, SourceError, SourceStream,
};

use crate::error::{configuration, position_lost};
use catalog::{Table, Which};
use place::Place;
use rows::Reader;
use settle::Settling;
use shared::{CurrentSlot, Shared, current_lsn};
use sql::{Problem, Session};
use stream::PostgresStream;

/// The schema of tables that a configuration names without one.
const DEFAULT_SCHEMA: &str = "public";

/// A database.
pub struct PostgresSource {
    shared: Arc<Shared>,
    settling: Settling,
}

impl PostgresSource {
    /// Reads the URL, `postgres://USER:PASSWORD@HOST:PORT/DATABASE`. It connects when something is asked for. Parameters are
    /// those of [`Target::parse`], and `slot` and `publication`, names that are used instead of `powersync_rowtide` and
    /// `powersync`.
    ///
    /// # Errors
    /// It is no such URL. The message does not hold the password.
    pub fn open(url: &str) -> Result<Self, SourceError> {
        let (target, names) = url::parse(url).map_err(configuration)?;
        Ok(Self { shared: Arc::new(Shared::new(names, &target)), settling: Settling::default() })
    }

    fn target(&self) -> &Target {
        self.shared.main.target()
    }

    /// Makes the publication and the slot, as far as the role may.
    fn prepare(&self, patterns: &[TablePattern]) -> Result<(), SourceError> {
        let name = &self.shared.names.publication;
        self.shared.main.run("preparing the publication", |session| {
            let tables = self.shared.read_tables(session, &Which::Matching(patterns))?;
            publication::extend(session, name, &tables)?;
            match publication::read(session, name)? {
                None => Err(configuration(publication::missing_message(name)).into()),
                Some(publication) if publication.is_via_root => Err(configuration(format!(
                    "the publication {name} shows partitions as their parent; run ALTER PUBLICATION {} SET \
                     (publish_via_partition_root = false)",
                    types::quote_name(name)
                ))
                .into()),
                Some(_) => Ok(()),
            }
        })?;
        self.shared.refresh_slot().map(|_| ())
    }

    /// The slot, if it can go on after a place. Else there is another one.
    fn slot_for(&self, from: Option<Place>) -> Result<(CurrentSlot, Place), SourceError> {
        let current = self.shared.refresh_slot()?;
        let head = self.shared.head()?;
        let Some(from) = from else { return Ok((current, head)) };
        let epoch = current.slot.epoch;
        let lost = if from.epoch != epoch {
            Some("the replication slot of this position is gone")
        } else if from.lsn < current.slot.confirmed {
            Some("the replication slot is beyond this position")
        } else if from.lsn > head.lsn || self.shared.is_distrusted(epoch) {
            Some("the server's log is not the one that was read before: the database was restored")
        } else {
            None
        };
        let Some(why) = lost else { return Ok((current, from)) };
        if epoch <= from.epoch {
            self.shared.renew_slot(from.epoch)?;
        }
        Err(position_lost(why))
    }

    /// Reads rows of a table, and then where the log ends.
    fn read<T>(
        &self,
        source: &SourceTable,
        read: impl Fn(&mut Reader<'_>) -> sql::Result<T>,
    ) -> Result<(T, Position), SourceError> {
        let epoch = self.shared.slot()?.slot.epoch;
        let name = format!("reading rows of {}.{}", source.schema, source.name);
        self.shared.main.run(&name, |session| {
            let table = self.shared.table(session, source)?;
            let rows = Reader::new(session, &table, source).and_then(|mut reader| read(&mut reader));
            let rows = rows.map_err(|problem| gone(problem, source))?;
            let lsn = current_lsn(session)?;
            Ok((rows, Place { epoch, lsn, last_commit: None }.to_position()))
        })
    }
}

/// That a table or a column does not exist is no mistake of the setup: it did before.
fn gone(problem: Problem, source: &SourceTable) -> Problem {
    match problem.code() {
        Some("42P01" | "42703" | "3F000" | "42704") => rows::changed(source).into(),
        _ => problem,
    }
}

impl Source for PostgresSource {
    fn describe(&self) -> SourceDescription {
        let location = self.target().location();
        SourceDescription { kind: "postgres", default_schema: DEFAULT_SCHEMA.to_owned(), location }
    }

    fn schema(&self) -> Result<Vec<SourceTable>, SourceError> {
        let tables =
            self.shared.main.run("reading the schema", |session| self.shared.read_tables(session, &Which::All))?;
        let of_rows = tables.iter().filter(|table| !table.is_partitioned);
        Ok(of_rows.map(|table: &Table| table.source_table(table.key().unwrap_or_default())).collect())
    }

    fn estimate(&self, table: &SourceTable) -> Result<Option<u64>, SourceError> {
        self.shared.main.run("estimating rows", |session| {
            let oid = self.shared.table(session, table)?.oid;
            // As of the last time that the table was analyzed; negative if that was never.
            let row = session.client.query_opt("SELECT reltuples::int8 FROM pg_class WHERE oid = $1", &[&oid])?;
            Ok(row.and_then(|row| u64::try_from(row.get::<_, i64>(0)).ok()))
        })
    }

    fn query(&self, sql: &str, limit: usize) -> Result<QueryAnswer, SourceError> {
        query::run(&self.shared, sql, limit)
    }

    fn test(&self, patterns: &[TablePattern]) -> Vec<Check> {
        check::run(&self.shared, patterns)
    }

    fn tables(&self, patterns: &[TablePattern]) -> Result<Vec<SourceTable>, SourceError> {
        // Before the tables are read, so that a stream does not leave out rows that were written since.
        self.shared.known().add_patterns(patterns);
        self.prepare(patterns)?;
        self.shared.tables(patterns)
    }

    fn snapshot_chunk(
        &self,
        table: &SourceTable,
        after: Option<&[Value]>,
        limit: usize,
    ) -> Result<SnapshotChunk, SourceError> {
        if after.is_none() {
            self.settling.settle(&self.shared, table)?;
        }
        let ((rows, next), read_at) = self.read(table, |reader| reader.page(after, limit))?;
        Ok(SnapshotChunk { rows, next, read_at })
    }

    fn stream(&self, from: Option<&Position>) -> Result<Box<dyn SourceStream>, SourceError> {
        let from = from.map(Place::of_position).transpose();
        let (slot, from) = match from {
            Ok(from) => self.slot_for(from)?,
            Err(error) => {
                self.shared.refresh_slot()?;
                return Err(error);
            }
        };
        Ok(Box::new(PostgresStream::start(Arc::clone(&self.shared), &slot, from)?))
    }

    fn refetch(&self, table: &SourceTable, keys: &[Vec<Value>]) -> Result<Refetched, SourceError> {
        let (rows, read_at) = self.read(table, |reader| reader.by_keys(keys))?;
        Ok(Refetched { rows, read_at })
    }

    fn head(&self) -> Result<Position, SourceError> {
        self.shared.head().map(Place::to_position)
    }

    fn mark(&self) -> Result<(), SourceError> {
        self.shared.main.run("writing a message", |session: &mut Session| {
            let sql = "SELECT pg_logical_emit_message(false, 'rowtide', '')";
            Ok(session.client.execute(sql, &[]).map(|_| ())?)
        })
    }

    fn acknowledge(&self, position: &Position) -> Result<(), SourceError> {
        let place = Place::of_position(position)?;
        if let Some(current) = self.shared.current_slot().filter(|current| current.slot.epoch == place.epoch) {
            current.stored.fetch_max(place.lsn.0, Ordering::AcqRel);
        }
        Ok(())
    }
}
