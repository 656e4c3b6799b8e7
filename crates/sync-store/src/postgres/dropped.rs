//! Deletes the content of bucket definitions and parameter indexes that nobody needs any more.
//!
//! First their tables, buckets and entries go; then a walk over all rows removes what these have given to them; then their
//! records go. After a restart the walk begins again.

use std::collections::BTreeSet;

use pg_connect::postgres::Row;
use sync_engine::live::{DefinitionId, IndexId};
use sync_engine::row::RowKey;
use sync_engine::store::{RowState, StoreError};

use super::error::invalid;
use super::keys::shortened;
use super::session::Session;
use crate::compact::Budget;
use crate::encoding::{Types, read_row_state, write_row_state};

/// The walk over rows.
#[derive(Clone, Default)]
pub(super) struct Cleaning {
    definitions: BTreeSet<DefinitionId>,
    indexes: BTreeSet<IndexId>,
    /// The last row that was cleaned; none before the first.
    after: Option<(i64, Vec<u8>)>,
}

/// Deletes what was dropped up to this commit. Whether nothing is left of it. `gone`: definitions whose tables are dropped.
pub(super) fn delete(
    session: &mut Session,
    seq: i64,
    types: &Types,
    cleaning: &mut Option<Cleaning>,
    gone: &mut Vec<i64>,
    budget: &mut Budget,
) -> Result<bool, StoreError> {
    let definitions = dropped(session, "SELECT id FROM definition WHERE dropped_seq <= $1 ORDER BY id", seq)?;
    let indexes = dropped(session, "SELECT id FROM parameter_index WHERE dropped_seq <= $1 ORDER BY id", seq)?;
    if definitions.is_empty() && indexes.is_empty() {
        return Ok(true);
    }
    for definition in &definitions {
        if !drop_tables(session, *definition)? {
            return Ok(true);
        }
        gone.push(*definition);
        if !delete_buckets(session, *definition, budget)? {
            return Ok(false);
        }
    }
    for index in &indexes {
        if !delete_entries(session, *index, budget)? {
            return Ok(false);
        }
    }
    let walk = cleaning.get_or_insert_with(|| Cleaning {
        definitions: definitions.iter().map(|id| DefinitionId(*id as u32)).collect(),
        indexes: indexes.iter().map(|id| IndexId(*id as u32)).collect(),
        after: None,
    });
    if !walk.clean_rows(session, types, budget)? {
        return Ok(false);
    }
    walk.delete_records(session)?;
    let is_done = walk.definitions.len() == definitions.len() && walk.indexes.len() == indexes.len();
    *cleaning = None;
    Ok(is_done)
}

fn dropped(session: &mut Session, sql: &str, seq: i64) -> Result<Vec<i64>, StoreError> {
    let rows = session.query(sql, &[&seq], "reading what was dropped")?;
    Ok(rows.iter().map(|row| row.get(0)).collect())
}

/// Whether they are gone. Nobody here reads them any more, but a dump may, and all clients would wait behind this; then it
/// is tried again later.
fn drop_tables(session: &mut Session, definition: i64) -> Result<bool, StoreError> {
    let what = "dropping the tables of a definition";
    session.batch("SAVEPOINT dropping; SET LOCAL lock_timeout = '1s'", what)?;
    let drop = format!("DROP TABLE IF EXISTS op_{definition}, superseded_{definition}");
    match session.batch(&drop, what) {
        Ok(()) => session.batch("SET LOCAL lock_timeout = '1min'; RELEASE dropping", what).map(|()| true),
        Err(StoreError::Unavailable(_)) => session.batch("ROLLBACK TO dropping", what).map(|()| false),
        Err(error) => Err(error),
    }
}

fn delete_buckets(session: &mut Session, definition: i64, budget: &mut Budget) -> Result<bool, StoreError> {
    let what = "deleting buckets of a dropped definition";
    let delete = "WITH gone AS (
            DELETE FROM bucket WHERE id = ANY(ARRAY(SELECT id FROM bucket WHERE definition = $1 LIMIT $2)) RETURNING id
        ), cleared AS (DELETE FROM cleared WHERE bucket IN (SELECT id FROM gone))
        SELECT count(*), coalesce(sum(1), 0)::bigint FROM gone";
    let row = session.query_one(delete, &[&definition, &budget.limit()], what)?;
    let deleted = usize::try_from(row.get::<_, i64>(0)).unwrap_or(usize::MAX);
    let is_done = deleted < budget.left;
    budget.spend(deleted);
    Ok(is_done)
}

fn delete_entries(session: &mut Session, index: i64, budget: &mut Budget) -> Result<bool, StoreError> {
    let delete = "DELETE FROM parameter WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM parameter WHERE index_id = $1 LIMIT $2))";
    let deleted = session.execute(delete, &[&index, &budget.limit()], "deleting entries of a dropped index")?;
    let deleted = usize::try_from(deleted).unwrap_or(usize::MAX);
    let is_done = deleted < budget.left;
    budget.spend(deleted);
    Ok(is_done)
}

/// Rows whose states change.
#[derive(Default)]
struct Changed {
    tables: Vec<i64>,
    keys: Vec<Vec<u8>>,
    states: Vec<Vec<u8>>,
}

impl Cleaning {
    /// Whether the walk is at the end.
    fn clean_rows(&mut self, session: &mut Session, types: &Types, budget: &mut Budget) -> Result<bool, StoreError> {
        let what = "cleaning what rows have given";
        let rows = "SELECT source_table, key, coalesce(long_key, key), state FROM row_state
            WHERE (source_table, key) > ($1, $2) ORDER BY source_table, key LIMIT $3";
        let after = self.after.clone().unwrap_or((-1, Vec::new()));
        let rows = session.query(rows, &[&after.0, &after.1, &budget.limit()], what)?;
        let (mut deleted, mut changed) = (Changed::default(), Changed::default());
        for row in &rows {
            self.clean(row, types, &mut deleted, &mut changed)?;
        }
        if !deleted.tables.is_empty() {
            let delete = "DELETE FROM row_state AS r USING unnest($1::bigint[], $2::bytea[]) AS d(source_table, key)
                WHERE r.source_table = d.source_table AND r.key = d.key";
            session.execute(delete, &[&deleted.tables, &deleted.keys], what)?;
        }
        if !changed.tables.is_empty() {
            let update = "UPDATE row_state AS r SET state = c.state
                FROM unnest($1::bigint[], $2::bytea[], $3::bytea[]) AS c(source_table, key, state)
                WHERE r.source_table = c.source_table AND r.key = c.key";
            session.execute(update, &[&changed.tables, &changed.keys, &changed.states], what)?;
        }
        if let Some(last) = rows.last() {
            self.after = Some((last.get(0), last.get(1)));
        }
        let is_done = rows.len() < budget.left;
        budget.left = budget.left.saturating_sub(rows.len());
        Ok(is_done)
    }

    fn clean(&self, row: &Row, types: &Types, deleted: &mut Changed, changed: &mut Changed) -> Result<(), StoreError> {
        let (table, key): (i64, RowKey) = (row.get(0), RowKey(row.get(2)));
        let damaged = || invalid("The storage has a row whose state is damaged.");
        let mut state: RowState = read_row_state(row.get(3), &key, types.names()).ok_or_else(damaged)?;
        let entries = state.places.len() + state.parameters.len();
        state.places.retain(|place| !self.definitions.contains(&place.definition));
        state.parameters.retain(|parameter| !self.indexes.contains(&parameter.index));
        if state.is_empty() {
            deleted.tables.push(table);
            deleted.keys.push(shortened(&key.0));
        } else if state.places.len() + state.parameters.len() < entries {
            let mut bytes = Vec::new();
            write_row_state(&state, &key, types, &mut bytes).ok_or_else(damaged)?;
            changed.tables.push(table);
            changed.keys.push(shortened(&key.0));
            changed.states.push(bytes);
        }
        Ok(())
    }

    fn delete_records(&self, session: &mut Session) -> Result<(), StoreError> {
        let what = "deleting a dropped definition";
        let definitions: Vec<i64> = self.definitions.iter().map(|id| id.0.into()).collect();
        let indexes: Vec<i64> = self.indexes.iter().map(|id| id.0.into()).collect();
        session.execute("DELETE FROM definition WHERE id = ANY($1)", &[&definitions], what)?;
        session.execute("DELETE FROM parameter_index WHERE id = ANY($1)", &[&indexes], what)?;
        Ok(())
    }
}
