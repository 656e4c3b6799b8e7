//! A Convex deployment as a source, by the APIs for streaming export.
//!
//! Documents are rows of schemaless tables in the schema `convex`, with `_id` as the key. Types follow the values: strings are
//! TEXT and numbers REAL, booleans 1 and 0; integers of 64 bits are TEXT in base 10, bytes TEXT in base64; objects and arrays
//! are their JSON. Casts in a configuration make other types of them.
//!
//! A position is a timestamp of the deployment with 19 digits. Snapshots are read by `list_snapshot`, changes by the sync
//! API if the deployment has it, else by `document_deltas`. Then dropped tables are found by listing the tables; that rows
//! were replaced by `npx convex import --replace` cannot be known.

mod changes;
mod check;
mod client;
mod options;
mod pages;
mod snapshot;
mod stream;
mod tables;
mod value;
mod watch;

use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Instant;

use sync_config::{TablePattern, Value};
use sync_engine::row::{Column, Position, SourceTable};
use sync_engine::source::{Check, Refetched, SnapshotChunk, Source, SourceDescription, SourceError, SourceStream};

use crate::error::{configuration, position_lost, retry};
use client::{Client, Failure};
use convex_connect::Called;
pub use convex_connect::{DEPLOY_KEY_VARIABLE, DeployKey, Reach};
pub use options::{Api, ConvexOptions, OnTableDrop};
use stream::ConvexStream;
use tables::{SCHEMA, Tables};

/// A Convex deployment.
pub struct ConvexSource {
    shared: Arc<Shared>,
}

/// What the source and its streams share.
pub(crate) struct Shared {
    client: Client,
    options: ConvexOptions,
    tables: Tables,
    /// The latest timestamp that somebody waits for.
    awaited: AtomicI64,
    /// Streams from before this timestamp cannot be right any more.
    lost_before: AtomicI64,
    calls: Calls,
}

/// Calls for a page before its time: somebody waits for a change that was just made.
#[derive(Default)]
struct Calls {
    count: Mutex<u64>,
    called: Condvar,
}

impl Calls {
    fn count(&self) -> u64 {
        *self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn call(&self) {
        let mut count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        *count = count.wrapping_add(1);
        drop(count);
        self.called.notify_all();
    }

    /// Waits for a call beyond those that were heard. Gives whether there is one.
    fn wait(&self, heard: u64, until: Instant) -> bool {
        let count = self.count.lock().unwrap_or_else(PoisonError::into_inner);
        let time = until.saturating_duration_since(Instant::now());
        let waited = self.called.wait_timeout_while(count, time, |count| *count == heard);
        let (count, _) = waited.unwrap_or_else(PoisonError::into_inner);
        *count != heard
    }
}

impl Shared {
    fn awaited(&self) -> i64 {
        self.awaited.load(Ordering::Relaxed)
    }

    /// What streams have given up to now cannot be right. The marker separates it from what comes.
    fn lose_position(&self) -> Result<(), SourceError> {
        let _ = self.client.mark();
        self.lost_before.store(self.client.now()?, Ordering::Relaxed);
        Ok(())
    }
}

impl ConvexSource {
    /// A source by the URL of a deployment and its key, as [`ConvexOptions::parse`] reads them. The deployment is not asked
    /// for anything yet.
    ///
    /// # Errors
    /// The URL is malformed, or the address is not permitted.
    pub fn open(location: &str, deploy_key: DeployKey) -> Result<Self, SourceError> {
        Self::with_options(ConvexOptions::parse(location, deploy_key)?)
    }

    /// A source with other options.
    ///
    /// # Errors
    /// The address is not permitted.
    pub fn with_options(options: ConvexOptions) -> Result<Self, SourceError> {
        let client = Client::new(&options)?;
        let shared = Shared {
            client,
            options,
            tables: Tables::default(),
            awaited: AtomicI64::new(0),
            lost_before: AtomicI64::new(0),
            calls: Calls::default(),
        };
        Ok(Self { shared: Arc::new(shared) })
    }
}

/// A source by its URL, with the key of the environment.
pub(crate) fn open(location: &str) -> Result<ConvexSource, SourceError> {
    let key = std::env::var(DEPLOY_KEY_VARIABLE).unwrap_or_default();
    ConvexSource::open(location, DeployKey::new(&key).map_err(Failure::from)?)
}

impl Source for ConvexSource {
    fn describe(&self) -> SourceDescription {
        let location = self.shared.client.location().to_owned();
        SourceDescription { kind: "convex", default_schema: SCHEMA.to_owned(), location }
    }

    fn schema(&self) -> Result<Vec<SourceTable>, SourceError> {
        let schemas = self.shared.client.schemas()?;
        let fields = schemas.iter().map(|(name, fields)| (name.as_str(), fields.keys().map(String::as_str).collect()));
        let everything = TablePattern { connection: None, schema: SCHEMA.to_owned(), table: "%".to_owned() };
        let mut tables = Tables::default().list(&[everything], fields);
        for table in &mut tables {
            let known = schemas.get(&table.name);
            for Column { name, type_name } in &mut table.columns {
                let kind = known.and_then(|fields| fields.get(name)).copied().unwrap_or_default();
                kind.clone_into(type_name);
            }
        }
        Ok(tables)
    }

    fn test(&self, patterns: &[TablePattern]) -> Vec<Check> {
        check::checks(&self.shared.client, self.shared.options.api, patterns)
    }

    fn tables(&self, patterns: &[TablePattern]) -> Result<Vec<SourceTable>, SourceError> {
        if let Some(message) = patterns.iter().find_map(check::wrong_schema) {
            return Err(configuration(message));
        }
        let schemas = self.shared.client.schemas()?;
        let fields = |name: &str| schemas.get(name).into_iter().flat_map(|fields| fields.keys().map(String::as_str));
        let mut names = pages::names(&schemas);
        if self.shared.options.on_table_drop == OnTableDrop::Keep {
            // Tables that are gone are kept as if they were there.
            names.extend(self.shared.tables.listed());
            let exact = patterns.iter().filter(|pattern| !pattern.is_wildcard());
            names.extend(exact.map(|pattern| pattern.table.clone()));
        }
        let existing = names.iter().map(|name| (name.as_str(), fields(name).collect()));
        Ok(self.shared.tables.list(patterns, existing))
    }

    fn snapshot_chunk(
        &self,
        table: &SourceTable,
        after: Option<&[Value]>,
        _limit: usize,
    ) -> Result<SnapshotChunk, SourceError> {
        let chunk = snapshot::chunk(&self.shared.client, &self.shared.tables, table, after)?;
        if let Ok(ts) = changes::timestamp(&chunk.read_at) {
            self.shared.awaited.fetch_max(ts, Ordering::Relaxed);
        }
        Ok(chunk)
    }

    fn stream(&self, from: Option<&Position>) -> Result<Box<dyn SourceStream>, SourceError> {
        let from = match from {
            Some(position) => changes::timestamp(position)?,
            None => self.shared.client.now()?,
        };
        if from < self.shared.lost_before.load(Ordering::Relaxed) {
            return Err(position_lost("a table was dropped and created again"));
        }
        Ok(Box::new(ConvexStream::open(&self.shared, from)?))
    }

    fn refetch(&self, table: &SourceTable, keys: &[Vec<Value>]) -> Result<Refetched, SourceError> {
        snapshot::refetch(&self.shared.client, table, keys)
    }

    fn head(&self) -> Result<Position, SourceError> {
        let now = self.shared.client.now()?;
        self.shared.awaited.fetch_max(now, Ordering::Relaxed);
        self.shared.calls.call();
        Ok(changes::position(now))
    }

    fn mark(&self) -> Result<(), SourceError> {
        let called = self.shared.client.mark()?;
        self.shared.calls.call();
        match called {
            Called::Value(_) => Ok(()),
            Called::Missing => Err(configuration(
                "the app has no function powersync_checkpoints:createCheckpoint, which moves the position",
            )),
            Called::Thrown(_) => Err(retry("powersync_checkpoints:createCheckpoint, which moves the position, fails")),
        }
    }

    fn acknowledge(&self, _position: &Position) -> Result<(), SourceError> {
        // The deployment keeps changes for a time of its own.
        Ok(())
    }
}
