//! Tables, configurations, definitions, indexes and jobs as they are stored: few, small, read once.

use std::sync::Arc;

use rusqlite::{Connection, Row};
use serde_json::Deserializer;
use sync_config::{Hash, Value};
use sync_engine::live::{ConfigId, ConfigRecord, ConfigState, DefinitionId, IndexId, LivePlan};
use sync_engine::row::Position;
use sync_engine::store::{
    Batch, Checkpoint, ContentState, DefinitionRecord, IndexRecord, JobId, JobRecord, StoreError, TableId, TableRecord,
};

use crate::encoding::{read_values, write_values};
use crate::error::{Doing, invalid};

/// A checkpoint in the columns from 1 on: operation, position, time, time of the source, configuration.
pub(crate) fn checkpoint(row: &Row<'_>) -> rusqlite::Result<Checkpoint> {
    Ok(Checkpoint {
        op_id: row.get(1)?,
        position: Position(row.get(2)?),
        time: row.get(3)?,
        source_time: row.get(4)?,
        config: ConfigId(row.get(5)?),
    })
}

pub(crate) fn tables(connection: &Connection) -> Result<Vec<TableRecord>, StoreError> {
    let what = "reading tables of the source";
    let mut rows = connection.prepare("SELECT id, description, state FROM source_table ORDER BY id").doing(what)?;
    let rows = rows.query_map((), |row| Ok((row.get(0)?, text(row, 1)?, text(row, 2)?))).doing(what)?;
    rows.map(|row| {
        let (id, table, state) = row.doing(what)?;
        let (table, state) = (serde_json::from_str(&table).doing(what)?, serde_json::from_str(&state).doing(what)?);
        Ok(TableRecord { id: TableId(id), table, state })
    })
    .collect()
}

pub(crate) fn configs(connection: &Connection) -> Result<Vec<ConfigRecord>, StoreError> {
    let what = "reading configurations";
    let mut rows = connection.prepare("SELECT id, yaml, plan, state, times FROM config ORDER BY id").doing(what)?;
    let rows = rows.query_map((), |row| {
        Ok((row.get(0)?, row.get::<_, Arc<str>>(1)?, text(row, 2)?, text(row, 3)?, text(row, 4)?))
    });
    rows.doing(what)?
        .map(|row| {
            let (id, yaml, plan, state, times) = row.doing(what)?;
            Ok(ConfigRecord {
                id: ConfigId(id),
                yaml,
                plan: Arc::new(plan_of(&plan)?),
                state: serde_json::from_str(&state).doing(what)?,
                times: serde_json::from_str(&times).doing(what)?,
            })
        })
        .collect()
}

/// Expressions may be nested deeper than the JSON parser allows by default. They were compiled, so they are not too deep.
fn plan_of(text: &str) -> Result<LivePlan, StoreError> {
    let mut deserializer = Deserializer::from_str(text);
    deserializer.disable_recursion_limit();
    serde::Deserialize::deserialize(&mut deserializer).doing("reading the plan of a configuration")
}

pub(crate) fn definitions(connection: &Connection) -> Result<Vec<DefinitionRecord>, StoreError> {
    let what = "reading bucket definitions";
    let mut rows = connection.prepare("SELECT id, hash, state, name_prefix FROM definition ORDER BY id").doing(what)?;
    let rows = rows.query_map((), |row| Ok((row.get(0)?, hash(row, 1)?, text(row, 2)?, row.get(3)?))).doing(what)?;
    rows.map(|row| {
        let (id, hash, state, name_prefix) = row.doing(what)?;
        let state = serde_json::from_str(&state).doing(what)?;
        Ok(DefinitionRecord { id: DefinitionId(id), hash, name_prefix, state })
    })
    .collect()
}

pub(crate) fn indexes(connection: &Connection) -> Result<Vec<IndexRecord>, StoreError> {
    let what = "reading parameter indexes";
    let mut rows = connection.prepare("SELECT id, hash, state FROM parameter_index ORDER BY id").doing(what)?;
    let rows = rows.query_map((), |row| Ok((row.get(0)?, hash(row, 1)?, text(row, 2)?))).doing(what)?;
    rows.map(|row| {
        let (id, hash, state) = row.doing(what)?;
        Ok(IndexRecord { id: IndexId(id), hash, state: serde_json::from_str(&state).doing(what)? })
    })
    .collect()
}

pub(crate) fn jobs(connection: &Connection) -> Result<Vec<JobRecord>, StoreError> {
    let what = "reading snapshot jobs";
    let rows = "SELECT id, source_table, definitions, indexes, next, row_count, barrier, is_read FROM job ORDER BY id";
    let mut rows = connection.prepare(rows).doing(what)?;
    let mut rows = rows.query(()).doing(what)?;
    let mut jobs = Vec::new();
    while let Some(row) = rows.next().doing(what)? {
        let next: Option<Vec<u8>> = row.get(4).doing(what)?;
        let next: Option<Option<Vec<Value>>> = next.map(|bytes| read_values(&bytes));
        let damaged = || invalid("The storage has a snapshot job whose next key is damaged.");
        jobs.push(JobRecord {
            id: JobId(row.get(0).doing(what)?),
            table: TableId(row.get(1).doing(what)?),
            definitions: serde_json::from_str(&text(row, 2).doing(what)?).doing(what)?,
            indexes: serde_json::from_str(&text(row, 3).doing(what)?).doing(what)?,
            next: next.map(|values| values.ok_or_else(damaged)).transpose()?,
            rows: row.get::<_, i64>(5).doing(what)?.cast_unsigned(),
            barrier: row.get::<_, Option<Vec<u8>>>(6).doing(what)?.map(Position),
            is_read: row.get(7).doing(what)?,
        });
    }
    Ok(jobs)
}

/// Writes all records of a batch. `visible` is the commit of the checkpoint that is the newest after it.
pub(crate) fn write(connection: &Connection, batch: &Batch, visible: i64) -> Result<(), StoreError> {
    let what = "writing tables and configurations";
    let execute = |sql: &str, values: &[&dyn rusqlite::ToSql]| {
        connection.prepare_cached(sql).and_then(|mut statement| statement.execute(values)).doing(what)
    };
    for record in &batch.tables {
        let (table, state) = (json(&record.table)?, json(&record.state)?);
        execute("INSERT OR REPLACE INTO source_table VALUES (?1, ?2, ?3)", &[&record.id.0, &table, &state])?;
    }
    for record in &batch.configs {
        if record.state == ConfigState::Deleted {
            execute("DELETE FROM config WHERE id = ?1", &[&record.id.0])?;
            continue;
        }
        let (plan, state, times) = (json(&*record.plan)?, json(&record.state)?, json(&record.times)?);
        let sql = "INSERT OR REPLACE INTO config VALUES (?1, ?2, ?3, ?4, ?5)";
        execute(sql, &[&record.id.0, &&*record.yaml, &plan, &state, &times])?;
    }
    // Content is deleted when no reader has a checkpoint before the one at which it was dropped.
    let dropped = |state: ContentState| (state == ContentState::Dropping).then_some(visible);
    for record in &batch.definitions {
        let sql =
            "INSERT INTO definition VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (id) DO UPDATE SET hash = excluded.hash,
            name_prefix = excluded.name_prefix, state = excluded.state, dropped_seq = excluded.dropped_seq";
        let (hash, state) = (&record.hash.0[..], json(&record.state)?);
        execute(sql, &[&record.id.0, &hash, &record.name_prefix, &state, &dropped(record.state)])?;
    }
    for record in &batch.indexes {
        let sql =
            "INSERT INTO parameter_index VALUES (?1, ?2, ?3, ?4) ON CONFLICT (id) DO UPDATE SET hash = excluded.hash,
            state = excluded.state, dropped_seq = excluded.dropped_seq";
        execute(sql, &[&record.id.0, &&record.hash.0[..], &json(&record.state)?, &dropped(record.state)])?;
    }
    for job in &batch.jobs {
        let sql = "INSERT OR REPLACE INTO job VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let (definitions, indexes) = (json(&job.definitions)?, json(&job.indexes)?);
        let next = job.next.as_deref().map(write_values);
        let barrier = job.barrier.as_ref().map(|position| &position.0);
        let rows = job.rows.cast_signed();
        execute(sql, &[&job.id.0, &job.table.0, &definitions, &indexes, &next, &rows, &barrier, &job.is_read])?;
    }
    for job in &batch.finished_jobs {
        execute("DELETE FROM job WHERE id = ?1", &[&job.0])?;
        execute("DELETE FROM touched WHERE job = ?1", &[&job.0])?;
    }
    Ok(())
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).doing("writing tables and configurations")
}

fn text(row: &Row<'_>, column: usize) -> rusqlite::Result<String> {
    row.get(column)
}

fn hash(row: &Row<'_>, column: usize) -> rusqlite::Result<Hash> {
    row.get(column).map(Hash)
}
