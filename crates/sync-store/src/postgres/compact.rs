//! Makes old operations smaller, and deletes what no reader needs, in bounded steps.
//!
//! `superseded_N` is the list of work: the operations of a definition that are not MOVEs yet. A sweep walks over it, some
//! buckets at a time. In each one, operations that were superseded up to the oldest pin become MOVEs, and a long beginning of
//! dead ones (MOVE, REMOVE) becomes one CLEAR with the sum of their checksums.

use std::collections::BTreeSet;

use pg_connect::postgres::Row;
use sync_engine::store::{Compacted, OpId, StoreError};

use super::dropped;
use super::open::PostgresStore;
use super::session::Session;
use super::store::{measure, read_others};
use crate::compact::Budget;
use crate::schema::kind;

/// How many checkpoints are kept, besides one for each hour.
const KEPT_CHECKPOINTS: i64 = 1000;

/// How many buckets are looked at together.
const BUCKETS: i64 = 200;

/// How far the walk over buckets with superseded operations is.
#[derive(Clone, Copy, Default)]
pub(super) struct Sweep {
    /// The last definition and bucket that are done.
    after: (i64, i64),
    /// The pin that the walk began with; none between walks.
    pin: Option<OpId>,
    /// The pin of the last complete walk: up to it, there is nothing more to do.
    done: Option<OpId>,
    /// The last commit whose checkpoints were counted.
    trimmed_seq: Option<i64>,
}

impl PostgresStore {
    pub(super) fn shrink(&mut self, oldest_pin: OpId, budget: usize) -> Result<Compacted, StoreError> {
        let Some(here) = self.shared.oldest_here() else { return Ok(Compacted::default()) };
        let (mut sweep, mut cleaning) = (self.sweep, self.cleaning.clone());
        let mut budget = Budget { left: budget, operations: 0 };
        let (shared, options, definitions) = (&self.shared, &self.options, &self.definitions);
        let (types, seq) = (&self.types, self.seq);
        let step = |session: &mut Session| {
            forget(session)?;
            // Read after the rows of silent processes are gone, and before anything else is deleted: whoever registers later
            // reads the newest checkpoint.
            let others = read_others(session)?;
            shared.set_others(others.clone());
            let oldest = others.filter(|other| other.seq < here.seq).unwrap_or(here);
            let pin = oldest_pin.min(oldest.op_id);
            let mut gone = Vec::new();
            let is_done = delete_cleared(session, pin, &mut budget)?
                && sweep.walk(session, definitions, pin, options.clear_from.max(2), &mut budget)?
                && delete_closed_parameters(session, oldest.seq, &mut budget)?
                && dropped::delete(session, oldest.seq, types, &mut cleaning, &mut gone, &mut budget)?;
            if sweep.trim(session, seq)? {
                shared.set_size(measure(session)?);
            }
            Ok((is_done, gone))
        };
        let (is_done, gone) = self.session.transaction("committing a compaction", step)?;
        self.definitions.retain(|definition| !gone.contains(definition));
        (self.sweep, self.cleaning) = (sweep, cleaning);
        Ok(Compacted { operations: budget.operations, has_more: !is_done })
    }
}

/// Forgets processes that have said nothing for long, and what was asked and told long ago.
fn forget(session: &mut Session) -> Result<(), StoreError> {
    let what = "forgetting processes that are gone";
    let leases = "DELETE FROM lease WHERE NOT is_writer AND refreshed < clock_timestamp() - interval '60 seconds'";
    session.execute(leases, &[], what)?;
    Ok(())
}

impl Sweep {
    /// Whether nothing is left to do up to the pin.
    fn walk(
        &mut self,
        session: &mut Session,
        definitions: &BTreeSet<i64>,
        pin: OpId,
        clear_from: usize,
        budget: &mut Budget,
    ) -> Result<bool, StoreError> {
        if self.done == Some(pin) {
            return Ok(true);
        }
        let began_with = *self.pin.get_or_insert(pin);
        for definition in definitions.range(self.after.0..) {
            let mut after = if *definition == self.after.0 { self.after.1 } else { 0 };
            loop {
                if budget.left == 0 {
                    return Ok(false);
                }
                let Some(buckets) = Buckets::next(session, *definition, after, budget)? else { break };
                after = buckets.compact(session, after, pin, clear_from, budget)?;
                self.after = (*definition, after);
            }
        }
        *self = Self { done: Some(began_with), trimmed_seq: self.trimmed_seq, ..Self::default() };
        Ok(began_with == pin)
    }

    /// Deletes old checkpoints and notices, now and then. Whether it was time to.
    fn trim(&mut self, session: &mut Session, seq: i64) -> Result<bool, StoreError> {
        if self.trimmed_seq.is_some_and(|trimmed| seq - trimmed < KEPT_CHECKPOINTS / 10) {
            return Ok(false);
        }
        let what = "deleting old checkpoints";
        let delete = "DELETE FROM checkpoint
            WHERE seq <= (SELECT seq FROM checkpoint ORDER BY seq DESC LIMIT 1 OFFSET $1)
            AND seq NOT IN (SELECT min(seq) FROM checkpoint GROUP BY time / 3600000000)";
        session.execute(delete, &[&KEPT_CHECKPOINTS], what)?;
        let notices = "DELETE FROM notice WHERE at < clock_timestamp() - interval '60 seconds'
            AND seq < (SELECT max(seq) FROM notice)";
        session.execute(notices, &[], what)?;
        let requests = "DELETE FROM request WHERE at < clock_timestamp() - interval '10 minutes'";
        session.execute(requests, &[], what)?;
        self.trimmed_seq = Some(seq);
        Ok(true)
    }
}

/// Some buckets of a definition that have superseded operations.
struct Buckets {
    definition: i64,
    /// In order.
    ids: Vec<i64>,
}

impl Buckets {
    /// The next ones, with as many superseded operations as may be done.
    fn next(session: &mut Session, definition: i64, after: i64, budget: &Budget) -> Result<Option<Self>, StoreError> {
        let next = format!(
            "SELECT DISTINCT bucket FROM (
                SELECT bucket FROM superseded_{definition} WHERE bucket > $1 ORDER BY bucket, op_id LIMIT $2
            ) AS s ORDER BY bucket LIMIT $3"
        );
        let rows = session.query(&next, &[&after, &budget.limit(), &BUCKETS], "searching superseded operations")?;
        let ids: Vec<i64> = rows.iter().map(|row| row.get(0)).collect();
        Ok((!ids.is_empty()).then_some(Self { definition, ids }))
    }

    /// Gives the last bucket that is done.
    fn compact(
        self,
        session: &mut Session,
        after: i64,
        pin: OpId,
        clear_from: usize,
        budget: &mut Budget,
    ) -> Result<i64, StoreError> {
        let what = "compacting buckets";
        // Their older operations are deleted together soon.
        let cleared = "SELECT DISTINCT bucket FROM cleared WHERE bucket = ANY($1)";
        let cleared = session.query(cleared, &[&self.ids], what)?;
        let cleared: BTreeSet<i64> = cleared.iter().map(|row| row.get(0)).collect();
        let ids: Vec<i64> = self.ids.iter().copied().filter(|bucket| !cleared.contains(bucket)).collect();
        // A bucket is as much work as an operation.
        budget.left = budget.left.saturating_sub(self.ids.len());
        let last = self.ids.last().copied().unwrap_or(after);
        if ids.is_empty() {
            return Ok(last);
        }
        let limit = budget.left.max(clear_from);
        for beginning in self.beginnings(session, &ids, pin, limit)? {
            if beginning.count < clear_from as i64 {
                continue;
            }
            self.clear(session, &beginning)?;
            budget.spend(usize::try_from(beginning.count).unwrap_or(0));
            if beginning.has_more || budget.left == 0 {
                // The bucket is looked at again.
                return Ok(beginning.bucket - 1);
            }
        }
        let limit = budget.limit();
        let moved = self.replace(session, &ids, pin, limit)?;
        budget.spend(usize::try_from(moved.count).unwrap_or(0));
        if moved.count < limit {
            return Ok(last);
        }
        // In the order of buckets, so all before the last one are done.
        Ok(moved.last_bucket.map_or(last, |bucket| bucket - 1))
    }

    /// The dead beginnings of buckets, up to `limit` operations of each.
    fn beginnings(
        &self,
        session: &mut Session,
        ids: &[i64],
        pin: OpId,
        limit: usize,
    ) -> Result<Vec<Beginning>, StoreError> {
        let Self { definition, .. } = self;
        let sql = format!(
            "SELECT b.id, d.count, d.sum, d.last, d.size, d.count < d.all FROM unnest($1::bigint[]) AS b(id), LATERAL (
                SELECT count(*) FILTER (WHERE n <= $3::bigint), coalesce(sum(checksum) FILTER (WHERE n <= $3::bigint), 0)::bigint AS sum,
                    max(op_id) FILTER (WHERE n <= $3::bigint) AS last,
                    coalesce(sum(octet_length(data)) FILTER (WHERE n <= $3::bigint), 0)::bigint AS size, count(*) AS all
                FROM (
                    SELECT op_id, checksum, data, row_number() OVER (ORDER BY op_id) AS n FROM op_{definition}
                    WHERE bucket = b.id AND op_id <= $2 AND op_id < coalesce((
                        SELECT o.op_id FROM op_{definition} AS o LEFT JOIN superseded_{definition} AS s
                            ON s.bucket = o.bucket AND s.op_id = o.op_id
                        WHERE o.bucket = b.id AND o.op_id <= $2 AND o.kind = {put} AND (s.by_op IS NULL OR s.by_op > $2)
                        ORDER BY o.op_id LIMIT 1
                    ), $2::bigint + 1)
                    ORDER BY op_id LIMIT $3::bigint + 1
                ) AS dead
            ) AS d ORDER BY b.id",
            put = kind::PUT,
        );
        let limit = i64::try_from(limit).unwrap_or(i64::MAX - 1).min(i64::MAX - 1);
        let pin = pin.min(i64::MAX - 1);
        let rows = session.query(&sql, &[&ids, &pin, &limit], "compacting buckets")?;
        let beginning = |row: &Row| Beginning {
            bucket: row.get(0),
            count: row.get(1),
            checksum: row.get::<_, i64>(2) as u32,
            last_op: row.get::<_, Option<i64>>(3).unwrap_or_default(),
            size: row.get(4),
            has_more: row.get(5),
        };
        Ok(rows.iter().map(beginning).collect())
    }

    fn clear(&self, session: &mut Session, beginning: &Beginning) -> Result<(), StoreError> {
        let what = "clearing the beginning of a bucket";
        let Self { definition, .. } = self;
        let Beginning { bucket, count, checksum, last_op, size, .. } = beginning;
        delete_up_to(session, *definition, *bucket, *last_op)?;
        let insert = format!("INSERT INTO op_{definition}(bucket, op_id, kind, checksum) VALUES ($1, $2, $3, $4)");
        let clear = kind::CLEAR as i16;
        session.execute(&insert, &[bucket, last_op, &clear, &checksum.cast_signed()], what)?;
        let update = "UPDATE bucket SET op_count = op_count - $2, size = size - $3 WHERE id = $1";
        session.execute(update, &[bucket, &(count - 1), size], what)?;
        Ok(())
    }

    /// Operations that nobody needs become MOVEs.
    fn replace(&self, session: &mut Session, ids: &[i64], pin: OpId, limit: i64) -> Result<Moved, StoreError> {
        let Self { definition, .. } = self;
        let sql = format!(
            "WITH dead AS (
                SELECT s.bucket, s.op_id, o.octets FROM superseded_{definition} AS s, LATERAL (
                    SELECT coalesce(octet_length(data), 0) AS octets FROM op_{definition}
                    WHERE bucket = s.bucket AND op_id = s.op_id
                ) AS o
                WHERE s.bucket = ANY($1) AND s.by_op <= $2 ORDER BY s.bucket, s.op_id LIMIT $3
            ), gone AS (
                DELETE FROM superseded_{definition} AS s USING dead AS d WHERE s.bucket = d.bucket AND s.op_id = d.op_id
            ), moved AS (
                UPDATE op_{definition} AS o SET kind = {move_kind}, object_type = NULL, object_id = NULL, subkey = NULL,
                    data = NULL
                FROM dead AS d WHERE o.bucket = d.bucket AND o.op_id = d.op_id
            ), smaller AS (
                UPDATE bucket AS b SET size = b.size - d.size
                FROM (SELECT bucket, sum(octets) AS size FROM dead GROUP BY bucket) AS d WHERE b.id = d.bucket
            )
            SELECT count(*), max(bucket) FROM dead",
            move_kind = kind::MOVE,
        );
        let row = session.query_one(&sql, &[&ids, &pin, &limit], "compacting buckets")?;
        Ok(Moved { count: row.get(0), last_bucket: row.get(1) })
    }
}

/// Operations that became MOVEs.
struct Moved {
    count: i64,
    last_bucket: Option<i64>,
}

/// The operations at the beginning of a bucket that mean nothing any more.
struct Beginning {
    bucket: i64,
    count: i64,
    checksum: u32,
    last_op: OpId,
    size: i64,
    /// There are more behind it.
    has_more: bool,
}

/// Deletes the older operations of buckets whose rows were all removed at once. Whether none are left.
fn delete_cleared(session: &mut Session, pin: OpId, budget: &mut Budget) -> Result<bool, StoreError> {
    let what = "deleting operations of cleared buckets";
    let next = "SELECT c.bucket, c.at_op, b.definition FROM cleared AS c LEFT JOIN bucket AS b ON b.id = c.bucket
        WHERE c.at_op <= $1 ORDER BY c.bucket, c.at_op LIMIT 1";
    while budget.left > 0 {
        let Some(row) = session.query_opt(next, &[&pin], what)? else { return Ok(true) };
        let (bucket, at): (i64, i64) = (row.get(0), row.get(1));
        let is_done = match row.get(2) {
            Some(definition) => delete_operations(session, definition, bucket, at - 1, budget)?,
            None => true,
        };
        if is_done {
            session.execute("DELETE FROM cleared WHERE bucket = $1 AND at_op = $2", &[&bucket, &at], what)?;
        }
    }
    Ok(false)
}

/// Deletes operations of a bucket up to an id. Whether none are left.
fn delete_operations(
    session: &mut Session,
    definition: i64,
    bucket: i64,
    up_to: OpId,
    budget: &mut Budget,
) -> Result<bool, StoreError> {
    let chunk = format!(
        "SELECT count(*), max(op_id) FROM
        (SELECT op_id FROM op_{definition} WHERE bucket = $1 AND op_id <= $2 ORDER BY op_id LIMIT $3) AS chunk"
    );
    let row = session.query_one(&chunk, &[&bucket, &up_to, &budget.limit()], "deleting operations")?;
    let count: i64 = row.get(0);
    if let Some(last) = row.get(1) {
        delete_up_to(session, definition, bucket, last)?;
    }
    let is_done = count < budget.limit();
    budget.spend(usize::try_from(count).unwrap_or(usize::MAX));
    Ok(is_done)
}

fn delete_up_to(session: &mut Session, definition: i64, bucket: i64, last: OpId) -> Result<(), StoreError> {
    for table in ["op", "superseded"] {
        let delete = format!("DELETE FROM {table}_{definition} WHERE bucket = $1 AND op_id <= $2");
        session.execute(&delete, &[&bucket, &last], "deleting operations")?;
    }
    Ok(())
}

/// Deletes entries of parameter indexes that ended before the oldest checkpoint. Whether none are left.
fn delete_closed_parameters(session: &mut Session, seq: i64, budget: &mut Budget) -> Result<bool, StoreError> {
    let delete = "DELETE FROM parameter WHERE ctid = ANY(ARRAY(
        SELECT ctid FROM parameter WHERE to_seq <= $1 LIMIT $2))";
    let deleted = session.execute(delete, &[&seq, &budget.limit()], "deleting old parameters")?;
    let deleted = usize::try_from(deleted).unwrap_or(usize::MAX);
    let is_done = deleted < budget.left;
    budget.spend(deleted);
    Ok(is_done)
}
