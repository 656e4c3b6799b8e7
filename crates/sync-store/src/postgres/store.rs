//! What the writer reads, and its interface.

use std::collections::BTreeSet;
use std::sync::Arc;

use pg_connect::postgres::Row;
use sync_engine::live::{ConfigId, DefinitionId};
use sync_engine::row::{Position, RowKey};
use sync_engine::store::{
    Batch, BucketId, Checkpoint, Compacted, JobId, OpId, Readers, RowState, Store, StoreError, Stored, TableId,
    WriteCheckpoint,
};

use super::error::{Doing, invalid};
use super::keys::{StoredKey, shortened};
use super::news::News;
use super::open::PostgresStore;
use super::reader::PostgresReaders;
use super::records;
use super::session::Session;
use super::shared::{Point, Visible};
use crate::encoding::{Types, read_row_state};

impl PostgresStore {
    /// Reads again what the store keeps in memory.
    pub(super) fn refresh(&mut self) -> Result<Option<Checkpoint>, StoreError> {
        let session = &mut self.session;
        let state = "SELECT seq FROM state";
        let state = session.query_opt(state, &[], "reading the last commit")?;
        let state = state.ok_or_else(|| invalid("The storage has lost its last commit."))?;
        self.seq = state.get(0);
        self.types = read_types(session)?;
        self.shared.set_types(Arc::clone(self.types.names()));
        self.definitions = read_definitions(session)?;
        let newest = newest(session)?;
        self.shared.set_others(read_others(session)?);
        self.news = News::new(&records::configs(session)?);
        Ok(newest.map(|visible| {
            let checkpoint = visible.checkpoint.clone();
            self.shared.publish(visible);
            checkpoint
        }))
    }

    fn waiting_write_checkpoints(&mut self, reached: Option<&Position>) -> Result<Vec<WriteCheckpoint>, StoreError> {
        let waiting = "SELECT user_name, client, id, head, requested_at FROM write_checkpoint
            WHERE $1::bytea IS NULL OR head > $1 ORDER BY user_name, client, id";
        let reached = reached.map(|position| &position.0);
        let rows = self.session.query(waiting, &[&reached], "reading write checkpoints")?;
        let request = |row: &Row| {
            Ok(WriteCheckpoint {
                user: text(row, 0)?,
                client: text(row, 1)?,
                id: row.get(2),
                head: Position(row.get(3)),
                requested_at: row.get(4),
            })
        };
        rows.iter().map(request).collect()
    }

    /// A state in a column.
    pub(super) fn row_state(&self, bytes: &[u8], key: &RowKey) -> Result<RowState, StoreError> {
        read_row_state(bytes, key, self.types.names())
            .ok_or_else(|| invalid("The storage has a row whose state is damaged."))
    }
}

/// A text that is stored as bytes.
pub(super) fn text(row: &Row, column: usize) -> Result<String, StoreError> {
    String::from_utf8(row.get(column)).map_err(|_| invalid("The storage has a text that is damaged."))
}

/// The names of client tables.
pub(super) fn read_types(session: &mut Session) -> Result<Types, StoreError> {
    let mut types = Types::default();
    for row in session.query("SELECT id, name FROM object_type ORDER BY id", &[], "reading names of client tables")? {
        if types.intern(&text(&row, 1)?.into()).0.cast_signed() != row.get::<_, i32>(0) {
            return Err(invalid("The storage has names of client tables without the ones before."));
        }
    }
    Ok(types)
}

/// Definitions that have tables.
fn read_definitions(session: &mut Session) -> Result<BTreeSet<i64>, StoreError> {
    let tables = "SELECT substr(relname, 4) FROM pg_class
        WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND relkind = 'r' AND relname ~ '^op_[0-9]+$'";
    let rows = session.query(tables, &[], "reading the tables of definitions")?;
    Ok(rows.iter().filter_map(|row| row.get::<_, &str>(0).parse().ok()).collect())
}

/// The columns that [`visible`] reads.
pub(super) const CHECKPOINT: &str = "c.seq, c.op_id, c.position, c.time, c.source_time, c.config";

/// A checkpoint in the columns of [`CHECKPOINT`].
pub(super) fn visible(row: &Row) -> Visible {
    let checkpoint = Checkpoint {
        op_id: row.get(1),
        position: Position(row.get(2)),
        time: row.get(3),
        source_time: row.get(4),
        config: ConfigId(row.get::<_, i64>(5) as u32),
    };
    Visible { seq: row.get(0), checkpoint }
}

/// The newest checkpoint.
pub(super) fn newest(session: &mut Session) -> Result<Option<Visible>, StoreError> {
    let newest = format!("SELECT {CHECKPOINT} FROM checkpoint AS c ORDER BY c.seq DESC LIMIT 1");
    Ok(session.query_opt(&newest, &[], "reading the newest checkpoint")?.as_ref().map(visible))
}

/// What readers of other processes need.
pub(super) fn read_others(session: &mut Session) -> Result<Option<Point>, StoreError> {
    let oldest = "SELECT seq, op_id, position FROM lease WHERE NOT is_writer ORDER BY seq LIMIT 1";
    let oldest = session.query_opt(oldest, &[], "reading what other processes read")?;
    Ok(oldest.map(|row| Point { seq: row.get(0), op_id: row.get(1), position: Position(row.get(2)) }))
}

/// Bytes of the schema.
pub(super) fn measure(session: &mut Session) -> Result<i64, StoreError> {
    let size = "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class
        WHERE relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND relkind = 'r'";
    Ok(session.query_one(size, &[], "measuring the storage")?.get(0))
}

impl Store for PostgresStore {
    fn load(&mut self) -> Result<Stored, StoreError> {
        let checkpoint = self.refresh()?;
        let session = &mut self.session;
        let state = "SELECT instance, next_op_id, next_ids, position FROM state";
        let state = session.query_one(state, &[], "reading the last commit")?;
        Ok(Stored {
            instance: state.get(0),
            next_op_id: state.get(1),
            next_ids: serde_json::from_str(state.get(2)).doing("reading the next numbers")?,
            position: state.get::<_, Option<Vec<u8>>>(3).map(Position),
            tables: records::tables(session)?,
            configs: records::configs(session)?,
            definitions: records::definitions(session)?,
            indexes: records::indexes(session)?,
            jobs: records::jobs(session)?,
            waiting_write_checkpoints: self.waiting_write_checkpoints(checkpoint.as_ref().map(|now| &now.position))?,
            checkpoint,
        })
    }

    fn row_states(&mut self, keys: &[(TableId, RowKey)]) -> Result<Vec<RowState>, StoreError> {
        let search =
            "SELECT k.n, r.state FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS k(source_table, key, n)
            JOIN row_state AS r ON r.source_table = k.source_table AND r.key = k.key";
        let tables: Vec<i64> = keys.iter().map(|(table, _)| table.0.into()).collect();
        let short: Vec<Vec<u8>> = keys.iter().map(|(_, key)| shortened(&key.0)).collect();
        let rows = self.session.query(search, &[&tables, &short], "reading what rows have given")?;
        let mut states = vec![RowState::default(); keys.len()];
        for row in rows {
            let number = place(&row);
            if let (Some(state), Some((_, key))) = (states.get_mut(number), keys.get(number)) {
                *state = self.row_state(row.get(1), key)?;
            }
        }
        Ok(states)
    }

    fn rows_of_table(
        &mut self,
        table: TableId,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<(RowKey, RowState)>, StoreError> {
        let rows = "SELECT coalesce(long_key, key), state FROM row_state
            WHERE source_table = $1 AND key > $2 ORDER BY key LIMIT $3";
        let first = "SELECT coalesce(long_key, key), state FROM row_state
            WHERE source_table = $1 AND key >= $2 ORDER BY key LIMIT $3";
        let (table, limit) = (i64::from(table.0), i64::try_from(limit).unwrap_or(i64::MAX));
        let rows = if after.is_some() { rows } else { first };
        let after = after.map(|key| shortened(&key.0)).unwrap_or_default();
        let rows = self.session.query(rows, &[&table, &after, &limit], "reading the rows of a table")?;
        let state = |row: &Row| {
            let key = RowKey(row.get(0));
            let state = self.row_state(row.get(1), &key)?;
            Ok((key, state))
        };
        rows.iter().map(state).collect()
    }

    fn find_buckets(&mut self, keys: &[(DefinitionId, Arc<str>)]) -> Result<Vec<Option<BucketId>>, StoreError> {
        let search = "SELECT k.n, b.id FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS k(definition, key, n)
            JOIN bucket AS b ON b.definition = k.definition AND b.key = k.key";
        let definitions: Vec<i64> = keys.iter().map(|(definition, _)| definition.0.into()).collect();
        let short: Vec<Vec<u8>> = keys.iter().map(|(_, key)| StoredKey::new(key.as_bytes()).short).collect();
        let rows = self.session.query(search, &[&definitions, &short], "searching buckets")?;
        let mut found = vec![None; keys.len()];
        for row in rows {
            if let Some(bucket) = found.get_mut(place(&row)) {
                *bucket = Some(BucketId(row.get(1)));
            }
        }
        Ok(found)
    }

    fn bucket_keys(&mut self, buckets: &[BucketId]) -> Result<Vec<Option<Arc<str>>>, StoreError> {
        let search = "SELECT k.n, coalesce(b.long_key, b.key) FROM unnest($1::bigint[]) WITH ORDINALITY AS k(id, n)
            JOIN bucket AS b ON b.id = k.id";
        let ids: Vec<i64> = buckets.iter().map(|bucket| bucket.0).collect();
        let mut keys = vec![None; buckets.len()];
        for row in self.session.query(search, &[&ids], "reading keys of buckets")? {
            if let Some(key) = keys.get_mut(place(&row)) {
                *key = Some(text(&row, 1)?.into());
            }
        }
        Ok(keys)
    }

    fn touched(&mut self, job: JobId, keys: &[RowKey]) -> Result<Vec<bool>, StoreError> {
        let search = "SELECT k.n FROM unnest($2::bytea[]) WITH ORDINALITY AS k(key, n)
            JOIN touched AS t ON t.job = $1 AND t.key = k.key";
        let short: Vec<Vec<u8>> = keys.iter().map(|key| shortened(&key.0)).collect();
        let what = "searching keys that the stream has touched";
        let mut touched = vec![false; keys.len()];
        for row in self.session.query(search, &[&i64::from(job.0), &short], what)? {
            if let Some(is_touched) = touched.get_mut(place(&row)) {
                *is_touched = true;
            }
        }
        Ok(touched)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.write(batch)
    }

    fn compact(&mut self, oldest_pin: OpId, budget: usize) -> Result<Compacted, StoreError> {
        self.shrink(oldest_pin, budget)
    }

    fn readers(&self) -> Arc<dyn Readers> {
        Arc::new(PostgresReaders(Arc::clone(&self.shared)))
    }
}

/// Which key a row is for: numbers of keys begin with 1.
fn place(row: &Row) -> usize {
    usize::try_from(row.get::<_, i64>(0)).unwrap_or(0).wrapping_sub(1)
}
