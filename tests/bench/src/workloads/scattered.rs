//! One checkpoint that changes or removes 1 000 rows, scattered over a large database.

use anyhow::Result;

use super::download::{Download, ROWS, Size};
use super::{Stage, schema};
use crate::database::{Database, published};
use crate::measurement::Measurement;
use crate::rows::Rows;
use crate::service::{Encoding, data_lines};

const ROWS_CHANGED: u32 = 1_000;

fn download(stage: &Stage) -> Download {
    Download::new(&Size::new(stage.count(ROWS), 20), Encoding::Json)
}

/// The database that is changed.
pub(super) fn prepare(stage: &Stage) -> Result<()> {
    download(stage).build(&stage.open_with_schema(&schema())?)
}

/// New content for the rows.
pub(super) fn change(stage: &Stage) -> Result<(Database, Measurement)> {
    run(stage, false)
}

/// The rows are removed.
pub(super) fn remove(stage: &Stage) -> Result<(Database, Measurement)> {
    run(stage, true)
}

fn run(stage: &Stage, is_removal: bool) -> Result<(Database, Measurement)> {
    let Download { rows: mut ids, mut service, checkpoint, complete, .. } = download(stage);
    let mut rows = Rows::new(3);
    let names = service.names().to_vec();
    let mut entries: Vec<Vec<String>> = vec![Vec::new(); names.len()];
    for number in 0..stage.count(ROWS_CHANGED) {
        let (bucket, table, id) = ids.swap_remove(rows.below(ids.len()));
        let Some(entries) =
            names.iter().zip(&mut entries).find_map(|(name, entries)| (*name == bucket).then_some(entries))
        else {
            break;
        };
        entries.push(if is_removal {
            service.remove(&mut rows, &bucket, table, &id)
        } else {
            let json = rows.row_with_id(number, id.clone()).json();
            service.put(&mut rows, &bucket, table, &id, &json)
        });
    }
    let lines: Vec<String> = names.iter().zip(&entries).flat_map(|(name, entries)| data_lines(name, entries)).collect();
    let (diff, completed) = (service.diff(&names), service.complete());
    let database = stage.open_with_schema(&schema())?;
    database.start(None)?;
    database.line(&checkpoint)?;
    published(&database.line(&complete)?)?;
    let mut measurement = Measurement::begin();
    measurement.total(&database, |measurement| {
        measurement.part("diff", &database, || database.text_line(&diff))?;
        measurement.part("data", &database, || lines.iter().try_for_each(|line| database.text_line(line).map(drop)))?;
        measurement.part("complete", &database, || database.complete(&completed))
    })?;
    Ok((database, measurement))
}
