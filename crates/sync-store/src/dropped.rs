//! Deletes the content of bucket definitions and parameter indexes that nobody needs any more.
//!
//! First their buckets, operations and entries go; then a walk over all rows removes what these have given to them; then
//! their records go. After a restart the walk begins again.

use std::collections::BTreeSet;

use rusqlite::{Connection, OptionalExtension};
use sync_engine::live::{DefinitionId, IndexId};
use sync_engine::row::RowKey;
use sync_engine::store::{OpId, StoreError};

use crate::compact::{Budget, delete_operations};
use crate::encoding::{Types, write_row_state};
use crate::error::Doing;
use crate::store::row_state;

/// The walk over rows.
#[derive(Clone, Default)]
pub(crate) struct Cleaning {
    definitions: BTreeSet<DefinitionId>,
    indexes: BTreeSet<IndexId>,
    /// The last row that was cleaned.
    after: (i64, Vec<u8>),
}

/// Deletes what was dropped up to this commit. Whether nothing is left of it.
pub(crate) fn delete(
    connection: &Connection,
    seq: i64,
    types: &Types,
    cleaning: &mut Option<Cleaning>,
    budget: &mut Budget,
) -> Result<bool, StoreError> {
    let definitions = dropped(connection, "SELECT id FROM definition WHERE dropped_seq <= ?1", seq)?;
    let indexes = dropped(connection, "SELECT id FROM parameter_index WHERE dropped_seq <= ?1", seq)?;
    for definition in &definitions {
        if !delete_buckets(connection, *definition, budget)? {
            return Ok(false);
        }
    }
    for index in &indexes {
        if !delete_entries(connection, *index, budget)? {
            return Ok(false);
        }
    }
    if definitions.is_empty() && indexes.is_empty() {
        return Ok(true);
    }
    let walk = cleaning.get_or_insert_with(|| Cleaning {
        definitions: definitions.iter().copied().map(DefinitionId).collect(),
        indexes: indexes.iter().copied().map(IndexId).collect(),
        after: (0, Vec::new()),
    });
    if !walk.clean_rows(connection, types, budget)? {
        return Ok(false);
    }
    walk.delete_records(connection)?;
    let is_done = walk.definitions.len() == definitions.len() && walk.indexes.len() == indexes.len();
    *cleaning = None;
    Ok(is_done)
}

fn dropped(connection: &Connection, sql: &str, seq: i64) -> Result<Vec<u32>, StoreError> {
    let what = "reading what was dropped";
    let mut rows = connection.prepare_cached(sql).doing(what)?;
    rows.query_map((seq,), |row| row.get(0)).and_then(Iterator::collect).doing(what)
}

fn delete_buckets(connection: &Connection, definition: u32, budget: &mut Budget) -> Result<bool, StoreError> {
    let what = "deleting buckets of a dropped definition";
    let next = "SELECT id FROM bucket WHERE definition = ?1 LIMIT 1";
    while budget.left > 0 {
        let bucket = connection
            .prepare_cached(next)
            .and_then(|mut next| next.query_row((definition,), |row| row.get::<_, i64>(0)).optional());
        let Some(bucket) = bucket.doing(what)? else { return Ok(true) };
        if delete_operations(connection, bucket, OpId::MAX, budget)? {
            for table in ["DELETE FROM cleared WHERE bucket = ?1", "DELETE FROM bucket WHERE id = ?1"] {
                connection.prepare_cached(table).and_then(|mut delete| delete.execute((bucket,))).doing(what)?;
            }
            budget.left = budget.left.saturating_sub(1);
        }
    }
    Ok(false)
}

fn delete_entries(connection: &Connection, index: u32, budget: &mut Budget) -> Result<bool, StoreError> {
    let delete = "DELETE FROM parameter WHERE (index_id, key, source_table, row_key, hash, from_seq) IN
        (SELECT index_id, key, source_table, row_key, hash, from_seq FROM parameter WHERE index_id = ?1 LIMIT ?2)";
    let deleted = connection.prepare_cached(delete).and_then(|mut delete| delete.execute((index, budget.limit())));
    let deleted = deleted.doing("deleting entries of a dropped index")?;
    let is_done = deleted < budget.left;
    budget.spend(deleted);
    Ok(is_done)
}

impl Cleaning {
    /// Whether the walk is at the end.
    fn clean_rows(&mut self, connection: &Connection, types: &Types, budget: &mut Budget) -> Result<bool, StoreError> {
        let what = "cleaning what rows have given";
        let limit = budget.limit();
        let rows = "SELECT source_table, key, state FROM row_state WHERE (source_table, key) > (?1, ?2)
            ORDER BY source_table, key LIMIT ?3";
        let mut rows = connection.prepare_cached(rows).doing(what)?;
        let rows = rows.query_map((self.after.0, &self.after.1, limit), |row| {
            Ok((row.get::<_, i64>(0)?, row.get(1).map(RowKey)?, row.get::<_, Vec<u8>>(2)?))
        });
        let rows: Vec<_> = rows.and_then(Iterator::collect).doing(what)?;
        let update = "UPDATE row_state SET state = ?3 WHERE source_table = ?1 AND key = ?2";
        let mut update = connection.prepare_cached(update).doing(what)?;
        let mut delete =
            connection.prepare_cached("DELETE FROM row_state WHERE source_table = ?1 AND key = ?2").doing(what)?;
        let count = rows.len();
        for (table, key, bytes) in rows {
            let mut state = row_state(&bytes, &key, types)?;
            let entries = state.places.len() + state.parameters.len();
            state.places.retain(|place| !self.definitions.contains(&place.definition));
            state.parameters.retain(|parameter| !self.indexes.contains(&parameter.index));
            if state.is_empty() {
                delete.execute((table, &key.0)).doing(what)?;
            } else if state.places.len() + state.parameters.len() < entries {
                let mut bytes = Vec::with_capacity(bytes.len());
                let written = write_row_state(&state, &key, types, &mut bytes);
                debug_assert!(written.is_some(), "all types are interned");
                update.execute((table, &key.0, &bytes)).doing(what)?;
            }
            self.after = (table, key.0);
        }
        let is_done = count < budget.left;
        budget.left = budget.left.saturating_sub(count);
        Ok(is_done)
    }

    fn delete_records(&self, connection: &Connection) -> Result<(), StoreError> {
        let what = "deleting a dropped definition";
        for id in &self.definitions {
            connection.execute("DELETE FROM definition WHERE id = ?1", (id.0,)).doing(what)?;
        }
        for id in &self.indexes {
            connection.execute("DELETE FROM parameter_index WHERE id = ?1", (id.0,)).doing(what)?;
        }
        Ok(())
    }
}
