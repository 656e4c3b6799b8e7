//! What the writer reads, and its interface.

use std::sync::Arc;

use rusqlite::OptionalExtension;
use sync_engine::live::DefinitionId;
use sync_engine::row::{Position, RowKey};
use sync_engine::store::{
    Batch, BucketId, Checkpoint, Compacted, JobId, OpId, Readers, RowState, Store, StoreError, Stored, TableId,
    WriteCheckpoint,
};

use crate::encoding::{Types, read_row_state};
use crate::error::{Doing, invalid};
use crate::open::SqliteStore;
use crate::reader::SqliteReaders;
use crate::records;
use crate::shared::Visible;

impl SqliteStore {
    /// Reads again what the store keeps in memory.
    pub(crate) fn refresh(&mut self) -> Result<Option<Checkpoint>, StoreError> {
        let what = "reading the last commit";
        self.seq = self.connection.query_row("SELECT seq FROM state", (), |row| row.get(0)).doing(what)?;
        self.types = Types::default();
        let mut names = self.connection.prepare("SELECT id, name FROM object_type ORDER BY id").doing(what)?;
        let names = names.query_map((), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, Arc<str>>(1)?))).doing(what)?;
        for name in names {
            let (id, name) = name.doing(what)?;
            if i64::from(self.types.intern(&name).0) != id {
                return Err(invalid("The storage has names of client tables without the ones before."));
            }
        }
        let newest = "SELECT seq, op_id, position, time, source_time, config FROM checkpoint ORDER BY seq DESC LIMIT 1";
        let newest = self.connection.query_row(newest, (), |row| Ok((row.get(0)?, records::checkpoint(row)?)));
        let newest: Option<(i64, Checkpoint)> = newest.optional().doing("reading the newest checkpoint")?;
        Ok(newest.map(|(seq, checkpoint)| {
            self.shared.publish(Visible { seq, checkpoint: checkpoint.clone(), types: Arc::clone(self.types.names()) });
            checkpoint
        }))
    }

    fn waiting_write_checkpoints(&self, reached: Option<&Position>) -> Result<Vec<WriteCheckpoint>, StoreError> {
        let what = "reading write checkpoints";
        let waiting = "SELECT user, client, id, head, requested_at FROM write_checkpoint WHERE ?1 IS NULL OR head > ?1";
        let mut waiting = self.connection.prepare_cached(waiting).doing(what)?;
        let waiting = waiting.query_map((reached.map(|position| &position.0),), |row| {
            let (user, client, id, head) = (row.get(0)?, row.get(1)?, row.get(2)?, Position(row.get(3)?));
            Ok(WriteCheckpoint { user, client, id, head, requested_at: row.get(4)? })
        });
        waiting.and_then(Iterator::collect).doing(what)
    }
}

/// A state in a column.
pub(crate) fn row_state(bytes: &[u8], key: &RowKey, types: &Types) -> Result<RowState, StoreError> {
    read_row_state(bytes, key, types.names()).ok_or_else(|| invalid("The storage has a row whose state is damaged."))
}

impl Store for SqliteStore {
    fn load(&mut self) -> Result<Stored, StoreError> {
        let checkpoint = self.refresh()?;
        let state = "SELECT instance, next_op_id, next_ids, position FROM state";
        let state = self.connection.query_row(state, (), |row| {
            Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?, row.get::<_, Option<Vec<u8>>>(3)?))
        });
        let (instance, next_op_id, next_ids, position) = state.doing("reading the last commit")?;
        Ok(Stored {
            instance,
            next_op_id,
            next_ids: serde_json::from_str(&next_ids).doing("reading the next numbers")?,
            position: position.map(Position),
            tables: records::tables(&self.connection)?,
            configs: records::configs(&self.connection)?,
            definitions: records::definitions(&self.connection)?,
            indexes: records::indexes(&self.connection)?,
            jobs: records::jobs(&self.connection)?,
            waiting_write_checkpoints: self.waiting_write_checkpoints(checkpoint.as_ref().map(|now| &now.position))?,
            checkpoint,
        })
    }

    fn row_states(&mut self, keys: &[(TableId, RowKey)]) -> Result<Vec<RowState>, StoreError> {
        let what = "reading what rows have given";
        let search = "SELECT state FROM row_state WHERE source_table = ?1 AND key = ?2";
        let mut search = self.connection.prepare_cached(search).doing(what)?;
        let mut states = Vec::with_capacity(keys.len());
        for (table, key) in keys {
            let mut rows = search.query((table.0, &key.0)).doing(what)?;
            states.push(match rows.next().doing(what)? {
                Some(row) => {
                    row_state(row.get_ref(0).and_then(|state| Ok(state.as_blob()?)).doing(what)?, key, &self.types)?
                }
                None => RowState::default(),
            });
        }
        Ok(states)
    }

    fn rows_of_table(
        &mut self,
        table: TableId,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<(RowKey, RowState)>, StoreError> {
        let what = "reading the rows of a table";
        let rows = "SELECT key, state FROM row_state
            WHERE source_table = ?1 AND key >= ?2 AND (key > ?2 OR ?3) ORDER BY key LIMIT ?4";
        let mut rows = self.connection.prepare_cached(rows).doing(what)?;
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let first = after.map_or(&[][..], |key| &key.0);
        let mut rows = rows.query((table.0, first, after.is_none(), limit)).doing(what)?;
        let mut states = Vec::new();
        while let Some(row) = rows.next().doing(what)? {
            let key = RowKey(row.get(0).doing(what)?);
            let state = row.get_ref(1).and_then(|state| Ok(state.as_blob()?)).doing(what)?;
            let state = row_state(state, &key, &self.types)?;
            states.push((key, state));
        }
        Ok(states)
    }

    fn find_buckets(&mut self, keys: &[(DefinitionId, Arc<str>)]) -> Result<Vec<Option<BucketId>>, StoreError> {
        let what = "searching buckets";
        let search = "SELECT id FROM bucket WHERE definition = ?1 AND key = ?2";
        let mut search = self.connection.prepare_cached(search).doing(what)?;
        let find = |(definition, key): &(DefinitionId, Arc<str>)| {
            let id = search.query_row((definition.0, &**key), |row| row.get(0).map(BucketId)).optional();
            id.doing(what)
        };
        keys.iter().map(find).collect()
    }

    fn bucket_keys(&mut self, buckets: &[BucketId]) -> Result<Vec<Option<Arc<str>>>, StoreError> {
        let what = "reading keys of buckets";
        let mut search = self.connection.prepare_cached("SELECT key FROM bucket WHERE id = ?1").doing(what)?;
        let key = |bucket: &BucketId| search.query_row((bucket.0,), |row| row.get(0)).optional().doing(what);
        buckets.iter().map(key).collect()
    }

    fn touched(&mut self, job: JobId, keys: &[RowKey]) -> Result<Vec<bool>, StoreError> {
        let what = "searching keys that the stream has touched";
        let mut search =
            self.connection.prepare_cached("SELECT 1 FROM touched WHERE job = ?1 AND key = ?2").doing(what)?;
        keys.iter().map(|key| search.exists((job.0, &key.0)).doing(what)).collect()
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        self.write(batch)
    }

    fn compact(&mut self, oldest_pin: OpId, budget: usize) -> Result<Compacted, StoreError> {
        self.shrink(oldest_pin, budget)
    }

    fn readers(&self) -> Arc<dyn Readers> {
        Arc::new(SqliteReaders(Arc::clone(&self.shared)))
    }
}
