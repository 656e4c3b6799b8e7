//! The operations whose costs are measured, each in its own transaction.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;
use rowtide_testkit::counters::Counters;
use rusqlite::params_from_iter;
use serde_json::{Value, json};

use super::client::{Client, column_name, row_id, table_name};
use crate::database::{Cache, Database};
use crate::measurement::Stopwatch;
use crate::service::data;

/// Longer than the unit of stored times. A checkpoint stores the time for each subscription, but not if it is still the
/// same: that must not depend on how fast rounds follow each other.
const CLOCK_TICK: Duration = Duration::from_millis(2);

/// All of them, in the order of the tables.
pub(super) const NAMES: &[&str] =
    &["open", "schema", "start", "checkpoint", "diff", "data", "complete", "keep-alive", "insert", "update", "delete"];

/// How often each is run for its time, and to be counted.
const TIMED: usize = 20;
const COUNTED: usize = 5;

/// How often the client connects before that.
const RECONNECTS: usize = 3;

/// The smallest costs up to now: what disturbs makes them larger.
#[derive(Debug, Clone, Copy, Default)]
struct Cost {
    seconds: Option<f64>,
    steps: Option<u64>,
    pages: Option<u64>,
}

#[derive(Debug, Default)]
struct Recorder {
    costs: BTreeMap<&'static str, Cost>,
    /// If set, work is counted and not timed, as counting takes time.
    counters: Option<Counters>,
}

impl Recorder {
    fn record<T>(&mut self, operation: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        let cost = self.costs.entry(operation).or_default();
        match &self.counters {
            Some(counters) => {
                let (result, counts) = counters.count(work);
                cost.steps = Some(cost.steps.map_or(counts.steps, |steps| steps.min(counts.steps)));
                cost.pages = Some(cost.pages.map_or(counts.pages, |pages| pages.min(counts.pages)));
                result
            }
            None => {
                let watch = Stopwatch::start();
                let result = work();
                let seconds = watch.elapsed().as_secs_f64();
                cost.seconds = Some(cost.seconds.map_or(seconds, |least| least.min(seconds)));
                result
            }
        }
    }

    fn to_json(&self) -> Value {
        let costs = self.costs.iter().map(|(name, cost)| {
            let cost = json!({ "seconds": cost.seconds, "steps": cost.steps, "pages": cost.pages });
            ((*name).to_owned(), cost)
        });
        Value::Object(costs.collect())
    }
}

/// Runs all operations and gives their costs as JSON: per operation `seconds`, `steps` and `pages`.
///
/// # Errors
/// What SQLite reports.
pub(super) fn measure(client: &mut Client) -> Result<Value> {
    let mut recorder = Recorder::default();
    for (rounds, counted) in [(TIMED, false), (COUNTED, true)] {
        (0..rounds).try_for_each(|_| open(client, &mut recorder, counted))?;
        with_database(client, &mut recorder, counted, |client, database, recorder| {
            sync(client, database, recorder, rounds)
        })?;
    }
    // Local writes come last: after them nothing would be published.
    for (rounds, counted) in [(TIMED, false), (COUNTED, true)] {
        with_database(client, &mut recorder, counted, |client, database, recorder| {
            write(client, database, recorder, rounds)
        })?;
    }
    Ok(recorder.to_json())
}

fn with_database(
    client: &mut Client,
    recorder: &mut Recorder,
    counted: bool,
    work: impl FnOnce(&mut Client, &Database, &mut Recorder) -> Result<()>,
) -> Result<()> {
    let mut connection = Database::connect(&client.path)?;
    // Moving the log into the database from time to time would cost what earlier operations have written.
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    recorder.counters = if counted { Some(Counters::install(&mut connection)?) } else { None };
    let database = Database::load(connection, &client.library, Cache::Large)?;
    database.initialize()?;
    database.replace_schema(&client.schema)?;
    let result = work(client, &database, recorder);
    recorder.counters = None;
    result
}

fn open(client: &Client, recorder: &mut Recorder, counted: bool) -> Result<()> {
    let mut connection = Database::connect(&client.path)?;
    recorder.counters = if counted { Some(Counters::install(&mut connection)?) } else { None };
    let database = recorder.record("open", || {
        let database = Database::load(connection, &client.library, Cache::Large)?;
        database.initialize()?;
        Ok(database)
    })?;
    recorder.record("schema", || database.replace_schema(&client.schema))?;
    recorder.counters = None;
    Ok(())
}

fn sync(client: &mut Client, database: &Database, recorder: &mut Recorder, rounds: usize) -> Result<()> {
    for _ in 0..RECONNECTS {
        recorder.record("start", || database.start(None))?;
        let checkpoint = client.service.checkpoint();
        recorder.record("checkpoint", || database.text_line(&checkpoint))?;
        database.text_line(&client.service.complete())?;
    }
    for round in 0..=rounds {
        let (bucket, entry) = client.change_row(round);
        let diff = client.service.diff(std::slice::from_ref(&bucket));
        let line = data(&bucket, &[entry], false);
        let complete = client.service.complete();
        // The first round compiles the statements, and finds out where rows of this type live.
        if round == 0 {
            [diff, line, complete].iter().try_for_each(|line| database.text_line(line).map(drop))?;
            continue;
        }
        recorder.record("diff", || database.text_line(&diff))?;
        recorder.record("data", || database.text_line(&line))?;
        std::thread::sleep(CLOCK_TICK);
        recorder.record("complete", || database.text_line(&complete))?;
        recorder.record("keep-alive", || database.text_line(r#"{"token_expires_in":3600}"#))?;
    }
    Ok(())
}

fn write(client: &mut Client, database: &Database, recorder: &mut Recorder, rounds: usize) -> Result<()> {
    let (table, columns) = (table_name(0), client.sizes.columns);
    let names: Vec<String> = (0..columns).map(column_name).collect();
    let insert = format!("INSERT INTO {table}(id, {}) VALUES (?{})", names.join(", "), ", ?".repeat(columns));
    let update = format!("UPDATE {table} SET c000 = ? WHERE id = ?");
    let delete = format!("DELETE FROM {table} WHERE id = ?");
    let run = |sql: &str, values: Vec<String>| {
        database.in_transaction(|connection| Ok(connection.prepare_cached(sql)?.execute(params_from_iter(values))?))
    };
    for round in 0..=rounds {
        let id = format!("{}-{round}", row_id(round));
        let text = client.column_text(round);
        let mut values = vec![id.clone()];
        values.extend(std::iter::repeat_n(text, columns));
        let changed = vec![client.column_text(round + 1), id.clone()];
        // The first round compiles the statements.
        if round == 0 {
            run(&insert, values)?;
            run(&update, changed)?;
            run(&delete, vec![id])?;
            continue;
        }
        recorder.record("insert", || run(&insert, values))?;
        recorder.record("update", || run(&update, changed))?;
        recorder.record("delete", || run(&delete, vec![id]))?;
    }
    Ok(())
}
