//! Writes what a batch has besides operations: states of rows, parameters, touched keys, requests.

use std::collections::BTreeMap;

use sync_engine::row::RowKey;
use sync_engine::store::{Batch, ParameterPlace, RowState, StoreError, TableId, WriteCheckpoint};

use super::keys::{StoredKey, client_hash, shortened};
use super::session::Session;
use super::shared::Point;
use crate::encoding::{Types, write_row_state, write_values};

pub(super) fn write_states(
    session: &mut Session,
    types: &Types,
    states: &[(TableId, RowKey, RowState)],
) -> Result<(), StoreError> {
    let what = "writing what rows have given";
    // In the order of the table. Of several states of a row the last one counts.
    let states: BTreeMap<(TableId, &RowKey), &RowState> =
        states.iter().map(|(table, key, state)| ((*table, key), state)).collect();
    let mut deleted: (Vec<i64>, Vec<Vec<u8>>) = Default::default();
    let (mut tables, mut short, mut long, mut written) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
    for ((table, key), state) in states {
        if state.is_empty() {
            deleted.0.push(i64::from(table.0));
            deleted.1.push(shortened(&key.0));
            continue;
        }
        let mut bytes = Vec::new();
        let is_complete = write_row_state(state, key, types, &mut bytes);
        debug_assert!(is_complete.is_some(), "all types are interned");
        let stored = StoredKey::new(&key.0);
        tables.push(i64::from(table.0));
        short.push(stored.short);
        long.push(stored.long);
        written.push(bytes);
    }
    if !written.is_empty() {
        let upsert = "INSERT INTO row_state(source_table, key, long_key, state)
            SELECT * FROM unnest($1::bigint[], $2::bytea[], $3::bytea[], $4::bytea[])
            ON CONFLICT (source_table, key) DO UPDATE SET state = excluded.state";
        session.execute(upsert, &[&tables, &short, &long, &written], what)?;
    }
    if !deleted.0.is_empty() {
        let delete = "DELETE FROM row_state AS r USING unnest($1::bigint[], $2::bytea[]) AS d(source_table, key)
            WHERE r.source_table = d.source_table AND r.key = d.key";
        session.execute(delete, &[&deleted.0, &deleted.1], what)?;
    }
    Ok(())
}

/// Columns of the places of parameters.
#[derive(Default)]
struct Places {
    indexes: Vec<i64>,
    keys: Vec<Vec<u8>>,
    tables: Vec<i64>,
    rows: Vec<Vec<u8>>,
    hashes: Vec<i64>,
}

impl<'a> FromIterator<&'a ParameterPlace> for Places {
    fn from_iter<I: IntoIterator<Item = &'a ParameterPlace>>(iterator: I) -> Self {
        let mut places = Self::default();
        for place in iterator {
            places.indexes.push(place.index.0.into());
            places.keys.push(shortened(place.key.as_bytes()));
            places.tables.push(place.row.0.0.into());
            places.rows.push(shortened(&place.row.1.0));
            places.hashes.push(place.hash.cast_signed());
        }
        places
    }
}

pub(super) fn write_parameters(session: &mut Session, batch: &Batch, seq: i64) -> Result<(), StoreError> {
    let what = "writing parameters";
    if !batch.closed_parameters.is_empty() {
        let close = "UPDATE parameter AS p SET to_seq = $6
            FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bytea[], $5::bigint[])
                AS c(index_id, key, source_table, row_key, hash)
            WHERE p.index_id = c.index_id AND p.key = c.key AND p.source_table = c.source_table AND p.row_key = c.row_key
                AND p.hash = c.hash AND p.to_seq IS NULL";
        let places: Places = batch.closed_parameters.iter().collect();
        let Places { indexes, keys, tables, rows, hashes } = &places;
        session.execute(close, &[indexes, keys, tables, rows, hashes, &seq], what)?;
    }
    if !batch.new_parameters.is_empty() {
        let insert = "INSERT INTO parameter(index_id, key, source_table, row_key, hash, outputs, from_seq)
            SELECT n.*, $7 FROM unnest($1::bigint[], $2::bytea[], $3::bigint[], $4::bytea[], $5::bigint[], $6::bytea[]) AS n";
        let places: Places = batch.new_parameters.iter().map(|new| &new.place).collect();
        let Places { indexes, keys, tables, rows, hashes } = &places;
        let outputs: Vec<Vec<u8>> = batch.new_parameters.iter().map(|new| write_values(&new.outputs)).collect();
        session.execute(insert, &[indexes, keys, tables, rows, hashes, &outputs, &seq], what)?;
    }
    Ok(())
}

pub(super) fn write_touched(session: &mut Session, batch: &Batch) -> Result<(), StoreError> {
    if batch.touched.is_empty() {
        return Ok(());
    }
    let insert = "INSERT INTO touched SELECT * FROM unnest($1::bigint[], $2::bytea[]) ON CONFLICT DO NOTHING";
    let jobs: Vec<i64> = batch.touched.iter().map(|(job, _)| job.0.into()).collect();
    let keys: Vec<Vec<u8>> = batch.touched.iter().map(|(_, key)| shortened(&key.0)).collect();
    session.execute(insert, &[&jobs, &keys], "writing keys that the stream touches").map(drop)
}

/// A client's requests stay until a later one is acknowledged at the oldest checkpoint that is needed, so that a client that
/// asks again and again is answered all the same.
pub(super) fn write_requests(session: &mut Session, batch: &Batch, oldest: Option<&Point>) -> Result<(), StoreError> {
    let what = "writing write checkpoints";
    if let Some(before) = batch.forget_requests_before {
        session.execute("DELETE FROM write_checkpoint WHERE requested_at < $1", &[&before], what)?;
    }
    if batch.write_checkpoints.is_empty() {
        return Ok(());
    }
    // An id that is asked for again keeps the earlier head: what was acknowledged stays acknowledged.
    let insert = "INSERT INTO write_checkpoint(who, id, user_name, client, head, requested_at)
        SELECT * FROM unnest($1::bytea[], $2::bigint[], $3::bytea[], $4::bytea[], $5::bytea[], $6::bigint[])
        ON CONFLICT (who, id) DO UPDATE SET head = least(write_checkpoint.head, excluded.head),
            requested_at = excluded.requested_at";
    let mut requests: BTreeMap<(Vec<u8>, i64), WriteCheckpoint> = BTreeMap::new();
    for one in &batch.write_checkpoints {
        let key = (client_hash(&one.user, &one.client), one.id);
        let merged = requests.entry(key).or_insert_with(|| one.clone());
        merged.requested_at = one.requested_at;
        if one.head < merged.head {
            merged.head.clone_from(&one.head);
        }
    }
    let (who, ids): (Vec<Vec<u8>>, Vec<i64>) = requests.keys().cloned().unzip();
    let users: Vec<&[u8]> = requests.values().map(|one| one.user.as_bytes()).collect();
    let clients: Vec<&[u8]> = requests.values().map(|one| one.client.as_bytes()).collect();
    let heads: Vec<&[u8]> = requests.values().map(|one| &*one.head.0).collect();
    let times: Vec<i64> = requests.values().map(|one| one.requested_at).collect();
    session.execute(insert, &[&who, &ids, &users, &clients, &heads, &times], what)?;
    let Some(oldest) = oldest else { return Ok(()) };
    let delete = "DELETE FROM write_checkpoint AS w USING (
            SELECT who, max(id) AS id FROM write_checkpoint WHERE who = ANY($1) AND head <= $2 GROUP BY who
        ) AS acknowledged WHERE w.who = acknowledged.who AND w.id < acknowledged.id";
    session.execute(delete, &[&who, &oldest.position.0], what).map(drop)
}
