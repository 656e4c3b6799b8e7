//! What connections read: a checkpoint that stays the same while the writer goes on.
//!
//! Each call takes a connection of the pool. Between calls nothing is held but the pin, so each call finds the newest content
//! and leaves out what is newer than its checkpoint.

use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OptionalExtension, Row};
use sync_config::Value;
use sync_engine::live::{DefinitionId, IndexId};
use sync_engine::store::{
    BucketId, BucketSize, BucketState, Checkpoint, DefinitionSize, OpId, OpKind, Operation, OutputRow, Page, PageLimit,
    Reader, Readers, StoreError,
};

use crate::encoding::{read_values, type_name};
use crate::error::{Doing, invalid};
use crate::schema::kind;
use crate::shared::{Pin, Shared};
use crate::sizes;

pub(crate) struct SqliteReaders(pub(crate) Arc<Shared>);

impl Readers for SqliteReaders {
    fn latest(&self) -> Result<Option<Box<dyn Reader>>, StoreError> {
        Ok(self.0.pin().map(|pin| Box::new(SqliteReader(pin)) as Box<dyn Reader>))
    }

    fn oldest_pin(&self) -> OpId {
        self.0.oldest().map_or(0, |oldest| oldest.checkpoint.op_id)
    }

    fn size(&self) -> Option<u64> {
        let size = |path: &Path| std::fs::metadata(path).map(|file| file.len()).ok();
        let mut log = self.0.path.clone().into_os_string();
        log.push("-wal");
        let log = size(Path::new(&log)).unwrap_or_default();
        size(&self.0.path).map(|file| file.saturating_add(log))
    }

    fn definition_sizes(&self) -> Result<Option<Vec<DefinitionSize>>, StoreError> {
        self.0.read(|connection| sizes::of_definitions(connection).doing("counting buckets").map(Some))
    }

    fn bucket_sizes(
        &self,
        definition: DefinitionId,
        skipped: usize,
        limit: usize,
    ) -> Result<Option<Vec<BucketSize>>, StoreError> {
        let sizes = |connection: &Connection| sizes::of_buckets(connection, definition, (skipped, limit));
        self.0.read(|connection| sizes(connection).doing("measuring buckets").map(Some))
    }
}

struct SqliteReader(Pin);

impl Reader for SqliteReader {
    fn checkpoint(&self) -> &Checkpoint {
        &self.0.visible.checkpoint
    }

    fn buckets(&self, keys: &[(DefinitionId, Arc<str>)]) -> Result<Vec<BucketState>, StoreError> {
        self.0.shared.read_consistently(|connection| keys.iter().map(|key| self.bucket(connection, key)).collect())
    }

    fn operations(&self, bucket: BucketId, after: OpId, limit: PageLimit) -> Result<Page, StoreError> {
        self.0.shared.read_consistently(|connection| self.page(connection, bucket, after, limit))
    }

    fn lookup(&self, index: IndexId, key: &str, rows: &mut Vec<Vec<Value>>) -> Result<(), StoreError> {
        let what = "looking up parameters";
        let seq = self.0.visible.seq;
        self.0.shared.read(|connection| {
            let entries = "SELECT outputs FROM parameter WHERE index_id = ?1 AND key = ?2 AND from_seq <= ?3
                AND (to_seq IS NULL OR to_seq > ?3)";
            let mut entries = connection.prepare_cached(entries).doing(what)?;
            let mut entries = entries.query((index.0, key, seq)).doing(what)?;
            while let Some(entry) = entries.next().doing(what)? {
                let outputs = entry.get_ref(0).and_then(|outputs| Ok(outputs.as_blob()?)).doing(what)?;
                let damaged = || invalid("The storage has a parameter whose outputs are damaged.");
                rows.push(read_values(outputs).ok_or_else(damaged)?);
            }
            Ok(())
        })
    }

    fn write_checkpoint(&self, user: &str, client: &str) -> Result<Option<i64>, StoreError> {
        let id = "SELECT max(id) FROM write_checkpoint WHERE user = ?1 AND client = ?2 AND head <= ?3";
        let position = &self.checkpoint().position.0;
        self.0.shared.read(|connection| {
            let id = connection
                .prepare_cached(id)
                .and_then(|mut id| id.query_row((user, client, position), |row| row.get(0)));
            id.doing("reading a write checkpoint")
        })
    }
}

impl SqliteReader {
    fn bucket(
        &self,
        connection: &Connection,
        (definition, key): &(DefinitionId, Arc<str>),
    ) -> Result<BucketState, StoreError> {
        let what = "reading the state of a bucket";
        let state = |row: &Row<'_>| {
            Ok(BucketState {
                id: Some(BucketId(row.get(0)?)),
                last_op: row.get(1)?,
                count: row.get(2)?,
                checksum: row.get(3)?,
            })
        };
        let newest = "SELECT id, last_op, op_count, checksum FROM bucket WHERE definition = ?1 AND key = ?2";
        let newest = connection
            .prepare_cached(newest)
            .and_then(|mut newest| newest.query_row((definition.0, &**key), state).optional());
        let Some(newest) = newest.doing(what)? else { return Ok(BucketState::default()) };
        let pin = self.checkpoint().op_id;
        if newest.last_op > pin {
            let before = "SELECT bucket, last_op, op_count, checksum FROM cleared WHERE bucket = ?1 AND at_op > ?2
                ORDER BY at_op LIMIT 1";
            let id = newest.id.map(|id| id.0);
            let before =
                connection.prepare_cached(before).and_then(|mut before| before.query_row((id, pin), state).optional());
            return older(connection, before.doing(what)?.unwrap_or(newest), pin).doing(what);
        }
        Ok(if newest.last_op == 0 { BucketState::default() } else { newest })
    }

    fn page(
        &self,
        connection: &Connection,
        bucket: BucketId,
        after: OpId,
        limit: PageLimit,
    ) -> Result<Page, StoreError> {
        let what = "reading operations";
        let pin = self.checkpoint().op_id;
        let cleared = "SELECT max(at_op) FROM cleared WHERE bucket = ?1 AND at_op <= ?2";
        let cleared = connection
            .prepare_cached(cleared)
            .and_then(|mut cleared| cleared.query_row((bucket.0, pin), |row| row.get::<_, Option<OpId>>(0)));
        let after = cleared.doing(what)?.map_or(after, |cleared| after.max(cleared - 1));
        // Read together, in the same order.
        let superseded = "SELECT op_id FROM superseded WHERE bucket = ?1 AND op_id > ?2 AND op_id <= ?3 AND by_op <= ?3
            ORDER BY op_id";
        let mut superseded = connection.prepare_cached(superseded).doing(what)?;
        let mut superseded = superseded.query_map((bucket.0, after, pin), |row| row.get::<_, OpId>(0)).doing(what)?;
        let mut next_superseded = superseded.next().transpose().doing(what)?;
        let operations = "SELECT op_id, kind, checksum, object_type, object_id, subkey, data FROM op
            WHERE bucket = ?1 AND op_id > ?2 AND op_id <= ?3 ORDER BY op_id";
        let mut operations = connection.prepare_cached(operations).doing(what)?;
        let mut operations = operations.query((bucket.0, after, pin)).doing(what)?;
        let mut page = Page::default();
        let mut bytes = 0_usize;
        while let Some(row) = operations.next().doing(what)? {
            let op_id: OpId = row.get(0).doing(what)?;
            while next_superseded.is_some_and(|next| next < op_id) {
                next_superseded = superseded.next().transpose().doing(what)?;
            }
            let is_superseded = next_superseded == Some(op_id);
            let (kind, size) = self.kind(row, is_superseded)?;
            let is_full = page.operations.len() >= limit.operations || bytes.saturating_add(size) > limit.bytes;
            if is_full && !page.operations.is_empty() {
                page.has_more = true;
                break;
            }
            bytes = bytes.saturating_add(size);
            page.operations.push(Operation { bucket, op_id, kind, checksum: row.get(2).doing(what)? });
        }
        Ok(page)
    }

    /// What an operation does, and the bytes of its data.
    fn kind(&self, row: &Row<'_>, is_superseded: bool) -> Result<(OpKind, usize), StoreError> {
        let what = "reading an operation";
        let kind: i64 = row.get(1).doing(what)?;
        if is_superseded || kind == kind::MOVE {
            return Ok((OpKind::Move, 0));
        }
        if kind == kind::CLEAR {
            return Ok((OpKind::Clear, 0));
        }
        let damaged = || invalid("The storage has a damaged operation.");
        let object_type = type_name(&self.0.visible.types, row.get(3).doing(what)?).ok_or_else(damaged)?;
        let output = OutputRow { object_type, object_id: row.get(4).doing(what)?, subkey: row.get(5).doing(what)? };
        match kind {
            kind::PUT => {
                let data: Arc<str> = row.get(6).doing(what)?;
                let size = data.len();
                Ok((OpKind::Put { row: output, data }, size))
            }
            kind::REMOVE => Ok((OpKind::Remove { row: output }, 0)),
            _ => Err(damaged()),
        }
    }
}

/// The state without operations after the pin.
fn older(connection: &Connection, state: BucketState, pin: OpId) -> rusqlite::Result<BucketState> {
    let id = state.id.map(|id| id.0);
    let newer = "SELECT count(*), ifnull(sum(checksum), 0) FROM op WHERE bucket = ?1 AND op_id > ?2 AND op_id <= ?3";
    let (count, sum) = connection
        .prepare_cached(newer)?
        .query_row((id, pin, state.last_op), |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
    let last = "SELECT max(op_id) FROM op WHERE bucket = ?1 AND op_id <= ?2";
    let last: Option<OpId> = connection.prepare_cached(last)?.query_row((id, pin), |row| row.get(0))?;
    let Some(last_op) = last else { return Ok(BucketState::default()) };
    // Checksums are sums modulo 2^32.
    let checksum = state.checksum.wrapping_sub(sum as u32);
    Ok(BucketState { id: state.id, last_op, count: state.count - count, checksum })
}
