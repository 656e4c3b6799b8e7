//! A reconnecting client learns that all but 10 of its 5 000 buckets are gone.

use anyhow::Result;

use super::{Stage, schema};
use crate::database::Database;
use crate::measurement::Measurement;
use crate::rows::{Rows, TABLES};
use crate::service::{Service, data};

const ROWS_PER_BUCKET: usize = 10;
const KEPT: usize = 10;

fn service(stage: &Stage) -> (Service, Vec<String>) {
    let (mut service, mut rows) = (Service::default(), Rows::new(31));
    let mut lines = Vec::new();
    for bucket_number in 0..stage.count(5_000) {
        let bucket = format!("proj[\"{}\"]", rows.id());
        service.add_bucket(&bucket, 3, "[]");
        let mut entries = Vec::new();
        for (number, (table, _)) in (0..ROWS_PER_BUCKET).zip(TABLES.iter().cycle()) {
            let row = rows.row(bucket_number * ROWS_PER_BUCKET + number);
            entries.push(service.put(&mut rows, &bucket, table, &row.id, &row.json()));
        }
        lines.push(data(&bucket, &entries, false));
    }
    (service, lines)
}

/// The database with all buckets.
pub(super) fn prepare(stage: &Stage) -> Result<()> {
    let (service, lines) = service(stage);
    let database = stage.open_with_schema(&schema())?;
    database.start(None)?;
    let connection = database.connection();
    connection.execute_batch("BEGIN IMMEDIATE")?;
    let mut control = connection.prepare("SELECT powersync_control('line_text', ?)")?;
    for line in [service.checkpoint()].iter().chain(&lines) {
        control.query_row([line], |_| Ok(()))?;
    }
    drop(control);
    connection.execute_batch("COMMIT")?;
    database.complete(&service.complete())
}

/// The checkpoint without them.
pub(super) fn run(stage: &Stage) -> Result<(Database, Measurement)> {
    let (service, _) = service(stage);
    let kept = service.names().get(..KEPT).unwrap_or(service.names());
    let (checkpoint, complete) = (service.checkpoint_of(kept), service.complete());
    let mut measurement = Measurement::begin();
    let database = stage.open_with_schema(&schema())?;
    measurement.total(&database, |measurement| {
        measurement.part("start", &database, || database.start(None))?;
        measurement.part("checkpoint", &database, || database.text_line(&checkpoint))?;
        measurement.part("complete", &database, || database.complete(&complete))
    })?;
    Ok((database, measurement))
}
