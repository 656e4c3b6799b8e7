//! What connections read: a checkpoint that stays the same while the writer goes on.
//!
//! Each call takes a connection of the pool and runs single statements. Between them nothing is held but the pin, so each finds
//! the newest content and leaves out what is newer than its checkpoint.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use pg_connect::postgres::Row;
use sync_config::Value;
use sync_engine::live::{DefinitionId, IndexId};
use sync_engine::store::{
    BucketId, BucketSize, BucketState, Checkpoint, DefinitionSize, OpId, OpKind, Operation, OutputRow, Page, PageLimit,
    Reader, Readers, StoreError,
};

use super::error::invalid;
use super::keys::{client_hash, shortened};
use super::session::Session;
use super::shared::{Pin, ReadError, Shared};
use super::sizes;
use super::store::read_types;
use crate::encoding::{read_values, type_name};
use crate::schema::kind;

/// A page is first asked for with this many more operations than seem to fit.
const SPARE: i64 = 8;

pub(super) struct PostgresReaders(pub(super) Arc<Shared>);

impl Readers for PostgresReaders {
    fn latest(&self) -> Result<Option<Box<dyn Reader>>, StoreError> {
        Ok(self.0.pin().map(|pin| Box::new(PostgresReader { pin, known: RefCell::default() }) as Box<dyn Reader>))
    }

    fn oldest_pin(&self) -> OpId {
        self.0.oldest().map_or(0, |oldest| oldest.op_id)
    }

    fn size(&self) -> Option<u64> {
        self.0.size()
    }

    fn definition_sizes(&self) -> Result<Option<Vec<DefinitionSize>>, StoreError> {
        self.0.read(|session| Ok(sizes::of_definitions(session)?)).map(Some)
    }

    fn bucket_sizes(
        &self,
        definition: DefinitionId,
        skipped: usize,
        limit: usize,
    ) -> Result<Option<Vec<BucketSize>>, StoreError> {
        self.0.read(|session| Ok(sizes::of_buckets(session, definition, (skipped, limit))?)).map(Some)
    }
}

struct PostgresReader {
    pin: Pin,
    known: RefCell<HashMap<BucketId, Known>>,
}

/// What is known of a bucket.
#[derive(Clone, Copy)]
struct Known {
    definition: i64,
    /// Bytes of an operation, on average.
    average: i64,
}

/// A bucket as of the newest commit.
struct Newest {
    number: usize,
    id: i64,
    last_op: OpId,
    count: i64,
    checksum: u32,
}

impl Reader for PostgresReader {
    fn checkpoint(&self) -> &Checkpoint {
        &self.pin.visible.checkpoint
    }

    fn buckets(&self, keys: &[(DefinitionId, Arc<str>)]) -> Result<Vec<BucketState>, StoreError> {
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let definitions: Vec<i64> = keys.iter().map(|(definition, _)| definition.0.into()).collect();
        let shortened: Vec<Vec<u8>> = keys.iter().map(|(_, key)| shortened(key.as_bytes())).collect();
        self.pin.shared.read(|session| self.states(session, &definitions, &shortened))
    }

    fn operations(&self, bucket: BucketId, after: OpId, limit: PageLimit) -> Result<Page, StoreError> {
        self.pin.shared.read(|session| {
            let Some(known) = self.known(session, bucket)? else { return Ok(Page::default()) };
            self.page(session, bucket, known, after, limit)
        })
    }

    fn lookup(&self, index: IndexId, key: &str, rows: &mut Vec<Vec<Value>>) -> Result<(), StoreError> {
        let what = "looking up parameters";
        let entries = "SELECT outputs, (SELECT count(*) FROM lease WHERE id = $4) FROM parameter
            WHERE index_id = $1 AND key = $2 AND from_seq <= $3 AND (to_seq IS NULL OR to_seq > $3)";
        let (index, key, seq) = (i64::from(index.0), shortened(key.as_bytes()), self.pin.visible.seq);
        let found = self.pin.shared.read(|session| {
            let found = session.query(entries, &[&index, &key, &seq, &self.lease()], what)?;
            self.check_lease(session, found.first().map(|row| row.get(1)))?;
            Ok(found)
        })?;
        for row in found {
            let damaged = || invalid("The storage has a parameter whose outputs are damaged.");
            rows.push(read_values(row.get(0)).ok_or_else(damaged)?);
        }
        Ok(())
    }

    fn write_checkpoint(&self, user: &str, client: &str) -> Result<Option<i64>, StoreError> {
        let what = "reading a write checkpoint";
        let id = "SELECT max(id), (SELECT count(*) FROM lease WHERE id = $3)
            FROM write_checkpoint WHERE who = $1 AND head <= $2";
        let (who, position) = (client_hash(user, client), &self.checkpoint().position.0);
        self.pin.shared.read(|session| {
            let row = session.query_one(id, &[&who, position, &self.lease()], what)?;
            self.check_lease(session, Some(row.get(1)))?;
            Ok(row.get(0))
        })
    }
}

impl PostgresReader {
    fn lease(&self) -> i64 {
        self.pin.shared.lease
    }

    /// What was read is right if the lease was there: `count` in the same snapshot, or else now, since none is written again.
    fn check_lease(&self, session: &mut Session, count: Option<i64>) -> Result<(), ReadError> {
        let count = match count {
            Some(count) => count,
            None => {
                let count = "SELECT count(*) FROM lease WHERE id = $1";
                session.query_one(count, &[&self.lease()], "reading the lease of the process")?.get(0)
            }
        };
        if count == 0 { Err(ReadError::LeaseLost) } else { Ok(()) }
    }

    fn states(
        &self,
        session: &mut Session,
        definitions: &[i64],
        keys: &[Vec<u8>],
    ) -> Result<Vec<BucketState>, ReadError> {
        let newest = "SELECT k.n, b.id, b.definition, b.last_op, b.op_count, b.checksum, b.size,
                (SELECT count(*) FROM lease WHERE id = $3)
            FROM unnest($1::bigint[], $2::bytea[]) WITH ORDINALITY AS k(definition, key, n)
            JOIN bucket AS b ON b.definition = k.definition AND b.key = k.key";
        let rows = session.query(newest, &[&definitions, &keys, &self.lease()], "reading the state of buckets")?;
        self.check_lease(session, rows.first().map(|row| row.get(7)))?;
        let mut states = vec![BucketState::default(); keys.len()];
        let pin = self.checkpoint().op_id;
        let mut older = Vec::new();
        for row in rows {
            let newest = newest_of(&row);
            let (count, size): (i64, i64) = (newest.count, row.get(6));
            let known = Known { definition: row.get(2), average: size / count.max(1) };
            self.known.borrow_mut().insert(BucketId(newest.id), known);
            if newest.last_op > pin {
                older.push((known.definition, newest));
            } else if newest.last_op != 0
                && let Some(state) = states.get_mut(newest.number)
            {
                *state = newest.state();
            }
        }
        if !older.is_empty() {
            self.older(session, older, &mut states)?;
            self.check_lease(session, None)?;
        }
        Ok(states)
    }

    /// The states of buckets without operations after the pin.
    fn older(
        &self,
        session: &mut Session,
        mut buckets: Vec<(i64, Newest)>,
        states: &mut [BucketState],
    ) -> Result<(), ReadError> {
        let what = "reading the state of buckets";
        let pin = self.checkpoint().op_id;
        let ids: Vec<i64> = buckets.iter().map(|(_, newest)| newest.id).collect();
        let before = "SELECT DISTINCT ON (bucket) bucket, last_op, op_count, checksum FROM cleared
            WHERE bucket = ANY($1) AND at_op > $2 ORDER BY bucket, at_op";
        let cleared = session.query(before, &[&ids, &pin], what)?;
        let cleared: HashMap<i64, &Row> = cleared.iter().map(|row| (row.get(0), row)).collect();
        buckets.sort_unstable_by_key(|(definition, _)| *definition);
        for group in buckets.chunk_by_mut(|one, other| one.0 == other.0) {
            for (_, newest) in group.iter_mut() {
                if let Some(row) = cleared.get(&newest.id) {
                    (newest.last_op, newest.count) = (row.get(1), row.get(2));
                    newest.checksum = checksum(row.get(3));
                }
            }
            let Some((definition, _)) = group.first() else { continue };
            let newer = format!(
                "SELECT newer.count, newer.sum,
                    (SELECT max(op_id) FROM op_{definition} WHERE bucket = b.id AND op_id <= $3)
                FROM unnest($1::bigint[], $2::bigint[]) WITH ORDINALITY AS b(id, last_op, n), LATERAL (
                    SELECT count(*), coalesce(sum(checksum), 0)::bigint AS sum FROM op_{definition}
                    WHERE bucket = b.id AND op_id > $3 AND op_id <= b.last_op
                ) AS newer ORDER BY b.n"
            );
            let ids: Vec<i64> = group.iter().map(|(_, newest)| newest.id).collect();
            let last_ops: Vec<i64> = group.iter().map(|(_, newest)| newest.last_op).collect();
            let rows = session.query(&newer, &[&ids, &last_ops, &pin], what)?;
            for ((_, newest), row) in group.iter().zip(rows) {
                let Some(last_op) = row.get::<_, Option<OpId>>(2) else { continue };
                let (count, sum): (i64, i64) = (row.get(0), row.get(1));
                if let Some(state) = states.get_mut(newest.number) {
                    let before = newest.state();
                    let checksum = before.checksum.wrapping_sub(checksum(sum));
                    *state = BucketState { last_op, count: before.count - count, checksum, ..before };
                }
            }
        }
        Ok(())
    }

    /// Of which definition a bucket is; none if it does not exist any more.
    fn known(&self, session: &mut Session, bucket: BucketId) -> Result<Option<Known>, ReadError> {
        if let Some(known) = self.known.borrow().get(&bucket) {
            return Ok(Some(*known));
        }
        let find = "SELECT definition, size / greatest(op_count, 1) FROM bucket WHERE id = $1";
        let row = session.query_opt(find, &[&bucket.0], "searching a bucket")?;
        let known = row.map(|row| Known { definition: row.get(0), average: row.get(1) });
        match known {
            Some(known) => drop(self.known.borrow_mut().insert(bucket, known)),
            None => self.check_lease(session, None)?,
        }
        Ok(known)
    }

    fn page(
        &self,
        session: &mut Session,
        bucket: BucketId,
        known: Known,
        after: OpId,
        limit: PageLimit,
    ) -> Result<Page, ReadError> {
        let what = "reading operations";
        let pin = self.checkpoint().op_id;
        let definition = known.definition;
        let sql = format!(
            "SELECT o.op_id, CASE WHEN s.op_id IS NULL THEN o.kind ELSE {move_kind}::smallint END, o.checksum,
                CASE WHEN s.op_id IS NULL THEN o.object_type END, CASE WHEN s.op_id IS NULL THEN o.object_id END,
                CASE WHEN s.op_id IS NULL THEN o.subkey END, CASE WHEN s.op_id IS NULL THEN o.data END,
                (SELECT count(*) FROM lease WHERE id = $5)
            FROM op_{definition} AS o LEFT JOIN superseded_{definition} AS s
                ON s.bucket = o.bucket AND s.op_id = o.op_id AND s.by_op <= $3
            WHERE o.bucket = $1 AND o.op_id <= $3
                AND o.op_id > greatest($2, (SELECT max(at_op) - 1 FROM cleared WHERE bucket = $1 AND at_op <= $3))
            ORDER BY o.op_id LIMIT $4",
            move_kind = kind::MOVE,
        );
        let (mut page, mut bytes, mut after) = (Page::default(), 0_usize, after);
        loop {
            // What does not fit is not sent by the server, as far as that can be foreseen.
            let left = i64::try_from(limit.bytes.saturating_sub(bytes)).unwrap_or(i64::MAX);
            let fits = left / known.average.max(1);
            let wanted = limit.operations.saturating_sub(page.operations.len()).saturating_add(1);
            let wanted = i64::try_from(wanted).unwrap_or(i64::MAX).min(fits.saturating_add(SPARE));
            let rows = match session.query(&sql, &[&bucket.0, &after, &pin, &wanted, &self.lease()], what) {
                Ok(rows) => rows,
                Err(error) => return self.dropped(session, definition, error),
            };
            self.check_lease(session, rows.first().map(|row| row.get(7)))?;
            let is_last = (rows.len() as i64) < wanted;
            for row in rows {
                let (operation, size) = self.operation(session, bucket, &row)?;
                let is_full = page.operations.len() >= limit.operations || bytes.saturating_add(size) > limit.bytes;
                if is_full && !page.operations.is_empty() {
                    page.has_more = true;
                    return Ok(page);
                }
                bytes = bytes.saturating_add(size);
                after = operation.op_id;
                page.operations.push(operation);
            }
            if is_last {
                return Ok(page);
            }
        }
    }

    /// A definition that nobody needs has no operations; any other error stays.
    fn dropped(&self, session: &mut Session, definition: i64, error: StoreError) -> Result<Page, ReadError> {
        let what = "searching a definition";
        if matches!(error, StoreError::Invalid(_)) {
            let exists = "SELECT to_regclass($1) IS NOT NULL";
            let exists: bool = session.query_one(exists, &[&format!("op_{definition}")], what)?.get(0);
            self.check_lease(session, None)?;
            let is_known = "SELECT count(*) FROM definition WHERE id = $1 AND dropped_seq IS NULL";
            let is_known: i64 = session.query_one(is_known, &[&definition], what)?.get(0);
            if !exists && is_known == 0 {
                return Ok(Page::default());
            }
        }
        Err(error.into())
    }

    /// An operation, and the bytes of its data.
    fn operation(&self, session: &mut Session, bucket: BucketId, row: &Row) -> Result<(Operation, usize), ReadError> {
        let damaged = || invalid("The storage has a damaged operation.");
        let kind = i64::from(row.get::<_, i16>(1));
        let (kind, size) = match kind {
            kind::MOVE => (OpKind::Move, 0),
            kind::CLEAR => (OpKind::Clear, 0),
            kind::PUT | kind::REMOVE => {
                let text = |column| {
                    let bytes: Option<&[u8]> = row.get(column);
                    bytes.and_then(|bytes| std::str::from_utf8(bytes).ok()).map(Arc::<str>::from)
                };
                let number = row.get::<_, Option<i32>>(3).ok_or_else(damaged)?;
                let object_type = self.type_name(session, number.into())?.ok_or_else(damaged)?;
                let (object_id, subkey) = text(4).zip(text(5)).ok_or_else(damaged)?;
                let output = OutputRow { object_type, object_id, subkey };
                if kind == kind::PUT {
                    let data = text(6).ok_or_else(damaged)?;
                    let size = data.len();
                    (OpKind::Put { row: output, data }, size)
                } else {
                    (OpKind::Remove { row: output }, 0)
                }
            }
            _ => return Err(damaged().into()),
        };
        let checksum = row.get::<_, i32>(2).cast_unsigned();
        Ok((Operation { bucket, op_id: row.get(0), kind, checksum }, size))
    }

    /// The name with this number. New ones are read when they are first used.
    fn type_name(&self, session: &mut Session, number: i64) -> Result<Option<Arc<str>>, ReadError> {
        if let Some(name) = type_name(&self.pin.shared.types(), number) {
            return Ok(Some(name));
        }
        let types = read_types(session)?;
        self.pin.shared.set_types(Arc::clone(types.names()));
        Ok(type_name(types.names(), number))
    }
}

impl Newest {
    fn state(&self) -> BucketState {
        let Self { id, last_op, count, checksum, .. } = *self;
        BucketState { id: Some(BucketId(id)), last_op, count, checksum }
    }
}

fn newest_of(row: &Row) -> Newest {
    let number = usize::try_from(row.get::<_, i64>(0) - 1).unwrap_or(usize::MAX);
    Newest { number, id: row.get(1), last_op: row.get(3), count: row.get(4), checksum: checksum(row.get(5)) }
}

/// Checksums are sums modulo 2³².
fn checksum(sum: i64) -> u32 {
    sum as u32
}
