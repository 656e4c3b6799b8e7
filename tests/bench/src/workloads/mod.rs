//! The workloads: what an app and its SDK make the library do. Each prepares its data, then measures the parts of what
//! it does with them.

mod download;
mod incremental;
mod local_writes;
mod many_buckets;
mod reads;
mod removed_buckets;
mod scattered;
mod schema_changes;
mod tables;

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::database::{Cache, Database};
use crate::measurement::Measurement;
use crate::rows::{COLUMNS, TABLES};

/// Where and how large a workload runs.
#[derive(Debug)]
pub(crate) struct Stage {
    /// The library to be measured.
    pub library: PathBuf,
    /// The database file: none at first, or what the workload has prepared.
    pub database: PathBuf,
    /// Multiplies the numbers of rows and buckets; 1 is full size.
    pub scale: f64,
    /// SQLite's page cache.
    pub cache: Cache,
}

impl Stage {
    /// A number of rows or buckets at this scale, at least 1.
    pub(crate) fn count(&self, full: u32) -> usize {
        // A count is far below 2⁵³, and a float is never cast out of the range of the integer.
        ((f64::from(full) * self.scale) as usize).max(1)
    }

    /// Opens the database, without a schema.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(crate) fn open(&self) -> Result<Database> {
        Database::open(&self.database, &self.library, self.cache)
    }

    /// Opens the database and does what SDKs do first: creates the internal tables and applies the schema.
    ///
    /// # Errors
    /// What SQLite reports.
    pub(crate) fn open_with_schema(&self, schema: &str) -> Result<Database> {
        let database = self.open()?;
        database.initialize()?;
        database.replace_schema(schema)?;
        Ok(database)
    }
}

/// Makes the database that a workload begins with.
type Prepare = fn(&Stage) -> Result<()>;

/// Runs a workload. The database stays open, as what happens when it is closed is no part of it.
type Run = fn(&Stage) -> Result<(Database, Measurement)>;

/// One workload.
#[derive(Debug)]
pub(crate) struct Workload {
    /// Its name on the command line and in tables.
    pub name: &'static str,
    /// Prepares a database, which is then copied for every run.
    pub prepare: Option<Prepare>,
    /// Makes its data, begins to measure, and runs.
    pub run: Run,
}

/// All workloads, in the order in which they run.
pub(crate) const WORKLOADS: &[Workload] = &[
    Workload { name: "init_json", prepare: None, run: download::json },
    Workload { name: "init_bson", prepare: None, run: download::bson },
    Workload { name: "incremental", prepare: Some(incremental::prepare), run: incremental::run },
    Workload { name: "changed", prepare: Some(scattered::prepare), run: scattered::change },
    Workload { name: "removed", prepare: Some(scattered::prepare), run: scattered::remove },
    Workload { name: "manybuckets", prepare: None, run: many_buckets::run },
    Workload { name: "apply", prepare: None, run: download::publish },
    Workload { name: "local_1tx", prepare: None, run: local_writes::one_transaction },
    Workload { name: "local_1000tx", prepare: None, run: local_writes::thousand_transactions },
    Workload { name: "local_auto", prepare: None, run: local_writes::autocommit },
    Workload { name: "views", prepare: Some(reads::prepare), run: reads::run },
    Workload { name: "raw", prepare: None, run: tables::raw },
    Workload { name: "rawinfer", prepare: None, run: tables::inferred },
    Workload { name: "direct", prepare: None, run: tables::direct },
    Workload { name: "priorities", prepare: None, run: download::priorities },
    Workload { name: "supersede", prepare: None, run: download::supersede },
    Workload { name: "reopen", prepare: None, run: schema_changes::run },
    Workload { name: "delbuckets", prepare: Some(removed_buckets::prepare), run: removed_buckets::run },
];

/// The workload of this name.
///
/// # Errors
/// Lists the names that there are.
pub(crate) fn find(name: &str) -> Result<&'static Workload> {
    WORKLOADS.iter().find(|workload| workload.name == name).with_context(|| {
        let names: Vec<&str> = WORKLOADS.iter().map(|workload| workload.name).collect();
        format!("there is no workload {name:?}, but: {}", names.join(", "))
    })
}

/// The schema with all tables, as JSON tables.
pub(crate) fn schema() -> String {
    let tables = TABLES.map(|(name, _)| table(name, ""));
    format!(r#"{{"tables":[{}]}}"#, tables.join(","))
}

/// One table of a schema. `more` are further members, such as `,"direct":true`.
pub(crate) fn table(name: &str, more: &str) -> String {
    let columns = COLUMNS.map(|(name, kind)| format!(r#"{{"name":"{name}","type":"{kind}"}}"#));
    format!(r#"{{"name":"{name}","columns":[{}]{more}}}"#, columns.join(","))
}
