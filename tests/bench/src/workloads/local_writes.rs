//! Local writes through a view: 50 000 rows inserted, updated and deleted.

use anyhow::Result;
use rusqlite::params_from_iter;
use rusqlite::types::Value;

use super::{Stage, schema};
use crate::database::Database;
use crate::measurement::Measurement;
use crate::rows::{COLUMNS, Rows};

const ROWS: u32 = 50_000;

/// All inserts in one transaction, then all updates, then all deletes.
pub(super) fn one_transaction(stage: &Stage) -> Result<(Database, Measurement)> {
    let rows = stage.count(ROWS);
    run(stage, rows, rows)
}

/// 1000 transactions of each kind.
pub(super) fn thousand_transactions(stage: &Stage) -> Result<(Database, Measurement)> {
    let rows = stage.count(ROWS);
    run(stage, rows, (rows / 1000).max(1))
}

/// 2000 transactions of each kind, with a single write, as a user interface makes them.
pub(super) fn autocommit(stage: &Stage) -> Result<(Database, Measurement)> {
    run(stage, stage.count(2_000), 1)
}

fn run(stage: &Stage, count: usize, per_transaction: usize) -> Result<(Database, Measurement)> {
    let mut rows = Rows::new(21);
    let inserts: Vec<Vec<Value>> = (0..count).map(|number| rows.row(number).values()).collect();
    let ids: Vec<Value> = inserts.iter().filter_map(|values| values.first().cloned()).collect();
    let quantity = |number: usize| Value::Integer(i64::try_from(number % 77).unwrap_or_default());
    let updates: Vec<Vec<Value>> = ids
        .iter()
        .enumerate()
        .map(|(number, id)| vec![Value::Text("done".to_owned()), quantity(number), id.clone()])
        .collect();
    let deletes: Vec<Vec<Value>> = ids.into_iter().map(|id| vec![id]).collect();

    let names = COLUMNS.map(|(name, _)| name).join(",");
    let insert = format!("INSERT INTO items(id,{names}) VALUES (?{})", ",?".repeat(COLUMNS.len()));
    let parts = [
        ("insert", insert.as_str(), inserts),
        ("update", "UPDATE items SET status = ?, qty = ? WHERE id = ?", updates),
        ("delete", "DELETE FROM items WHERE id = ?", deletes),
    ];
    let mut measurement = Measurement::begin();
    let database = stage.open_with_schema(&schema())?;
    measurement.total(&database, |measurement| {
        for (part, sql, values) in &parts {
            measurement.part(part, &database, || {
                values.chunks(per_transaction).try_for_each(|chunk| write(&database, sql, chunk))
            })?;
        }
        Ok(())
    })?;
    Ok((database, measurement))
}

fn write(database: &Database, sql: &str, values: &[Vec<Value>]) -> Result<()> {
    database.in_transaction(|connection| {
        let mut statement = connection.prepare_cached(sql)?;
        for parameters in values {
            statement.execute(params_from_iter(parameters))?;
        }
        Ok(())
    })
}
