//! First downloads: many rows into an empty database.

use anyhow::{Context, Result, ensure};
use rowtide_driver::stream::Line;

use super::{Stage, schema};
use crate::database::{Database, published};
use crate::measurement::Measurement;
use crate::rows::{Rows, TABLES};
use crate::service::{Encoding, Service, data_lines};

/// Rows of a first download.
pub(super) const ROWS: u32 = 200_000;

/// What a service sends to a new client.
pub(super) struct Download {
    /// The `checkpoint`.
    pub checkpoint: Line,
    /// The `data` lines, each with the priority of its bucket.
    pub data: Vec<(u8, Line)>,
    /// The `checkpoint_complete`.
    pub complete: Line,
    /// All rows: bucket, table and id.
    pub rows: Vec<(String, &'static str, String)>,
    /// The service, to go on with.
    pub service: Service,
}

/// How large a download is.
pub(super) struct Size<'s> {
    /// Number of rows, one operation each.
    pub rows: usize,
    /// Number of buckets. Operations go to one after the other in turn, as in a real replication stream.
    pub buckets: usize,
    /// The priority of each bucket by its number.
    pub priority: fn(usize) -> u8,
    /// If set, all rows are of this table.
    pub table: Option<&'s str>,
}

impl Size<'_> {
    /// Rows of all tables in buckets of priority 3.
    pub(super) fn new(rows: usize, buckets: usize) -> Self {
        Size { rows, buckets, priority: |_| 3, table: None }
    }
}

impl Download {
    /// Makes it up.
    pub(super) fn new(size: &Size<'_>, encoding: Encoding) -> Self {
        let (mut service, mut rows) = (Service::default(), Rows::new(1));
        let mut buckets: Vec<(String, u8, Vec<String>)> = Vec::new();
        for number in 0..size.buckets {
            let name = format!("bucket{number:05}[\"{}\"]", rows.owner(number));
            let priority = (size.priority)(number);
            service.add_bucket(&name, priority, "[]");
            buckets.push((name, priority, Vec::new()));
        }
        let mut ids = Vec::with_capacity(size.rows);
        for (number, turn) in (0..size.rows).zip((0..size.buckets).cycle()) {
            let Some((bucket, _, entries)) = buckets.get_mut(turn) else { break };
            let table = rows.table();
            let row = rows.row(number);
            entries.push(service.put(&mut rows, bucket, size.table.unwrap_or(table), &row.id, &row.json()));
            ids.push((bucket.clone(), table, row.id));
        }
        buckets.sort_by_key(|(_, priority, _)| *priority);
        let lines = buckets.iter().flat_map(|(name, priority, entries)| {
            data_lines(name, entries).into_iter().map(|line| (*priority, encoding.line(line)))
        });
        Download {
            checkpoint: encoding.line(service.checkpoint()),
            data: lines.collect(),
            complete: encoding.line(service.complete()),
            rows: ids,
            service,
        }
    }

    /// Feeds all of it, and measures the parts.
    ///
    /// # Errors
    /// What SQLite reports, or that nothing was published.
    pub(super) fn feed(&self, database: &Database, measurement: &mut Measurement) -> Result<()> {
        self.feed_data(database, measurement)?;
        published(&measurement.part("apply", database, || database.line(&self.complete))?)
    }

    fn feed_data(&self, database: &Database, measurement: &mut Measurement) -> Result<()> {
        measurement.part("checkpoint", database, || database.line(&self.checkpoint))?;
        measurement.part("data", database, || self.data.iter().try_for_each(|(_, line)| database.line(line).map(drop)))
    }

    /// Feeds all of it without measuring.
    ///
    /// # Errors
    /// What SQLite reports, or that nothing was published.
    pub(super) fn build(&self, database: &Database) -> Result<()> {
        database.start(None)?;
        self.feed(database, &mut Measurement::begin())
    }
}

/// A first download in JSON.
pub(super) fn json(stage: &Stage) -> Result<(Database, Measurement)> {
    all(stage, Encoding::Json)
}

/// A first download in BSON.
pub(super) fn bson(stage: &Stage) -> Result<(Database, Measurement)> {
    all(stage, Encoding::Bson)
}

fn all(stage: &Stage, encoding: Encoding) -> Result<(Database, Measurement)> {
    let rows = stage.count(ROWS);
    let download = Download::new(&Size::new(rows, 20), encoding);
    let mut measurement = Measurement::begin();
    let database = stage.open_with_schema(&schema())?;
    database.start(None)?;
    measurement.total(&database, |measurement| download.feed(&database, measurement))?;
    let counts = TABLES.map(|(name, _)| format!("(SELECT count(*) FROM \"ps_data__{name}\")"));
    let found = database.integer(&format!("SELECT {}", counts.join(" + ")))?;
    ensure!(usize::try_from(found) == Ok(rows), "{found} of {rows} rows were published");
    Ok((database, measurement))
}

/// Publishing alone, with a cold page cache.
pub(super) fn publish(stage: &Stage) -> Result<(Database, Measurement)> {
    let download = Download::new(&Size::new(stage.count(ROWS), 20), Encoding::Json);
    let database = stage.open_with_schema(&schema())?;
    database.start(None)?;
    download.feed_data(&database, &mut Measurement::begin())?;
    database.checkpoint()?;
    database.connection().execute_batch("PRAGMA shrink_memory")?;
    let mut measurement = Measurement::begin();
    published(&measurement.part("apply", &database, || database.line(&download.complete))?)?;
    Ok((database, measurement))
}

/// A first download that is published priority by priority.
pub(super) fn priorities(stage: &Stage) -> Result<(Database, Measurement)> {
    let size =
        Size { priority: |number| [1, 1, 2, 2].get(number).copied().unwrap_or(3), ..Size::new(stage.count(60_000), 6) };
    let download = Download::new(&size, Encoding::Json);
    let mut measurement = Measurement::begin();
    let database = stage.open_with_schema(&schema())?;
    database.start(None)?;
    measurement.total(&database, |measurement| {
        database.line(&download.checkpoint)?;
        let mut current = download.data.first().context("a download has data")?.0;
        for (priority, line) in &download.data {
            if *priority != current {
                let complete = download.service.partial_complete(current);
                measurement.part("partial", &database, || database.text_line(&complete))?;
                current = *priority;
            }
            measurement.part("data", &database, || database.line(line))?;
        }
        published(&measurement.part("complete", &database, || database.line(&download.complete))?)
    })?;
    Ok((database, measurement))
}

/// A first download of rows that were updated 20 times, and a tenth of them removed in the end.
pub(super) fn supersede(stage: &Stage) -> Result<(Database, Measurement)> {
    const TIMES: usize = 20;
    let (mut service, mut rows) = (Service::default(), Rows::new(5));
    let mut buckets: Vec<(String, Vec<String>)> = (0..5).map(|number| (format!("sup{number}[]"), Vec::new())).collect();
    buckets.iter().for_each(|(name, _)| service.add_bucket(name, 3, "[]"));
    let ids: Vec<_> = (0..stage.count(10_000)).map(|_| (rows.table(), rows.id())).collect();
    for time in 1..=TIMES {
        for (number, (table, id)) in ids.iter().enumerate() {
            let count = buckets.len();
            let Some((bucket, entries)) = buckets.get_mut(number % count) else { break };
            entries.push(if time == TIMES && number.is_multiple_of(10) {
                service.remove(&mut rows, bucket, table, id)
            } else {
                let data = rows.row_with_id(number + time, id.clone()).json();
                service.put(&mut rows, bucket, table, id, &data)
            });
        }
    }
    let download = Download {
        checkpoint: Line::Text(service.checkpoint()),
        data: buckets
            .iter()
            .flat_map(|(name, entries)| data_lines(name, entries).into_iter().map(|line| (3, Line::Text(line))))
            .collect(),
        complete: Line::Text(service.complete()),
        rows: Vec::new(),
        service,
    };
    let mut measurement = Measurement::begin();
    let database = stage.open_with_schema(&schema())?;
    database.start(None)?;
    measurement.total(&database, |measurement| download.feed(&database, measurement))?;
    Ok((database, measurement))
}
