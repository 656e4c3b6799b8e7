//! Deploying configurations: only what has changed is read, and other clients notice nothing.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use anyhow::{Result, ensure};
use serde_json::Value;
use sync_config::{TablePattern, Value as Cell};
use sync_engine::row::{Position, SourceTable};
use sync_engine::source::{Check, Refetched, SnapshotChunk, Source, SourceDescription, SourceError, SourceStream};
use sync_sources::memory::MemorySource;

use crate::Stage;
use crate::client::{Coding, Lines};
use crate::figures::{Figures, number};
use crate::latency::InProcess;

const TABLES: usize = 50;

/// A source that counts the rows that are read of each table.
#[derive(Clone)]
struct Counted {
    source: MemorySource,
    read: Arc<Mutex<BTreeMap<String, usize>>>,
}

impl Counted {
    /// The tables that were read since the last call, and how many rows.
    fn take(&self) -> BTreeMap<String, usize> {
        std::mem::take(&mut self.read.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// A stream for each table; the first one can be another one.
fn config(streams: usize, first: &str) -> String {
    let mut yaml = String::from("config: {edition: 3}\nstreams:\n");
    for number in 0..streams {
        let condition = if number == 0 { first } else { "" };
        let _ = writeln!(yaml, "  s{number}:\n    query: SELECT * FROM t{number}{condition}");
    }
    yaml
}

/// Deploys the same configuration again, and one in which one of 50 definitions is another one.
pub(crate) fn measure(stage: &Stage<'_>, figures: &mut Figures) -> Result<()> {
    let rows = stage.scaled(2000, 10);
    let source = source(rows)?;
    let running = InProcess::start(stage, Arc::new(source.clone()), &config(TABLES, ""), "deployment.db")?;
    let client = &running.client;
    ensure!(source.take().values().sum::<usize>() == TABLES * rows, "the tables were not read once each");
    let mut of_first = client.subscribe("first", Coding::Plain, &["s0"])?;
    let mut of_another = client.subscribe("another", Coding::Plain, &["s1"])?;
    ensure!(of_first.checkpoint()?.operations == rows, "the first client lacks rows");
    ensure!(of_another.checkpoint()?.operations == rows, "the other client lacks rows");
    let written = || client.metric("rowtide_operations_written_total");
    let before = written()?;

    let begin = Instant::now();
    client.deploy(&format!("# The same.\n{}", config(TABLES, "")))?;
    figures.add("deploying an unchanged configuration", begin.elapsed().as_secs_f64() * 1e3, "ms", "");
    let (read, operations) = (source.take().values().sum(), written()? - before);
    ensure!(read == 0 && operations == 0, "an unchanged configuration has read {read} rows and written {operations}");
    figures.add("— rows read for it", number(read), "", "0");
    figures.add("— operations written for it", number(operations), "", "0");

    let begin = Instant::now();
    client.deploy(&config(TABLES, " WHERE done = 1"))?;
    figures.add("deploying 1 changed definition of 50", begin.elapsed().as_secs_f64() * 1e3, "ms", "");
    let read = source.take();
    ensure!(read.keys().eq(["t0"]), "more was read than the table of the definition: {:?}", read.keys());
    figures.add("— tables read", number(read.len()), "", "1");
    let operations = written()? - before;
    ensure!(operations == rows / 2, "{operations} operations were written for {} rows", rows / 2);
    let operations = next_operations(&mut of_first)?;
    ensure!(
        operations == rows / 2,
        "the client of the definition has got {operations} operations for {} rows",
        rows / 2
    );
    // If the other client had got anything, it would come before this.
    source.source.begin().put("t1", row(rows)).commit()?;
    let operations = next_operations(&mut of_another)? - 1;
    ensure!(operations == 0, "another client has got {operations} operations");
    figures.add("— operations for other clients", number(operations), "", "0");
    dry_run(&running, figures)?;
    running.stop();
    Ok(())
}

/// Operations of the next checkpoint that has any: another plan is told with a checkpoint, too.
fn next_operations(lines: &mut Lines) -> Result<usize> {
    loop {
        let operations = lines.checkpoint()?.operations;
        if operations > 0 {
            return Ok(operations);
        }
    }
}

fn dry_run(running: &InProcess, figures: &mut Figures) -> Result<()> {
    let yaml = config(200, "");
    let begin = Instant::now();
    let answer = running.client.validate(&yaml)?;
    ensure!(answer.get("valid") == Some(&Value::Bool(true)), "the configuration is not valid: {answer}");
    figures.add("checking a configuration of 200 streams", begin.elapsed().as_secs_f64() * 1e3, "ms", "≤ 100");
    Ok(())
}

/// Half of the rows are done.
fn row(number: usize) -> Vec<Cell> {
    let text = format!("{:0>150}", number);
    let done = i64::from(number.is_multiple_of(2));
    vec![Cell::text(number.to_string()), Cell::text(&text), Cell::Integer(done)]
}

fn source(rows: usize) -> Result<Counted> {
    let source = MemorySource::new();
    for table in 0..TABLES {
        let name = format!("t{table}");
        source.create_table(&name, &["id", "text", "done"], &["id"])?;
        let transaction = (0..rows).fold(source.begin(), |transaction, number| transaction.put(&name, row(number)));
        transaction.commit()?;
    }
    Ok(Counted { source, read: Arc::default() })
}

impl Source for Counted {
    fn describe(&self) -> SourceDescription {
        self.source.describe()
    }

    fn schema(&self) -> Result<Vec<SourceTable>, SourceError> {
        self.source.schema()
    }

    fn test(&self, patterns: &[TablePattern]) -> Vec<Check> {
        self.source.test(patterns)
    }

    fn tables(&self, patterns: &[TablePattern]) -> Result<Vec<SourceTable>, SourceError> {
        self.source.tables(patterns)
    }

    fn snapshot_chunk(
        &self,
        table: &SourceTable,
        after: Option<&[Cell]>,
        limit: usize,
    ) -> Result<SnapshotChunk, SourceError> {
        let chunk = self.source.snapshot_chunk(table, after, limit)?;
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        *read.entry(table.name.to_string()).or_default() += chunk.rows.len();
        drop(read);
        Ok(chunk)
    }

    fn stream(&self, from: Option<&Position>) -> Result<Box<dyn SourceStream>, SourceError> {
        self.source.stream(from)
    }

    fn refetch(&self, table: &SourceTable, keys: &[Vec<Cell>]) -> Result<Refetched, SourceError> {
        self.source.refetch(table, keys)
    }

    fn head(&self) -> Result<Position, SourceError> {
        self.source.head()
    }

    fn mark(&self) -> Result<(), SourceError> {
        self.source.mark()
    }

    fn acknowledge(&self, position: &Position) -> Result<(), SourceError> {
        self.source.acknowledge(position)
    }
}
