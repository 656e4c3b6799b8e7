//! Small changes of a large database: 500 checkpoints, each with one changed row in one of 100 buckets.

use anyhow::Result;

use super::download::{Download, ROWS, Size};
use super::{Stage, schema};
use crate::database::Database;
use crate::measurement::Measurement;
use crate::rows::Rows;
use crate::service::{Encoding, Service, data};

const CHANGES: usize = 500;

fn download(stage: &Stage) -> Download {
    Download::new(&Size::new(stage.count(ROWS), 100), Encoding::Json)
}

/// The database that is changed.
pub(super) fn prepare(stage: &Stage) -> Result<()> {
    download(stage).build(&stage.open_with_schema(&schema())?)
}

/// The lines of a checkpoint with one changed row.
pub(super) struct Change {
    /// The `checkpoint_diff`.
    pub diff: String,
    /// The `data` line.
    pub data: String,
    /// The `checkpoint_complete`.
    pub complete: String,
}

impl Change {
    /// New content for a row, or a new row.
    pub(super) fn new(
        service: &mut Service,
        rows: &mut Rows,
        number: usize,
        (bucket, table, id): (&str, &str, String),
    ) -> Self {
        let row = rows.row_with_id(number, id);
        let entry = service.put(rows, bucket, table, &row.id, &row.json());
        Change {
            diff: service.diff(&[bucket.to_owned()]),
            data: data(bucket, &[entry], false),
            complete: service.complete(),
        }
    }

    /// Feeds the lines, and measures each.
    ///
    /// # Errors
    /// What SQLite reports, or that nothing was published.
    pub(super) fn feed(&self, database: &Database, measurement: &mut Measurement) -> Result<()> {
        measurement.part("diff", database, || database.text_line(&self.diff))?;
        measurement.part("data", database, || database.text_line(&self.data))?;
        measurement.part("complete", database, || database.complete(&self.complete))
    }
}

/// The changes, by a client that has just reconnected.
pub(super) fn run(stage: &Stage) -> Result<(Database, Measurement)> {
    let Download { rows: ids, mut service, checkpoint, complete, .. } = download(stage);
    let mut rows = Rows::new(3);
    let mut changes = Vec::new();
    for number in 0..CHANGES {
        let Some((bucket, table, id)) = ids.get(rows.below(ids.len())) else { break };
        changes.push(Change::new(&mut service, &mut rows, number, (bucket, table, id.clone())));
    }
    let mut measurement = Measurement::begin();
    let database = stage.open_with_schema(&schema())?;
    database.start(None)?;
    database.line(&checkpoint)?;
    crate::database::published(&database.line(&complete)?)?;
    measurement
        .total(&database, |measurement| changes.iter().try_for_each(|change| change.feed(&database, measurement)))?;
    Ok((database, measurement))
}
