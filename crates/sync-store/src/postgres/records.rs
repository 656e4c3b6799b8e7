//! Tables, configurations, definitions, indexes and jobs as they are stored: few, small, read once.

use std::sync::Arc;

use pg_connect::postgres::Row;
use sync_config::{Hash, Value};
use sync_engine::live::{ConfigId, ConfigRecord, ConfigState, DefinitionId, IndexId, LivePlan};
use sync_engine::row::Position;
use sync_engine::store::{
    Batch, ContentState, DefinitionRecord, IndexRecord, JobId, JobRecord, StoreError, TableId, TableRecord,
};

use super::error::{Doing, invalid};
use super::session::{Session, Values};
use super::store::text;
use crate::encoding::{read_values, write_values};

pub(super) fn tables(session: &mut Session) -> Result<Vec<TableRecord>, StoreError> {
    let what = "reading tables of the source";
    let rows = session.query("SELECT id, description, state FROM source_table ORDER BY id", &[], what)?;
    let record = |row: &Row| {
        let table = serde_json::from_slice(row.get(1)).doing(what)?;
        let state = serde_json::from_str(row.get(2)).doing(what)?;
        Ok(TableRecord { id: TableId(id(row, 0)), table, state })
    };
    rows.iter().map(record).collect()
}

/// The columns that [`config`] reads.
pub(super) const CONFIG: &str = "id, yaml, plan, state, times";

pub(super) fn configs(session: &mut Session) -> Result<Vec<ConfigRecord>, StoreError> {
    let rows = session.query(&format!("SELECT {CONFIG} FROM config ORDER BY id"), &[], "reading configurations")?;
    rows.iter().map(config).collect()
}

/// A configuration in the columns of [`CONFIG`].
pub(super) fn config(row: &Row) -> Result<ConfigRecord, StoreError> {
    let what = "reading configurations";
    Ok(ConfigRecord {
        id: ConfigId(id(row, 0)),
        yaml: text(row, 1)?.into(),
        plan: Arc::new(plan_of(row.get(2))?),
        state: serde_json::from_slice(row.get(3)).doing(what)?,
        times: serde_json::from_str(row.get(4)).doing(what)?,
    })
}

/// Expressions may be nested deeper than the JSON parser allows by default. They were compiled, so they are not too deep.
fn plan_of(text: &[u8]) -> Result<LivePlan, StoreError> {
    let mut deserializer = serde_json::Deserializer::from_slice(text);
    deserializer.disable_recursion_limit();
    serde::Deserialize::deserialize(&mut deserializer).doing("reading the plan of a configuration")
}

pub(super) fn definitions(session: &mut Session) -> Result<Vec<DefinitionRecord>, StoreError> {
    let what = "reading bucket definitions";
    let rows = session.query("SELECT id, hash, state, name_prefix FROM definition ORDER BY id", &[], what)?;
    let record = |row: &Row| {
        let state = serde_json::from_str(row.get(2)).doing(what)?;
        Ok(DefinitionRecord { id: DefinitionId(id(row, 0)), hash: hash(row)?, name_prefix: text(row, 3)?, state })
    };
    rows.iter().map(record).collect()
}

pub(super) fn indexes(session: &mut Session) -> Result<Vec<IndexRecord>, StoreError> {
    let what = "reading parameter indexes";
    let rows = session.query("SELECT id, hash, state FROM parameter_index ORDER BY id", &[], what)?;
    let record = |row: &Row| {
        let state = serde_json::from_str(row.get(2)).doing(what)?;
        Ok(IndexRecord { id: IndexId(id(row, 0)), hash: hash(row)?, state })
    };
    rows.iter().map(record).collect()
}

pub(super) fn jobs(session: &mut Session) -> Result<Vec<JobRecord>, StoreError> {
    let what = "reading snapshot jobs";
    let rows = "SELECT id, source_table, definitions, indexes, next, row_count, barrier, is_read FROM job ORDER BY id";
    let rows = session.query(rows, &[], what)?;
    let record = |row: &Row| {
        let next: Option<&[u8]> = row.get(4);
        let next: Option<Option<Vec<Value>>> = next.map(read_values);
        let damaged = || invalid("The storage has a snapshot job whose next key is damaged.");
        Ok(JobRecord {
            id: JobId(id(row, 0)),
            table: TableId(id(row, 1)),
            definitions: serde_json::from_str(row.get(2)).doing(what)?,
            indexes: serde_json::from_str(row.get(3)).doing(what)?,
            next: next.map(|values| values.ok_or_else(damaged)).transpose()?,
            rows: row.get::<_, i64>(5).cast_unsigned(),
            barrier: row.get::<_, Option<Vec<u8>>>(6).map(Position),
            is_read: row.get(7),
        })
    };
    rows.iter().map(record).collect()
}

/// Writes all records of a batch. `visible` is the commit of the checkpoint that is the newest after it.
pub(super) fn write(session: &mut Session, batch: &Batch, visible: i64) -> Result<(), StoreError> {
    let what = "writing tables and configurations";
    let mut execute = |sql: &str, values: Values<'_>| session.execute(sql, values, what).map(drop);
    for record in &batch.tables {
        let (table, state) = (json(&record.table)?.into_bytes(), json(&record.state)?);
        let sql = "INSERT INTO source_table VALUES ($1, $2, $3)
            ON CONFLICT (id) DO UPDATE SET description = excluded.description, state = excluded.state";
        execute(sql, &[&i64::from(record.id.0), &table, &state])?;
    }
    for record in &batch.configs {
        let number = i64::from(record.id.0);
        if record.state == ConfigState::Deleted {
            execute("DELETE FROM config WHERE id = $1", &[&number])?;
            continue;
        }
        let (plan, state, times) = (json(&*record.plan)?, json(&record.state)?, json(&record.times)?);
        let sql = "INSERT INTO config VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET yaml = excluded.yaml,
            plan = excluded.plan, state = excluded.state, times = excluded.times";
        execute(sql, &[&number, &record.yaml.as_bytes(), &plan.as_bytes(), &state.as_bytes(), &times])?;
    }
    // Content is deleted when no reader has a checkpoint before the one at which it was dropped.
    let dropped = |state: ContentState| (state == ContentState::Dropping).then_some(visible);
    for record in &batch.definitions {
        let sql =
            "INSERT INTO definition VALUES ($1, $2, $3, $4, $5) ON CONFLICT (id) DO UPDATE SET hash = excluded.hash,
            name_prefix = excluded.name_prefix, state = excluded.state, dropped_seq = excluded.dropped_seq";
        let (number, hash, name, state) =
            (i64::from(record.id.0), &record.hash.0[..], record.name_prefix.as_bytes(), json(&record.state)?);
        execute(sql, &[&number, &hash, &name, &state, &dropped(record.state)])?;
    }
    for record in &batch.indexes {
        let sql =
            "INSERT INTO parameter_index VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO UPDATE SET hash = excluded.hash,
            state = excluded.state, dropped_seq = excluded.dropped_seq";
        let (number, hash, state) = (i64::from(record.id.0), &record.hash.0[..], json(&record.state)?);
        execute(sql, &[&number, &hash, &state, &dropped(record.state)])?;
    }
    for job in &batch.jobs {
        let sql = "INSERT INTO job VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT (id) DO UPDATE SET
            source_table = excluded.source_table, definitions = excluded.definitions, indexes = excluded.indexes,
            next = excluded.next, row_count = excluded.row_count, barrier = excluded.barrier, is_read = excluded.is_read";
        let (number, table) = (i64::from(job.id.0), i64::from(job.table.0));
        let (definitions, indexes) = (json(&job.definitions)?, json(&job.indexes)?);
        let next = job.next.as_deref().map(write_values);
        let barrier = job.barrier.as_ref().map(|position| &position.0);
        let rows = job.rows.cast_signed();
        execute(sql, &[&number, &table, &definitions, &indexes, &next, &rows, &barrier, &job.is_read])?;
    }
    for job in &batch.finished_jobs {
        execute("DELETE FROM job WHERE id = $1", &[&i64::from(job.0)])?;
        execute("DELETE FROM touched WHERE job = $1", &[&i64::from(job.0)])?;
    }
    Ok(())
}

fn json<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).doing("writing tables and configurations")
}

/// A number that was written as one of 32 bits.
fn id(row: &Row, column: usize) -> u32 {
    row.get::<_, i64>(column) as u32
}

fn hash(row: &Row) -> Result<Hash, StoreError> {
    let bytes: &[u8] = row.get(1);
    bytes.try_into().map(Hash).map_err(|_| invalid("The storage has a hash that is damaged."))
}
