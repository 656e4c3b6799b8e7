//! Snapshots of tables. All pages of one are of one timestamp; where the next page begins is that timestamp with the
//! deployment's cursor, so that a service goes on where it was after a restart.

use convex_connect::Kind;
use sync_config::Value;
use sync_engine::row::{SourceTable, SourceValue};
use sync_engine::source::{Refetched, SnapshotChunk, SourceError};

use super::changes::position;
use super::client::Client;
use super::pages::{Row, SnapshotPage};
use super::tables::{Layout, Tables};
use crate::error::{position_lost, retry};

/// The next page of a table. A page is as large as the deployment makes it.
pub(crate) fn chunk(
    client: &Client,
    tables: &Tables,
    table: &SourceTable,
    after: Option<&[Value]>,
) -> Result<SnapshotChunk, SourceError> {
    let page = page(client, &table.name, after)?;
    let next = page.next.map(|cursor| vec![Value::Text(page.snapshot.to_string()), Value::Text(cursor)]);
    let layout = Layout::of_table(table);
    let mut rows = page.rows;
    let mut values: Vec<Vec<SourceValue>> = Vec::with_capacity(rows.len());
    rows.retain(|row| row.component.is_empty() && row.table == table.name);
    // Before they are taken apart, so that the next answer to a question for tables has all of them.
    tables.learn_rows(&rows);
    for row in rows {
        let row = row.fields.map(|fields| layout.row(fields));
        let unknown = || {
            position_lost(format!("table {} has fields that were not known: its columns are read again", table.name))
        };
        values.extend(row.map(|row| row.ok_or_else(unknown)).transpose()?);
    }
    Ok(SnapshotChunk { rows: values, next, read_at: position(page.snapshot) })
}

/// A snapshot that the deployment does not have any more begins again, at a timestamp of now. Rows that were read before come
/// again; those that were deleted since come with the stream.
fn page(client: &Client, table: &str, after: Option<&[Value]>) -> Result<SnapshotPage, SourceError> {
    if let Some(after) = after {
        let (snapshot, cursor) = read_place(after).ok_or_else(|| retry("a place in a snapshot is malformed"))?;
        match client.snapshot(Some(snapshot), Some(table), Some(cursor)) {
            Err(failure) if failure.kind == Kind::Lost => {}
            page => return Ok(page?),
        }
    }
    let snapshot = client.now()?;
    Ok(client.snapshot(Some(snapshot), Some(table), None)?)
}

fn read_place(after: &[Value]) -> Option<(i64, &str)> {
    match after {
        [Value::Text(snapshot), Value::Text(cursor)] => Some((snapshot.parse().ok()?, cursor)),
        _ => None,
    }
}

/// Documents by their ids. Convex reads none by id, so the table is read until all were found.
pub(crate) fn refetch(client: &Client, table: &SourceTable, keys: &[Vec<Value>]) -> Result<Refetched, SourceError> {
    let layout = Layout::of_table(table);
    let mut rows: Vec<Option<Vec<SourceValue>>> = vec![None; keys.len()];
    let snapshot = client.now()?;
    let (mut cursor, mut missing) = (None, keys.len());
    loop {
        let page = client.snapshot(Some(snapshot), Some(&table.name), cursor.as_deref())?;
        for Row { id, fields, .. } in page.rows {
            let is_it = |key: &Vec<Value>| matches!(key.as_slice(), [Value::Text(key)] if *key == id);
            let found = keys.iter().position(is_it).and_then(|at| rows.get_mut(at));
            if let Some((found, fields)) = found.zip(fields) {
                let known =
                    fields.into_iter().filter(|(name, _)| table.columns.iter().any(|column| column.name == *name));
                *found = layout.row(known.collect());
                missing = missing.saturating_sub(1);
            }
        }
        cursor = page.next;
        if cursor.is_none() || missing == 0 {
            return Ok(Refetched { rows, read_at: position(snapshot) });
        }
    }
}
