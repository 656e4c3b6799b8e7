//! Reads through views: a scan, 20 000 rows by id, and 300 searches in an index.

use std::hint::black_box;

use anyhow::Result;
use rusqlite::Row;
use rusqlite::types::Value;

use super::download::{Download, ROWS, Size};
use super::{Stage, table};
use crate::database::Database;
use crate::measurement::Measurement;
use crate::rows::{Rows, TABLES};
use crate::service::Encoding;

fn schema() -> String {
    const INDEX: &str =
        r#","indexes":[{"name":"owner","columns":[{"name":"owner_id","ascending":true,"type":"text"}]}]"#;
    let tables = TABLES.map(|(name, _)| table(name, if name == "items" { INDEX } else { "" }));
    format!(r#"{{"tables":[{}]}}"#, tables.join(","))
}

fn download(stage: &Stage) -> Download {
    Download::new(&Size::new(stage.count(ROWS), 20), Encoding::Json)
}

/// The database that is read.
pub(super) fn prepare(stage: &Stage) -> Result<()> {
    download(stage).build(&stage.open_with_schema(&schema())?)
}

/// The reads.
pub(super) fn run(stage: &Stage) -> Result<(Database, Measurement)> {
    let items = download(stage).rows.into_iter().filter(|(_, table, _)| *table == "items");
    let ids: Vec<String> = items.map(|(_, _, id)| id).take(20_000).collect();
    let rows = Rows::new(0);
    let mut measurement = Measurement::begin();
    let database = stage.open_with_schema(&schema())?;
    let connection = database.connection();
    measurement.total(&database, |measurement| {
        measurement.part("scan", &database, || {
            let sql = "SELECT sum(qty), sum(price), count(status), max(name) FROM items";
            connection.query_row(sql, [], read)
        })?;
        measurement.part("by_id", &database, || {
            let mut statement = connection.prepare("SELECT * FROM items WHERE id = ?")?;
            ids.iter().try_for_each(|id| statement.query_row([id], read))
        })?;
        measurement.part("by_index", &database, || {
            let mut statement = connection.prepare("SELECT count(*), max(name) FROM items WHERE owner_id = ?")?;
            (0..300).try_for_each(|owner| statement.query_row([rows.owner(owner)], read))
        })?;
        Ok(())
    })?;
    Ok((database, measurement))
}

/// Takes all values of a row, as an app does.
fn read(row: &Row<'_>) -> rusqlite::Result<()> {
    for column in 0..row.as_ref().column_count() {
        black_box(row.get::<_, Value>(column)?);
    }
    Ok(())
}
