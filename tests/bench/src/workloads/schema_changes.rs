//! Opening a database with 100 tables, and applying the schema that it has already.

use anyhow::Result;

use super::{Stage, table};
use crate::database::Database;
use crate::measurement::Measurement;

/// 100 tables with an index each are made once, then the database is opened 20 times.
pub(super) fn run(stage: &Stage) -> Result<(Database, Measurement)> {
    const INDEX: &str = r#","indexes":[{"name":"o","columns":[{"name":"owner_id","ascending":true,"type":"text"}]}]"#;
    let tables: Vec<String> = (0..100).map(|number| table(&format!("t{number:03}"), INDEX)).collect();
    let schema = format!(r#"{{"tables":[{}]}}"#, tables.join(","));
    let mut measurement = Measurement::begin();
    measurement.opening("create100", || stage.open_with_schema(&schema).map(drop))?;
    for _ in 0..20 {
        let database = measurement.opening("open", || stage.open())?;
        measurement.part("init", &database, || database.initialize())?;
        measurement.part("schema", &database, || database.replace_schema(&schema))?;
    }
    Ok((stage.open()?, measurement))
}
