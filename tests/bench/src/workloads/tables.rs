//! First downloads into real tables: raw tables with given and with inferred statements, and direct tables.

use anyhow::Result;

use super::download::{Download, Size};
use super::{Stage, table};
use crate::database::Database;
use crate::measurement::Measurement;
use crate::rows::COLUMNS;
use crate::service::Encoding;

/// A raw table with statements of the app.
pub(super) fn raw(stage: &Stage) -> Result<(Database, Measurement)> {
    let names = COLUMNS.map(|(name, _)| name).join(",");
    let parameters = COLUMNS.map(|(name, _)| format!(r#",{{"Column":"{name}"}}"#)).concat();
    let placeholders = ",?".repeat(COLUMNS.len());
    let table = format!(
        r#"{{"name":"items",
            "put":{{"sql":"INSERT OR REPLACE INTO items_raw(id,{names}) VALUES (?{placeholders})","params":["Id"{parameters}]}},
            "delete":{{"sql":"DELETE FROM items_raw WHERE id = ?","params":["Id"]}}}}"#
    );
    run_raw(stage, &table)
}

/// A raw table whose statements are inferred.
pub(super) fn inferred(stage: &Stage) -> Result<(Database, Measurement)> {
    run_raw(stage, r#"{"name":"items","table_name":"items_raw"}"#)
}

fn run_raw(stage: &Stage, table: &str) -> Result<(Database, Measurement)> {
    run(stage, &format!(r#"{{"tables":[],"raw_tables":[{table}]}}"#), |stage| {
        let database = stage.open_with_schema(r#"{"tables":[]}"#)?;
        let columns = COLUMNS.map(|(name, kind)| format!(", {name} {kind}")).concat();
        database
            .connection()
            .execute_batch(&format!("CREATE TABLE items_raw(id TEXT PRIMARY KEY NOT NULL{columns})"))?;
        Ok(database)
    })
}

/// A direct table.
pub(super) fn direct(stage: &Stage) -> Result<(Database, Measurement)> {
    let schema = format!(r#"{{"tables":[{}]}}"#, table("items", r#","direct":true"#));
    run(stage, &schema, |stage| stage.open_with_schema(&schema))
}

fn run(stage: &Stage, schema: &str, open: impl FnOnce(&Stage) -> Result<Database>) -> Result<(Database, Measurement)> {
    let size = Size { table: Some("items"), ..Size::new(stage.count(50_000), 5) };
    let download = Download::new(&size, Encoding::Json);
    let mut measurement = Measurement::begin();
    let database = open(stage)?;
    database.start(Some(&format!(r#"{{"schema":{schema}}}"#)))?;
    measurement.total(&database, |measurement| download.feed(&database, measurement))?;
    Ok((database, measurement))
}
