//! A client with 10 000 buckets, of which few change at a time.

use anyhow::Result;

use super::incremental::Change;
use super::{Stage, schema};
use crate::database::Database;
use crate::measurement::Measurement;
use crate::rows::{Rows, TABLES};
use crate::service::{Service, data};

const STREAM: &str = r#"[{"name":"s","is_default":true,"errors":[]}]"#;

/// A checkpoint with many buckets, 500 lines of data, and 100 checkpoints with one changed row.
pub(super) fn run(stage: &Stage) -> Result<(Database, Measurement)> {
    let mut rows = Rows::new(11);
    let mut service = Service::with_streams(STREAM);
    for _ in 0..stage.count(10_000) {
        service.add_bucket(&format!("by_user[\"{}\"]", rows.id()), 3, r#"[{"default":0}]"#);
    }
    let names = service.names().to_vec();
    let mut lines = Vec::new();
    for (number, (table, _)) in (0..500).zip(TABLES.iter().cycle()) {
        let Some(bucket) = names.get(number * 7 % names.len()) else { break };
        let row = rows.row(number);
        let entry = service.put(&mut rows, bucket, table, &row.id, &row.json());
        lines.push(data(bucket, &[entry], false));
    }
    let (checkpoint, complete) = (service.checkpoint(), service.complete());
    let mut changes = Vec::new();
    for (number, (table, _)) in (0..100).zip(TABLES.iter().cycle()) {
        let Some(bucket) = names.get(number * 13 % names.len()) else { break };
        let id = rows.id();
        changes.push(Change::new(&mut service, &mut rows, number, (bucket, table, id)));
    }
    let mut measurement = Measurement::begin();
    let database = stage.open_with_schema(&schema())?;
    database.start(None)?;
    measurement.total(&database, |measurement| {
        measurement.part("checkpoint", &database, || database.text_line(&checkpoint))?;
        measurement
            .part("data500", &database, || lines.iter().try_for_each(|line| database.text_line(line).map(drop)))?;
        measurement.part("complete500", &database, || database.complete(&complete))?;
        measurement.part("diffs100", &database, || changes.iter().try_for_each(|change| feed(change, &database)))
    })?;
    Ok((database, measurement))
}

fn feed(change: &Change, database: &Database) -> Result<()> {
    database.text_line(&change.diff)?;
    database.text_line(&change.data)?;
    database.complete(&change.complete)
}
